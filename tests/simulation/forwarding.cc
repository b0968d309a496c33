// Writes that clients ask of a secondary, which passes them on to the primary (docs/adr/0009-write-forwarding.md). Whom
// they are sent to and what is concluded from the replies is production's (replication/forwarding.h); what a Region
// looks at before it sends or serves one is done here as cognito/pipeline_forwarding.cc does it.
//
// The promise: a write passed on is done at most once, and not at all when its client is told so.
#include "replication/forwarding.h"

#include <algorithm>

#include "simulation.h"
#include "storage/keys.h"

namespace symbolon::simulation {
namespace {

using replication::ForwardOutcome;
using replication::pb::ControlErrorCode;
using replication::pb::RoleRecord;

constexpr std::uint16_t kRecordType = 60;
constexpr nanoseconds kTimeout = std::chrono::milliseconds(1'500);
constexpr nanoseconds kNextEntryWait = std::chrono::milliseconds(1'000);

// What the primary's answer says to the client.
constexpr std::string_view kDone = "done";
constexpr std::string_view kNothingDone = "nothing done";
constexpr std::string_view kNotKnown = "not known";

std::string_view AnswerTo(const replication::DurableCommitResult& result) {
  using Code = replication::CommitErrorCode;
  if (result) return kDone;
  switch (result.error().code) {
    case Code::kBehind:
    case Code::kOutOfReach:
    case Code::kNoLease:
      return kNothingDone;
    case Code::kUnconfirmed:
      return kNotKnown;
    case Code::kStore:
      break;
  }
  switch (result.error().store->code) {
    case storage::StoreErrorCode::kConflict:
    case storage::StoreErrorCode::kNotWriter:
    case storage::StoreErrorCode::kFull:
      return kNothingDone;
    default:
      return kNotKnown;
  }
}

replication::pb::ControlAnswer Refusal(ControlErrorCode code, const std::string& detail) {
  replication::pb::ControlAnswer answer;
  answer.mutable_error()->set_code(code);
  answer.mutable_error()->set_detail(detail);
  return answer;
}

}  // namespace

// One client's request.
struct Simulation::ForwardedWrite {
  PoolModel& pool;
  SimRegion& from;
  Bytes id;
  replication::ForwardRoute route;
  nanoseconds until;
};

void Simulation::ForwardWrite(PoolModel& pool, SimRegion& region) {
  if (!region.up()) return;
  const auto role = RoleAt(region, pool.id);
  if (!role || role->deleted()) return;
  if (replication::RoleOf(*role, region.name()).kind != replication::Role::Kind::kSecondary) return;
  const Region leader = replication::LeaderOf(*role);
  if (leader.empty() || leader == region.name()) return;
  const Bytes id = fmt::format("w{}", ++serial_);
  pool.ExpectOnce(storage::keys::TypeAndId(kRecordType, id));
  PassOn(std::make_shared<ForwardedWrite>(pool, region, id, replication::ForwardRoute(region.name(), leader),
                                          scheduler_.now() + kTimeout));
}

void Simulation::PassOn(const std::shared_ptr<ForwardedWrite>& write) {
  SimRegion& from = write->from;
  from.Post(nanoseconds(0), [this, write, &from] {
    const Region& target = write->route.target();
    const auto peers = from.machine().Peers();
    const auto peer = std::ranges::find(peers, target, &replication::PeerStatus::region);
    if (peer == peers.end() || !peer->dialled || scheduler_.now() >= write->until) {
      return OnForwardReply(write, {.sent = false, .answer = std::nullopt});
    }
    const auto answered = std::make_shared<bool>(false);
    auto told = [this, write, answered, life = from.life()](std::optional<replication::pb::ControlAnswer> answer) {
      // Of a process that is gone nobody hears.
      if (std::exchange(*answered, true) || !write->from.up() || write->from.life() != life) return;
      OnForwardReply(write, {.sent = true, .answer = std::move(answer)});
    };
    scheduler_.After(write->until - scheduler_.now(), [told] { told(std::nullopt); });
    SimRegion& there = RegionOf(target);
    network_.Carry(from.name(), target, [this, write, &there, told] {
      ServeForwarded(write, there, {}, [this, write, &there, told](replication::pb::ControlAnswer answer) {
        network_.Carry(there.name(), write->from.name(), [told, answer = std::move(answer)] { told(answer); });
      });
    });
  });
}

void Simulation::ServeForwarded(const std::shared_ptr<ForwardedWrite>& write, SimRegion& region, ForwardLooks looks,
                                const std::function<void(replication::pb::ControlAnswer)>& reply) {
  if (!region.up()) return;
  region.Post(nanoseconds(0), [this, write, &region, looks, reply]() mutable {
    PoolModel& pool = write->pool;
    const auto again = [this, write, &region, reply](ForwardLooks next) { ServeForwarded(write, region, next, reply); };
    const auto role = RoleAt(region, pool.id);
    if (!role || role->deleted()) return reply(Refusal(replication::pb::CONTROL_NOT_MEMBER, "no such pool"));
    if (replication::RoleOf(*role, write->from.name()).kind == replication::Role::Kind::kNone) {
      return reply(Refusal(replication::pb::CONTROL_REFUSED, "no member of it"));
    }
    const Region leader = replication::LeaderOf(*role);
    const bool open = region.machine().write_gate().IsOpen(pool.id);
    if (role->primary() == region.name().value() && open) return CommitForwarded(write, region, *role, reply);
    if (leader == region.name()) {
      // It is about to begin its epoch, or has not heard its peers yet.
      if (std::exchange(looks.waited_for_gate, true)) {
        replication::pb::ControlAnswer changing;
        changing.set_payload(std::string(kNothingDone));
        return reply(std::move(changing));
      }
      return region.machine().write_gate().Await(pool.id, [again, looks] { again(looks); });
    }
    const auto head = HeadOf(region.store(), pool.id);
    if (leader == write->from.name() && head && !std::exchange(looks.waited_for_entry, true)) {
      // The sender has handed over to this Region, and the entry is about to come.
      replication::PoolPosition next{.pool = pool.id, .position = {}};
      *next.position.mutable_epoch() = head->epoch();
      next.position.set_sequence(head->sequence() + 1);
      return region.machine().position_gate().Await(next, region.Now().since_boot + kNextEntryWait,
                                                    [again, looks](replication::Passage) { again(looks); });
    }
    reply(Refusal(replication::pb::CONTROL_NOT_PRIMARY, leader.value()));
  });
}

void Simulation::CommitForwarded(const std::shared_ptr<ForwardedWrite>& write, SimRegion& region,
                                 const RoleRecord& role,
                                 const std::function<void(replication::pb::ControlAnswer)>& reply) {
  PoolModel& pool = write->pool;
  if (!region.Opens(pool.id)) {
    replication::pb::ControlAnswer locked;
    locked.set_payload(std::string(kNothingDone));
    return reply(std::move(locked));
  }
  storage::Commit commit = CommitOn(region.store(), pool.id);
  commit.directory.push_back(
      {{storage::Space::kDirectory, pool.id, kRecordType, write->id}, dice_.random().Octets(dice_.Between(0, 60))});
  region.CommitDurably(std::move(commit), role, [this, &pool, &region, reply, mode = role.durability()](auto result) {
    OnDurableAnswer(pool, region, mode, result);
    replication::pb::ControlAnswer answer;
    answer.set_payload(std::string(AnswerTo(result)));
    reply(std::move(answer));
  });
}

void Simulation::OnForwardReply(const std::shared_ptr<ForwardedWrite>& write, replication::ForwardReply reply) {
  const Region asked = write->route.target();
  const auto end = write->route.OnReply(std::move(reply));
  if (!end) {
    ++result_.forwards_redirected;
    return PassOn(write);
  }
  bool nothing_done = false;
  switch (end->outcome) {
    case ForwardOutcome::kAnswered:
      if (end->answer == kDone) ++result_.forwards_done;
      nothing_done = end->answer == kNothingDone;
      break;
    case ForwardOutcome::kNotReached:
    case ForwardOutcome::kBusy:
    case ForwardOutcome::kRefused:
    case ForwardOutcome::kChanging:
    case ForwardOutcome::kIsHere:
      nothing_done = true;
      break;
    case ForwardOutcome::kUnknown:
      ++result_.forwards_unknown;
      nothing_done = plant_ == Plant::kUnknownIsRefused;
      if (plant_ == Plant::kForwardAgain) {
        PassOn(std::make_shared<ForwardedWrite>(write->pool, write->from, write->id,
                                                replication::ForwardRoute(write->from.name(), asked),
                                                scheduler_.now() + kTimeout));
      }
      break;
  }
  trace_.Say("{} passed a write of {} on to {}: {}", write->from.name().value(), write->pool.id.value(),
             end->region.value(), replication::ForwardOutcomeName(end->outcome));
  if (!nothing_done) return;
  ++result_.forwards_refused;
  const std::string wrong = write->pool.ExpectNever(storage::keys::TypeAndId(kRecordType, write->id));
  if (!wrong.empty()) Fail("pool {}: {}", write->pool.id.value(), wrong);
}

}  // namespace symbolon::simulation
