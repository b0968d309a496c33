#include "erasure/region_erasures.h"

#include <algorithm>

#include "base/dead_stack.h"
#include "erasure/link.pb.h"
#include "replication/roles.h"

namespace symbolon::erasure {
namespace {

using replication::ControlError;
using replication::ControlErrorCode;
using replication::Role;

// Works of which the asker has not come back.
constexpr std::size_t kEntriesMax = 10'000;
// Users who are erased with one purge.
constexpr std::size_t kWorksAtOnce = 100;

auto Refused(const char* why) { return Err(ControlError{ControlErrorCode::kRefused, why}); }

}  // namespace

RegionErasures::RegionErasures(key_life::Services services, const replication::SuffixFolder* suffixes,
                               crypto::Ed25519Key key)
    : services_(services), in_region_(std::move(services), suffixes, std::move(key)) {}

WorkDone RegionErasures::Ask(const Work& work) {
  std::lock_guard lock(mutex_);
  Forget();
  auto [found, is_new] = entries_.try_emplace(work.id);
  Entry& entry = found->second;
  if (is_new || entry.work != work) {
    if (entry.state == Entry::State::kRunning) return {.statement = {}, .waits_for = "It is being done."};
    entry = Entry{.work = work, .counts = entry.counts, .done = {}};
  } else if (entry.state != Entry::State::kStopped) {
    // Again, because of what it waited for.
    return {.statement = {}, .waits_for = entry.done.waits_for.empty() ? "It is being done." : entry.done.waits_for};
  } else if (!entry.done.statement.empty()) {
    return entry.done;
  }
  WorkDone so_far{.statement = {}, .waits_for = entry.done.waits_for};
  entry.state = Entry::State::kWaiting;
  wake_.notify_all();
  if (so_far.waits_for.empty()) so_far.waits_for = "It has begun.";
  return so_far;
}

// Whoever asks for what was forgotten has it done again.
void RegionErasures::Forget() {
  if (entries_.size() < kEntriesMax) return;
  std::erase_if(entries_, [](const auto& entry) { return entry.second.state == Entry::State::kStopped; });
}

replication::ControlResult<Bytes> RegionErasures::Answer(const Region& from, const Bytes& octets) {
  pb::ErasureRequest request;
  if (!request.ParseFromString(octets) || request.pool().empty() || request.pool().size() > storage::kNameBytesMax) {
    return Refused("not a request about an erasure");
  }
  const PoolId pool(request.pool());
  const auto stored =
      services_.store.MakeSnapshot()->Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  const auto role = stored && *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!stored || (*stored && !role)) return Err(ControlError{ControlErrorCode::kUnavailable, "the store fails"});
  if (role && replication::RoleOf(*role, from).kind != Role::Kind::kPrimary) {
    return Err(ControlError{ControlErrorCode::kNotPrimary, "the asking Region is not the pool's primary"});
  }
  pb::ErasureAnswer answer;
  if (request.request_case() == pb::ErasureRequest::kReached) {
    const pb::Reached& reached = request.reached();
    answer.set_waits_for(WhyNotReached(services_.store, pool, reached.sequence(), reached.is_member()));
    return answer.SerializeAsString();
  }
  if (!request.has_erase()) return Refused("not a request that this version knows");
  const pb::Erase& erase = request.erase();
  const auto order = certificate::ParseOrder(erase.order());
  if (erase.id().empty() || erase.id().size() > storage::kKeyIdBytesMax || !order || order->pool != pool ||
      order->kind != certificate::Kind::kUserErased || erase.name_key().empty()) {
    return Refused("not an order to erase a user");
  }
  WorkDone done = Ask({.pool = pool,
                       .id = erase.id(),
                       .sequence = erase.sequence(),
                       .user_key = erase.user_key(),
                       .name_key = erase.name_key(),
                       .order = erase.order(),
                       .is_member = erase.is_member()});
  answer.set_waits_for(std::move(done.waits_for));
  answer.set_statement(std::move(done.statement));
  return answer.SerializeAsString();
}

bool RegionErasures::Step() {
  std::vector<Entry*> taken;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
      if (entry.state != Entry::State::kWaiting || taken.size() == kWorksAtOnce) continue;
      if (!taken.empty() && entry.work.pool != taken.front()->work.pool) continue;
      entry.state = Entry::State::kRunning;
      taken.push_back(&entry);
    }
  }
  if (taken.empty()) return false;
  // Entries that run are neither changed nor removed by others.
  std::vector<Work> works;
  std::vector<WorkCounts> counts;
  for (const Entry* entry : taken) {
    works.push_back(entry->work);
    counts.push_back(entry->counts);
  }
  std::vector<WorkDone> done = in_region_.Erase(works, counts);
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    taken[i]->counts = counts[i];
    taken[i]->done = std::move(done[i]);
    taken[i]->state = Entry::State::kStopped;
  }
  return true;
}

bool RegionErasures::WaitForWork(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return wake_.wait(lock, stop, [this] {
    return std::ranges::any_of(entries_,
                               [](const auto& entry) { return entry.second.state == Entry::State::kWaiting; });
  });
}

RegionErasuresThread::RegionErasuresThread(RegionErasures& erasures)
    : thread_([&erasures](const std::stop_token& stop) {
        while (erasures.WaitForWork(stop)) {
          erasures.Step();
          WipeDeadStack();
        }
      }) {}

}  // namespace symbolon::erasure
