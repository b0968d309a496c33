#include "cognito/replication_shapes.h"

namespace symbolon::cognito {
namespace {

using replication::Role;

double Seconds(std::chrono::microseconds time) { return std::chrono::duration<double>(time).count(); }

model::own::ReplicationMemberType DescribeMember(const replication::MemberStatus& member) {
  model::own::ReplicationMemberType shown;
  shown.Region = member.region.value();
  shown.Role = model::own::ReplicaRoleType::kSecondary;
  shown.Status = model::own::ParseReplicaStatusType(replication::MemberStateName(member.state))
                     .value_or(model::own::ReplicaStatusType::kCreating);
  if (member.acknowledged) shown.AppliedSequence = static_cast<std::int64_t>(member.acknowledged->sequence());
  shown.LagEntries = static_cast<std::int64_t>(member.lag_entries);
  if (member.lag_time) shown.LagSeconds = Seconds(*member.lag_time);
  shown.LastContact = member.last_contact;
  return shown;
}

// What a secondary knows of the primary and of itself.
void DescribeSecondary(const replication::ReplicationStatus& status, const Region& here,
                       std::vector<model::own::ReplicationMemberType>& members) {
  model::own::ReplicationMemberType primary;
  primary.Region = status.primary.value();
  primary.Role = model::own::ReplicaRoleType::kPrimary;
  primary.Status = model::own::ReplicaStatusType::kActive;
  if (status.primary_head) primary.AppliedSequence = static_cast<std::int64_t>(status.primary_head->sequence());
  primary.LastContact = status.primary_last_contact;
  members.push_back(std::move(primary));
  model::own::ReplicationMemberType own;
  own.Region = here.value();
  own.Role = model::own::ReplicaRoleType::kSecondary;
  own.Status = model::own::ParseReplicaStatusType(replication::MemberStateName(status.role.state))
                   .value_or(model::own::ReplicaStatusType::kCreating);
  if (status.head) own.AppliedSequence = static_cast<std::int64_t>(status.head->sequence());
  members.push_back(std::move(own));
}

}  // namespace

model::own::DescribeReplicationResponse DescribeReplicationOf(const replication::ReplicationStatus& status,
                                                              const Region& here) {
  model::own::DescribeReplicationResponse shown;
  shown.UserPoolId = status.pool.value();
  shown.Region = here.value();
  const bool is_primary = status.role.kind == Role::Kind::kPrimary;
  shown.Role = is_primary ? model::own::ReplicaRoleType::kPrimary : model::own::ReplicaRoleType::kSecondary;
  shown.Epoch = static_cast<std::int64_t>(status.epoch_counter);
  if (status.head) shown.Sequence = static_cast<std::int64_t>(status.head->sequence());
  if (!is_primary) DescribeSecondary(status, here, shown.Members);
  for (const replication::MemberStatus& member : status.members) shown.Members.push_back(DescribeMember(member));
  return shown;
}

}  // namespace symbolon::cognito
