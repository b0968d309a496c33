// What the machine shows of itself.
#include <algorithm>

#include "replication/machine.h"

namespace symbolon::replication {
namespace {

std::string_view Describe(Consumer::Problem problem) {
  switch (problem) {
    case Consumer::Problem::kNone:
      return "";
    case Consumer::Problem::kUnknownPool:
      return "the primary does not know the pool";
    case Consumer::Problem::kNotMember:
      return "the primary does not list this Region";
    case Consumer::Problem::kVersion:
      return "no common protocol version";
    case Consumer::Problem::kBusy:
      return "the primary serves other copies";
    case Consumer::Problem::kNotPrimary:
      return "the Region asked is not the primary";
    case Consumer::Problem::kSupplierBehind:
      return "this Region knows a higher epoch than the primary";
    case Consumer::Problem::kSupplierFenced:
      return "this Region has promised a higher epoch than the primary's";
    case Consumer::Problem::kDiverged:
      return "this Region holds entries that the primary does not have";
    case Consumer::Problem::kGap:
      return "entries did not continue what is here";
    case Consumer::Problem::kTrimmed:
      return "the primary's log does not reach back to here";
    case Consumer::Problem::kStoreFails:
      return "this Region's store fails";
    case Consumer::Problem::kSupplierFails:
      return "the primary's store fails";
    case Consumer::Problem::kProtocol:
      return "the primary's answers are not understood";
    case Consumer::Problem::kUnproven:
      return "the primary does not sign with the log key that it is known by: nothing is taken from it";
    case Consumer::Problem::kNotSigned:
      return "the primary did not sign what it sent: nothing more is taken from it";
    case Consumer::Problem::kRolledBack:
      return "the primary lacks entries that it wrote and this Region has: its store was set back or altered; nothing "
             "is taken from it";
  }
  return "";
}

}  // namespace

MemberStatus Machine::StatusOf(const PoolId&, Pool& pool, const pb::Member& member, Instant now) {
  MemberStatus status;
  status.region = Region(member.region());
  status.state = member.state();
  if (const auto peer = peers_.find(status.region); peer != peers_.end()) {
    status.connected = peer->second.accepted && peer->second.accepted->greeted();
    status.last_contact = peer->second.last_contact;
    status.clock_difference = peer->second.clock.difference();
  }
  const std::uint64_t head = pool.head ? pool.head->sequence() : 0;
  status.lag_entries = head;
  // Nothing is known of it but that it has acknowledged nothing since then.
  if (member.state() != pb::CREATING) {
    status.lag_time = std::chrono::duration_cast<std::chrono::microseconds>(now.since_boot - started_at_);
  }
  const auto found = pool.suppliers.find(status.region);
  if (found == pool.suppliers.end()) return status;
  Supplier& supplier = *found->second;
  status.acknowledged = supplier.acknowledged();
  if (status.acknowledged) status.lag_entries = head - std::min(head, status.acknowledged->sequence());
  if (const auto known = pool.head ? supplier.LagTime(*pool.head, pool.head_times, now) : std::nullopt)
    status.lag_time = known;
  if (supplier.pinned()) status.copy = supplier.copy_progress(now);
  return status;
}

std::string Machine::OwnFactsProblem(const Pool& pool) {
  switch (pool.own_facts) {
    case FactConsumer::OwnFacts::kNone:
      return "";
    case FactConsumer::OwnFacts::kClaimed:
      return pool.own_facts_at.value() +
             " says that facts are forgotten which this store never accepted: it was put back from a backup without "
             "--restored, or that Region is not to be trusted. What is revoked here may not reach others until this "
             "store is marked with --restored";
    case FactConsumer::OwnFacts::kProved:
      return pool.own_facts_at.value() +
             " holds facts that this store signed and does not have: it was put back from a backup without --restored. "
             "What is revoked here may not reach others until it is marked so";
  }
  return "";
}

std::string Machine::StrangerProblem(const PoolId& id, const Pool& pool) const {
  if (!IsPrimary(pool)) return "";
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard == peer.heard.end() || Trusts(id, pool, region)) continue;
    if (heard->second.primary() != region.value() || !heard->second.has_head()) continue;
    return region.value() +
           ", which is no member, takes itself for the primary too: its store came out of a backup of when it was one, "
           "and it was promoted by force";
  }
  return "";
}

ReplicationStatus Machine::StatusOf(const PoolId& id, Pool& pool, Instant now) {
  ReplicationStatus status;
  status.pool = id;
  status.head = pool.head;
  if (pool.role) {
    status.role = RoleOf(*pool.role, own_);
    status.primary = LeaderOf(id, pool).value_or(Region());
    status.admits_writes = Admits(pool) && (!authority_ || authority_->Covers(now));
    status.epoch_counter = pool.role->epoch_counter();
    status.durability = DurabilityOf(*pool.role);
    status.out_of_reach = IsPrimary(pool) && durability_gate_.IsOutOfReach(id, status.durability);
    if (IsPrimary(pool)) {
      for (const pb::Member& member : pool.role->members()) status.members.push_back(StatusOf(id, pool, member, now));
    }
  }
  status.fact_lags = FactLagsOf(id, pool);
  status.authority = AuthorityStatusNow(now);
  if (authority_ && authority_->Find(id).revision != 0) {
    const Authority::Known& known = authority_->Find(id);
    status.registered = known.value.epoch();
    const auto tenure = Authority::TenureOf(known);
    if (authority_->options().automatic_promotion && tenure && now.since_boot < tenure->ends_at) {
      status.tenure = {now.since_boot - tenure->seen_at, tenure->ends_at - now.since_boot};
    }
  }
  if (pool.unread) {
    status.problem =
        "what this Region's store holds of the pool cannot be read: it changes and promises nothing before that is "
        "read";
  } else if (pool.rolled_back) {
    status.problem =
        "other Regions hold entries that this store signed and does not have: it was set back or altered, and writes "
        "nothing";
  } else if (pool.role && !IsKnownByKey(*pool.role, own_, store_.incarnation(), signer_.public_key())) {
    status.problem = "this store does not sign with the log key that the other Regions know it by";
  }
  if (status.problem.empty()) status.problem = OwnFactsProblem(pool);
  if (status.problem.empty()) status.problem = StrangerProblem(id, pool);
  if (status.problem.empty()) status.problem = AuthorityConflict();
  if (status.problem.empty() && status.authority && !status.authority->live) {
    status.problem = "no lease of the authority: " + status.authority->problem;
  }
  if (status.problem.empty() && authority_ && authority_->Find(id).unreadable) status.problem = kUnreadableRegister;
  if (status.problem.empty() && status.tenure && authority_->GoneSince(authority_->Find(id))) {
    status.problem = WhyNotAlone(authority_->Find(id), now);
  }
  if (IsHandedOver(pool)) {
    const pb::NextEpoch& next = pool.role->next();
    status.handed_over_to = Region(next.region());
    if (status.problem.empty()) {
      status.problem =
          "handed over to " + next.region() + ", which leads from epoch " + std::to_string(next.counter()) + " on: ";
      status.problem += next.region() == own_.value() ? "not begun, " + WhyNotBegunHere(id, pool, next)
                                                      : "that it has begun is not heard here yet";
    }
  }
  // A former secondary keeps its consumer when it leads.
  if (!pool.consumer || LeaderOf(id, pool) == own_) return status;
  if (status.primary.empty()) status.primary = pool.consumer_peer;
  status.signed_sequence = pool.consumer->signed_sequence();
  status.streaming = pool.consumer->state() == Consumer::State::kFollowing;
  status.primary_head = pool.consumer->primary_head();
  if (status.problem.empty()) status.problem = Describe(pool.consumer->problem());
  if (pool.consumer->state() == Consumer::State::kCopying) {
    status.copy = pool.consumer->copy_progress(now);
  }
  const auto peer = peers_.find(pool.consumer_peer);
  if (peer == peers_.end()) {
    status.problem = "the primary's Region is not in this Region's topology";
  } else {
    status.primary_connected = pool.consumer->connected();
    status.primary_last_contact = peer->second.last_contact;
    status.primary_clock_difference = peer->second.clock.difference();
    if (status.problem.empty() && !status.streaming && !pool.consumer->connected())
      status.problem = "no connection to the primary";
  }
  return status;
}

std::optional<ReplicationStatus> Machine::Status(const PoolId& id, Instant now) {
  Pool* pool = FindPool(id);
  if (pool == nullptr) return std::nullopt;
  return WithClocks(*pool, StatusOf(id, *pool, now));
}

ReplicationStatus Machine::WithClocks(const Pool& pool, ReplicationStatus status) const {
  for (const auto& [region, peer] : peers_) {
    if (!status.problem.empty()) break;
    if (!peer.clock.alarmed() || !pool.role || RoleOf(*pool.role, region).kind == Role::Kind::kNone) continue;
    status.problem = peer.clock.Describe(region);
  }
  return status;
}

std::vector<ReplicationStatus> Machine::Statuses(Instant now) {
  std::vector<ReplicationStatus> statuses;
  statuses.reserve(pools_.size());
  for (auto& [id, pool] : pools_) statuses.push_back(WithClocks(pool, StatusOf(id, pool, now)));
  return statuses;
}

std::optional<AuthorityStatus> Machine::AuthorityStatusNow(Instant now) const {
  if (!authority_) return std::nullopt;
  return AuthorityStatus{.live = authority_->Covers(now),
                         .remaining = std::max(authority_->deadline() - now.since_boot, std::chrono::nanoseconds(0)),
                         .automatic_promotion = authority_->options().automatic_promotion,
                         .problem = authority_->problem(),
                         .renewals = authority_->counters.renewals,
                         .renewals_failed = authority_->counters.renewals_failed,
                         .leases_lost = authority_->counters.leases_lost,
                         .automatic_promotions = authority_->counters.automatic_promotions};
}

std::vector<PeerStatus> Machine::Peers() const {
  std::vector<PeerStatus> statuses;
  for (const auto& [region, peer] : peers_) {
    PeerStatus& status = statuses.emplace_back();
    status.region = region;
    status.dialled = peer.dialled && peer.dialled->greeted();
    status.accepted = peer.accepted && peer.accepted->greeted();
    status.last_contact = peer.last_contact;
    status.clock_difference = peer.clock.difference();
    status.connections_lost = peer.connections_lost;
  }
  return statuses;
}

}  // namespace symbolon::replication
