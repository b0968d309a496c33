#include "cognito/replication_shapes.h"

#include "replication/position.h"

namespace symbolon::cognito {
namespace {

using replication::Role;
namespace own = model::own;

double Seconds(std::chrono::microseconds time) { return std::chrono::duration<double>(time).count(); }

own::ReplicaStatusType StatusOf(replication::pb::MemberState state) {
  return own::ParseReplicaStatusType(replication::MemberStateName(state)).value_or(own::ReplicaStatusType::kCreating);
}

own::VerificationSummaryType DescribeSummary(const PoolId& pool, const replication::VerificationSummary& verification) {
  own::VerificationSummaryType shown;
  shown.Outcome = DescribeOutcome(verification.outcome);
  shown.EndedAt = verification.ended;
  if (verification.position) shown.Position = replication::FormatPosition(pool, *verification.position);
  shown.DifferenceCount = static_cast<std::int64_t>(verification.difference_count);
  return shown;
}

std::string PositionOf(const PoolId& pool, const storage::pb::Head& head) {
  storage::pb::Position position;
  *position.mutable_epoch() = head.epoch();
  position.set_sequence(head.sequence());
  return replication::FormatPosition(pool, position);
}

own::CopyProgressType DescribeCopy(const replication::CopyProgress& copy) {
  own::CopyProgressType shown;
  shown.Records = static_cast<std::int64_t>(copy.records);
  shown.RecordCount = static_cast<std::int64_t>(copy.record_count);
  shown.Bytes = static_cast<std::int64_t>(copy.bytes);
  shown.ByteCount = static_cast<std::int64_t>(copy.byte_count);
  shown.BytesPerSecond = copy.bytes_per_second;
  if (copy.remaining) shown.RemainingSeconds = Seconds(*copy.remaining);
  return shown;
}

own::ReplicationMemberType DescribeMember(const PoolId& pool, const replication::MemberStatus& member) {
  own::ReplicationMemberType shown;
  shown.Region = member.region.value();
  shown.Role = own::ReplicaRoleType::kSecondary;
  shown.Status = StatusOf(member.state);
  shown.Connected = member.connected;
  if (member.acknowledged) {
    shown.AppliedSequence = static_cast<std::int64_t>(member.acknowledged->sequence());
    shown.AppliedPosition = PositionOf(pool, *member.acknowledged);
  }
  shown.LagEntries = static_cast<std::int64_t>(member.lag_entries);
  if (member.lag_time) shown.LagSeconds = Seconds(*member.lag_time);
  shown.LastContact = member.last_contact;
  if (member.clock_difference) shown.ClockDifferenceSeconds = Seconds(*member.clock_difference);
  if (member.copy) shown.Copy = DescribeCopy(*member.copy);
  return shown;
}

// What a secondary knows of the primary and of itself.
void DescribeSecondary(const replication::ReplicationStatus& status, const Region& here,
                       std::vector<own::ReplicationMemberType>& members) {
  own::ReplicationMemberType primary;
  primary.Region = status.primary.value();
  primary.Role = own::ReplicaRoleType::kPrimary;
  primary.Status = own::ReplicaStatusType::kActive;
  primary.Connected = status.primary_connected;
  if (status.primary_head) {
    primary.AppliedSequence = static_cast<std::int64_t>(status.primary_head->sequence());
    primary.AppliedPosition = PositionOf(status.pool, *status.primary_head);
  }
  primary.LastContact = status.primary_last_contact;
  if (status.primary_clock_difference) primary.ClockDifferenceSeconds = Seconds(*status.primary_clock_difference);
  // Empty: nobody is known to lead the pool.
  if (!status.primary.empty()) members.push_back(std::move(primary));

  own::ReplicationMemberType self;
  self.Region = here.value();
  self.Role = own::ReplicaRoleType::kSecondary;
  self.Status = StatusOf(status.role.state);
  const std::uint64_t applied = status.head ? status.head->sequence() : 0;
  if (status.head) {
    self.AppliedSequence = static_cast<std::int64_t>(applied);
    self.AppliedPosition = PositionOf(status.pool, *status.head);
  }
  if (status.primary_head) {
    const std::uint64_t heard = status.primary_head->sequence();
    self.LagEntries = static_cast<std::int64_t>(heard - std::min(heard, applied));
  }
  if (status.copy) self.Copy = DescribeCopy(*status.copy);
  members.push_back(std::move(self));
}

own::AuthorityType DescribeAuthority(const replication::ReplicationStatus& status) {
  own::AuthorityType shown;
  shown.Kind = status.authority ? own::AuthorityKindType::kEtcd : own::AuthorityKindType::kOperator;
  if (!status.authority) return shown;
  shown.LeaseRemainingSeconds =
      status.authority->live
          ? Seconds(std::chrono::duration_cast<std::chrono::microseconds>(status.authority->remaining))
          : 0;
  shown.AutomaticPromotion = status.authority->automatic_promotion;
  if (status.tenure) {
    shown.AutomaticPromotionWaitSeconds =
        Seconds(std::chrono::duration_cast<std::chrono::microseconds>(status.tenure->left));
    shown.LastAutomaticPromotionSecondsAgo =
        Seconds(std::chrono::duration_cast<std::chrono::microseconds>(status.tenure->since));
  }
  if (status.registered) {
    shown.RegisteredEpoch = static_cast<std::int64_t>(status.registered->counter());
    shown.RegisteredRegion = status.registered->region();
  }
  return shown;
}

}  // namespace

own::VerificationOutcomeType DescribeOutcome(replication::VerifyOutcome outcome) {
  switch (outcome) {
    case replication::VerifyOutcome::kEqual:
      return own::VerificationOutcomeType::kEqual;
    case replication::VerifyOutcome::kDiffering:
      return own::VerificationOutcomeType::kDiffering;
    case replication::VerifyOutcome::kIncomplete:
      return own::VerificationOutcomeType::kIncomplete;
  }
  return own::VerificationOutcomeType::kIncomplete;
}

own::DurabilityType DescribeDurability(const replication::DurabilitySetting& setting) {
  own::DurabilityType shown;
  shown.Mode = own::DurabilityModeType::kAsync;
  if (setting.mode == replication::pb::BOUNDED) {
    shown.Mode = own::DurabilityModeType::kBounded;
    shown.LagBoundSeconds = static_cast<int>(setting.lag_bound_seconds);
  }
  if (setting.mode == replication::pb::SYNC) {
    shown.Mode = own::DurabilityModeType::kSync;
    shown.Fallback = setting.falls_back ? own::DurabilityFallbackType::kFallBack : own::DurabilityFallbackType::kRefuse;
  }
  return shown;
}

own::DescribeReplicationResponse DescribeReplicationOf(const replication::ReplicationStatus& status,
                                                       const Region& here) {
  own::DescribeReplicationResponse shown;
  shown.UserPoolId = status.pool.value();
  shown.Region = here.value();
  const bool is_primary = status.role.kind == Role::Kind::kPrimary;
  shown.Role = is_primary ? own::ReplicaRoleType::kPrimary : own::ReplicaRoleType::kSecondary;
  if (!status.primary.empty()) shown.PrimaryRegion = status.primary.value();
  if (status.handed_over_to) shown.HandedOverTo = status.handed_over_to->value();
  shown.Epoch = static_cast<std::int64_t>(status.epoch_counter);
  if (status.head) {
    shown.Sequence = static_cast<std::int64_t>(status.head->sequence());
    shown.Position = PositionOf(status.pool, *status.head);
  }
  shown.Durability = DescribeDurability(status.durability);
  if (is_primary && status.durability.mode != replication::pb::ASYNC)
    shown.Durability->OutOfReach = status.out_of_reach;
  shown.ForwardsWrites = status.forwards_writes;
  shown.Authority = DescribeAuthority(status);
  if (!is_primary) DescribeSecondary(status, here, shown.Members);
  for (const replication::MemberStatus& member : status.members) {
    shown.Members.push_back(DescribeMember(status.pool, member));
  }
  shown.UnacknowledgedFacts.emplace();
  for (const replication::FactLag& lag : status.fact_lags) {
    own::UnacknowledgedFactsType& facts = shown.UnacknowledgedFacts->emplace_back();
    facts.Region = lag.region.value();
    facts.Entries = static_cast<std::int64_t>(lag.entries);
  }
  if (!status.problem.empty()) shown.Problem = status.problem;
  if (status.verification) shown.LastVerification = DescribeSummary(status.pool, *status.verification);
  return shown;
}

}  // namespace symbolon::cognito
