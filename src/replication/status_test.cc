#include "replication/status.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

storage::pb::Epoch Epoch(std::uint64_t counter) {
  storage::pb::Epoch epoch;
  epoch.set_counter(counter);
  epoch.set_region("eu-central-1");
  epoch.set_incarnation("store");
  return epoch;
}

MemberStatus Member(const char* region, std::uint64_t counter, std::uint64_t sequence) {
  MemberStatus member;
  member.region = Region(region);
  member.acknowledged.emplace();
  *member.acknowledged->mutable_epoch() = Epoch(counter);
  member.acknowledged->set_sequence(sequence);
  return member;
}

TEST(HeldByAllTest, TheMemberThatIsFarthestBehindCounts) {
  ReplicationStatus status;
  status.role.kind = Role::Kind::kPrimary;
  EXPECT_EQ(HeldByAll(status, Epoch(2)), UINT64_MAX) << "there is no other Region";
  status.members = {Member("us-east-1", 2, 12), Member("ap-south-1", 2, 9)};
  EXPECT_EQ(HeldByAll(status, Epoch(2)), 9u);
}

TEST(HeldByAllTest, AMemberThatIsNotKnownToHaveAnythingOfTheEpoch_NothingIsHeldByAll) {
  ReplicationStatus status;
  status.role.kind = Role::Kind::kPrimary;
  status.members = {Member("us-east-1", 2, 12), Member("ap-south-1", 1, 90)};
  EXPECT_EQ(HeldByAll(status, Epoch(2)), std::nullopt);
  status.members[1].acknowledged.reset();
  EXPECT_EQ(HeldByAll(status, Epoch(2)), std::nullopt);
}

TEST(HeldByAllTest, ASecondaryDoesNotKnowTheMembers) {
  ReplicationStatus status;
  status.role.kind = Role::Kind::kSecondary;
  EXPECT_EQ(HeldByAll(status, Epoch(2)), std::nullopt);
}

}  // namespace
}  // namespace symbolon::replication
