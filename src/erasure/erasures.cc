#include "erasure/erasures.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "directory/record_types.h"
#include "erasure/link.pb.h"
#include "key_life/audit_destruction.h"
#include "key_life/commit.h"
#include "replication/roles.h"

namespace symbolon::erasure {
namespace {

using directory::ErasureKind;
using directory::RecordType;
using directory::pb::ErasureRecord;
using std::chrono::nanoseconds;

constexpr std::size_t kRecordsAtOnce = 1'000;
// Erasures of one pool that are worked on together.
constexpr std::size_t kPendingAtOnce = 100;

// For people.
constexpr const char* kRemoved = "It has left the user pool and is gone for good: it is not waited for.";
constexpr const char* kStillMember =
    "It is gone for good, as keys.forgotten_regions says, and still a member of the user pool: delete its replica.";

constexpr auto kErasureType = static_cast<std::uint16_t>(RecordType::kErasure);

bool IsFinal(const ErasureRecord& record) { return record.ended_micros() != 0; }

std::string Refusal(const replication::ControlError& error) {
  return fmt::format("It refuses: {}. It may be of an earlier release.", error.detail);
}

bool IsIn(const std::vector<Region>& regions, const Region& region) {
  return std::ranges::find(regions, region) != regions.end();
}

std::string WhyRemoved(const certificate::Order& order, const Region& here) {
  std::string arns;
  for (const std::string& arn : order.kms_key_arns) arns += (arns.empty() ? "" : ", ") + arn;
  return fmt::format(
      "It has left the user pool, and Region {} counts it as gone for good (keys.forgotten_regions). It has not "
      "confirmed anything: its data_dir, and copies of that, may hold the user's records, sealed under the data keys "
      "of this order, which are wrapped there under KMS keys ({}). Re-encrypt the user pool under another KMS key, "
      "and disable or delete these: then no such copy opens.",
      here.value(), arns);
}

bool IsToStay(const replication::pb::RoleRecord& role, const Region& region) {
  if (role.primary() == region.value()) return true;
  const replication::pb::Member* const member = replication::FindMember(role, region);
  return member != nullptr && member->state() != replication::pb::DELETING;
}

std::optional<Timestamp> StatedAt(const ErasureRecord& record, const Region& region) {
  const auto found = record.statements().find(region.value());
  if (found == record.statements().end()) return std::nullopt;
  const auto opened = certificate::OpenStatement(record.order(), found->second);
  if (!opened || opened->statement.region != region) return std::nullopt;
  return opened->statement.at;
}

}  // namespace

std::optional<ErasureState> StateOf(const ErasureRecord& record) {
  auto order = certificate::ParseOrder(record.order());
  if (!order) return std::nullopt;
  ErasureState state{.order = *std::move(order), .regions = {}, .ended = {}, .certificate = record.certificate()};
  if (IsFinal(record)) state.ended = FromMicros(record.ended_micros());
  for (const Region& region : state.order.regions) {
    state.regions.push_back(
        {.region = region, .removed = false, .erased_at = StatedAt(record, region), .waits_for = {}});
  }
  const auto stated = [](const RegionState& region) { return region.erased_at.has_value(); };
  if (!state.ended || std::ranges::all_of(state.regions, stated)) return state;
  const auto issued = certificate::Verify(state.certificate, {});
  if (!issued) return std::nullopt;
  for (const certificate::Unconfirmed& one : issued->removed) {
    const auto region = std::ranges::find(state.regions, one.region, &RegionState::region);
    if (region == state.regions.end()) return std::nullopt;
    region->removed = true;
    region->waits_for = one.reason;
  }
  return state;
}

struct Erasures::Job {
  // By erasure: where the log ended when this process saw it first.
  std::map<Bytes, std::uint64_t> sequences;
  // Nobody is asked twice in one step.
  std::set<Region> silent;
};

Erasures::Erasures(key_life::Services services, RegionErasures& here, crypto::Ed25519Key key, audit::Trail* trail,
                   Options options)
    : services_(std::move(services)),
      here_(here),
      key_(std::move(key)),
      trail_(trail),
      options_(std::move(options)),
      jobs_(services_.clock) {
  subscription_ = services_.store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

Erasures::~Erasures() = default;

void Erasures::OnNotice(const storage::Notice& notice) {
  const bool concerns =
      notice.everything || std::ranges::any_of(notice.keys, [](const storage::Key& key) {
        return key.space == storage::Space::kDirectory &&
               (key.type == kErasureType || key.type == static_cast<std::uint16_t>(RecordType::kRole));
      });
  if (concerns) jobs_.Note(notice.pool);
}

std::optional<nanoseconds> Erasures::RunDue() {
  // Pools without any are forgotten at their first step.
  if (!listed_) listed_ = jobs_.NoteAll(*services_.store.MakeSnapshot());
  const std::optional<nanoseconds> due = jobs_.RunDue([this](const PoolId& pool, Job& job) {
    const auto wait = Step(pool, job);
    if (wait) return wait;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, sequence] : job.sequences) waits_.erase(id);
    return wait;
  });
  if (listed_) return due;
  const nanoseconds again = services_.clock.SinceBoot() + options_.retry_unreachable;
  return std::min(due.value_or(again), again);
}

void Erasures::WaitUntil(const std::stop_token& stop, std::optional<nanoseconds> due) { jobs_.WaitUntil(stop, due); }

std::map<Region, std::string> Erasures::WaitsFor(const Bytes& id) const {
  std::lock_guard lock(mutex_);
  const auto found = waits_.find(id);
  return found == waits_.end() ? std::map<Region, std::string>() : found->second;
}

void Erasures::SetWaits(const Bytes& id, const Region& region, std::string reason) {
  std::lock_guard lock(mutex_);
  waits_[id][region] = std::move(reason);
}

std::optional<std::vector<Erasures::Pending>> Erasures::FindPending(const storage::Snapshot& snapshot,
                                                                    const PoolId& pool) const {
  std::vector<Pending> pending;
  const storage::KeyRange range{
      .space = storage::Space::kDirectory, .pool = pool, .type = kErasureType, .id_prefix = {}};
  std::optional<Bytes> after;
  do {
    auto page = snapshot.Scan(range, after, kRecordsAtOnce);
    if (!page) {
      log::Error("erasures of pool {} cannot be read: {}", pool.value(), page.error().detail);
      return std::nullopt;
    }
    for (storage::Record& stored : page->records) {
      Pending one{.id = std::move(stored.id), .record = {}};
      if (one.record.ParseFromString(stored.value) && !IsFinal(one.record)) pending.push_back(std::move(one));
    }
    after = std::move(page->next);
  } while (after && pending.size() < kPendingAtOnce);
  return pending;
}

std::optional<nanoseconds> Erasures::Step(const PoolId& pool, Job& job) {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto role = key_life::RoleAsPrimary(services_, *snapshot, pool);
  if (!role && role.error().code == key_life::CommitFailureCode::kUnavailable) return options_.retry_unreachable;
  if (!role) return std::nullopt;
  auto pending = FindPending(*snapshot, pool);
  const auto head = snapshot->Head(pool);
  if (!pending || !head || !*head) return options_.retry_unreachable;
  if (pending->empty()) return std::nullopt;
  if (services_.gate != nullptr && !services_.gate->IsOpen(pool)) return options_.retry;
  job.silent.clear();
  std::uint64_t sequence = 0;
  for (const Pending& one : *pending) {
    sequence = std::max(sequence, job.sequences.try_emplace(one.id, (*head)->sequence()).first->second);
  }
  if (AllReached(pool, *role, sequence, job, *pending)) {
    for (Pending& one : *pending) EraseEverywhere(pool, *role, job.sequences.at(one.id), job, one);
  }
  return job.silent.empty() ? options_.retry : options_.retry_unreachable;
}

bool Erasures::AllReached(const PoolId& pool, const replication::pb::RoleRecord& role, std::uint64_t sequence, Job& job,
                          const std::vector<Pending>& pending) {
  bool all = true;
  const auto waits_for = [&](const Region& region, const std::string& reason) {
    all = false;
    for (const Pending& one : pending) SetWaits(one.id, region, reason);
  };
  pb::ErasureRequest request;
  request.set_pool(pool.value());
  request.mutable_reached()->set_sequence(sequence);
  for (const replication::pb::Member& member : role.members()) {
    const Region region(member.region());
    if (region == services_.here) continue;
    if (IsIn(options_.gone, region)) {
      waits_for(region, kStillMember);
      continue;
    }
    request.mutable_reached()->set_is_member(IsToStay(role, region));
    const auto answered = services_.ask ? services_.ask(region, request.SerializeAsString())
                                        : replication::ControlResult<Bytes>(Err(replication::ControlError{
                                              replication::ControlErrorCode::kUnavailable, ""}));
    pb::ErasureAnswer answer;
    if (!answered && answered.error().code == replication::ControlErrorCode::kRefused) {
      job.silent.insert(region);
      waits_for(region, Refusal(answered.error()));
    } else if (!answered || !answer.ParseFromString(*answered)) {
      job.silent.insert(region);
      waits_for(region, "It is not in reach.");
    } else if (!answer.waits_for().empty()) {
      waits_for(region, answer.waits_for());
    }
  }
  return all;
}

void Erasures::EraseEverywhere(const PoolId& pool, const replication::pb::RoleRecord& role, std::uint64_t sequence,
                               Job& job, Pending& pending) {
  const auto order = certificate::ParseOrder(pending.record.order());
  if (!order) {
    log::Error("pool {}: the record of an erasure is damaged", pool.value());
    return;
  }
  Work work{.pool = pool,
            .id = pending.id,
            .sequence = sequence,
            .user_key = pending.record.user_key(),
            .name_key = pending.record.name_key(),
            .order = pending.record.order(),
            .is_member = false};
  std::map<Region, std::string> statements;
  std::vector<certificate::Unconfirmed> removed;
  bool all = true;
  for (const Region& region : order->regions) {
    if (StatedAt(pending.record, region)) {
      SetWaits(pending.id, region, "");
      continue;
    }
    if (IsRemoved(role, region)) {
      SetWaits(pending.id, region, kRemoved);
      removed.push_back({.region = region, .reason = {}});
      continue;
    }
    work.is_member = IsToStay(role, region);
    WorkDone done = region == services_.here ? here_.Ask(work) : AskRegion(region, work, job);
    if (!done.statement.empty()) {
      const auto opened = certificate::OpenStatement(work.order, done.statement);
      if (opened && opened->statement.region == region) {
        statements.emplace(region, std::move(done.statement));
        continue;
      }
      done.waits_for = "Its statement is not one about this order.";
    }
    all = false;
    SetWaits(pending.id, region, std::move(done.waits_for));
  }
  std::string why;
  if (all) why = key_life::AuditDestruction(trail_, services_.clock.Now(), "IssueCertificate", *order, removed);
  const bool finish = all && why.empty();
  if (!statements.empty() || finish) Store(pool, pending, statements, finish);
  if (!why.empty()) {
    log::Warning("pool {}: the certificate of an erasure is not issued yet: {}", pool.value(), why);
    SetWaits(pending.id, services_.here, "The certificate is not issued yet: " + why);
  }
}

bool Erasures::IsRemoved(const replication::pb::RoleRecord& role, const Region& region) const {
  return IsIn(options_.gone, region) && role.primary() != region.value() &&
         replication::FindMember(role, region) == nullptr;
}

WorkDone Erasures::AskRegion(const Region& region, const Work& work, Job& job) {
  if (job.silent.contains(region) || !services_.ask) return {.statement = {}, .waits_for = "It is not in reach."};
  pb::ErasureRequest request;
  request.set_pool(work.pool.value());
  pb::Erase& erase = *request.mutable_erase();
  erase.set_id(work.id);
  erase.set_sequence(work.sequence);
  erase.set_user_key(work.user_key);
  erase.set_name_key(work.name_key);
  erase.set_order(work.order);
  erase.set_is_member(work.is_member);
  const auto answered = services_.ask(region, request.SerializeAsString());
  pb::ErasureAnswer answer;
  if (!answered && answered.error().code == replication::ControlErrorCode::kRefused) {
    return {.statement = {}, .waits_for = Refusal(answered.error())};
  }
  if (!answered || !answer.ParseFromString(*answered)) {
    job.silent.insert(region);
    return {.statement = {}, .waits_for = "It is not in reach."};
  }
  return {.statement = answer.statement(), .waits_for = answer.waits_for()};
}

std::optional<certificate::Contents> Erasures::ContentsOf(const ErasureRecord& record,
                                                          const replication::pb::RoleRecord& role) const {
  const auto order = certificate::ParseOrder(record.order());
  if (!order) return std::nullopt;
  certificate::Contents contents{.order_text = record.order(),
                                 .statements = {},
                                 .pending = {},
                                 .removed = {},
                                 .issued_by = services_.here,
                                 .issued_at = std::chrono::floor<std::chrono::seconds>(services_.clock.Now())};
  for (const Region& region : order->regions) {
    const auto found = record.statements().find(region.value());
    if (found != record.statements().end()) {
      contents.statements.push_back(found->second);
    } else if (IsRemoved(role, region)) {
      contents.removed.push_back({.region = region, .reason = WhyRemoved(*order, services_.here)});
    } else {
      return std::nullopt;
    }
  }
  return contents;
}

void Erasures::Store(const PoolId& pool, const Pending& pending, const std::map<Region, std::string>& statements,
                     bool finish) {
  bool final = false;
  const auto stored = key_life::CommitPlan(services_, pool, [&](directory::Transaction& tx, const auto& role) {
    final = false;
    auto record = tx.Get<ErasureKind>(pending.id);
    if (!record || IsFinal(*record)) return false;
    for (const auto& [region, text] : statements) record->mutable_statements()->try_emplace(region.value(), text);
    const auto contents = finish ? ContentsOf(*record, role) : std::nullopt;
    final = contents.has_value();
    if (final) {
      record->set_certificate(certificate::Issue(*contents, key_));
      record->set_ended_micros(ToMicros(services_.clock.Now()));
      record->clear_user_key();
      record->clear_name_key();
    }
    tx.Put<ErasureKind>(pending.id, *record);
    return true;
  });
  if (!stored) {
    // Regions that have done their part answer again.
    log::Warning("pool {}: what Regions say of an erasure is not stored yet: {}", pool.value(), stored.error().detail);
    return;
  }
  for (const auto& [region, text] : statements) SetWaits(pending.id, region, "");
  if (*stored && final) log::Info("pool {}: an erasure has ended: the certificate is issued", pool.value());
}

}  // namespace symbolon::erasure
