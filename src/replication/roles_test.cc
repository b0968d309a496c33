#include "replication/roles.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const Region kThird("ap-south-1");
const Timestamp kNow = FromSeconds(1'700'000'000);

pb::RoleRecord WithMember(pb::MemberState state) {
  pb::RoleRecord record = *AddMember(NewRoleRecord(kHome), kAway, kNow);
  record.mutable_members(0)->set_state(state);
  return record;
}

pb::MemberState StateOf(const pb::RoleRecord& record) { return FindMember(record, kAway)->state(); }

TEST(RolesTest, NewPoolHasAPrimaryAndNobodyElse) {
  const pb::RoleRecord record = NewRoleRecord(kHome);
  EXPECT_EQ(RoleOf(record, kHome), (Role{Role::Kind::kPrimary}));
  EXPECT_EQ(RoleOf(record, kAway), Role{});
  EXPECT_EQ(record.epoch_counter(), 1);
}

TEST(RolesTest, MemberBeginsInCreatingAndGoesThroughItsLife) {
  pb::RoleRecord record = *AddMember(NewRoleRecord(kHome), kAway, kNow);
  EXPECT_EQ(RoleOf(record, kAway), (Role{Role::Kind::kSecondary, pb::CREATING}));
  record = *MarkCopied(record, kAway);
  EXPECT_EQ(StateOf(record), pb::INACTIVE);
  record = *SetMemberState(record, kAway, pb::ACTIVE);
  EXPECT_EQ(StateOf(record), pb::ACTIVE);
  EXPECT_EQ(StateOf(*MarkCopied(record, kAway)), pb::ACTIVE);
  record = *SetMemberState(record, kAway, pb::INACTIVE);
  record = *BeginRemoval(record, kAway);
  EXPECT_EQ(StateOf(record), pb::DELETING);
  record = *RemoveMember(record, kAway);
  EXPECT_EQ(RoleOf(record, kAway), Role{});
}

TEST(RolesTest, StatesThatForbidAChangeAreNamed) {
  for (pb::MemberState state : {pb::CREATING, pb::DELETING}) {
    const auto refused = SetMemberState(WithMember(state), kAway, pb::ACTIVE);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, RoleErrorCode::kWrongState);
    EXPECT_EQ(refused.error().state, state);
  }
  for (pb::MemberState state : {pb::ACTIVE, pb::DELETING}) EXPECT_FALSE(BeginRemoval(WithMember(state), kAway));
  for (pb::MemberState state : {pb::CREATING, pb::INACTIVE, pb::ACTIVE})
    EXPECT_FALSE(RemoveMember(WithMember(state), kAway));
  EXPECT_FALSE(SetMemberState(WithMember(pb::INACTIVE), kAway, pb::DELETING));
  EXPECT_TRUE(SetMemberState(WithMember(pb::INACTIVE), kAway, pb::INACTIVE));
}

TEST(RolesTest, StrangersAndDoublesAreRefused) {
  const pb::RoleRecord record = WithMember(pb::INACTIVE);
  EXPECT_EQ(AddMember(record, kAway, kNow).error().code, RoleErrorCode::kAlreadyMember);
  EXPECT_EQ(AddMember(record, kHome, kNow).error().code, RoleErrorCode::kAlreadyMember);
  EXPECT_EQ(SetMemberState(record, kThird, pb::ACTIVE).error().code, RoleErrorCode::kNotMember);
  EXPECT_EQ(SetMemberState(record, kHome, pb::INACTIVE).error().code, RoleErrorCode::kNotMember);
  EXPECT_EQ(BeginRemoval(record, kThird).error().code, RoleErrorCode::kNotMember);
}

TEST(RolesTest, RegionThatComesAgainIsAnotherMember) {
  pb::RoleRecord record = WithMember(pb::DELETING);
  EXPECT_EQ(FindMember(record, kAway)->number(), 1);
  record = *AddMember(*RemoveMember(record, kAway), kAway, kNow);
  EXPECT_EQ(FindMember(record, kAway)->number(), 2);
}

TEST(RolesTest, DeletedPoolMovesEveryMemberToDeletingAndTakesNoChangeButRemoval) {
  const pb::RoleRecord record = MarkDeleted(*AddMember(WithMember(pb::ACTIVE), kThird, kNow));
  for (const pb::Member& member : record.members()) EXPECT_EQ(member.state(), pb::DELETING);
  EXPECT_EQ(AddMember(record, Region("eu-west-1"), kNow).error().code, RoleErrorCode::kPoolDeleted);
  EXPECT_EQ(SetMemberState(record, kAway, pb::ACTIVE).error().code, RoleErrorCode::kPoolDeleted);
  EXPECT_TRUE(RemoveMember(record, kAway));
}

TEST(RolesTest, MembersAreBounded) {
  pb::RoleRecord record = NewRoleRecord(kHome);
  for (int i = 0; i < kMembersMax; ++i) record = *AddMember(record, Region("region-" + std::to_string(i)), kNow);
  EXPECT_EQ(AddMember(record, kAway, kNow).error().code, RoleErrorCode::kTooManyMembers);
}

TEST(RolesTest, StoredFormKeepsFieldsOfNewerVersions) {
  pb::RoleRecord record = WithMember(pb::ACTIVE);
  record.GetReflection()->MutableUnknownFields(&record)->AddVarint(99, 7);
  const auto parsed = ParseRole(SerializeRole(record));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(SerializeRole(*SetMemberState(*parsed, kAway, pb::ACTIVE)), SerializeRole(record));
  EXPECT_FALSE(ParseRole("\xff"));
  EXPECT_FALSE(ParseRole(""));
}

TEST(RolesTest, ALogKeyIsPinnedOnceAndReplacedOnlyByAnotherStores) {
  const Bytes key(32, 'k');
  const Bytes other(32, 'o');
  storage::pb::FactVector facts;
  storage::pb::FactProgress& said = *facts.add_progress();
  said.set_region(kAway.value());
  said.set_incarnation("store");
  said.set_number(7);
  storage::pb::FactEntry fact;
  fact.set_region(kAway.value());
  fact.set_incarnation("store");
  fact.set_number(8);
  pb::RoleRecord record = WithMember(pb::ACTIVE);
  EXPECT_FALSE(NeedsProof(record, fact));
  EXPECT_EQ(StandingOfKey(record, kAway, "store", ""), KeyStanding::kKnown) << "it signs nothing, and need not";
  EXPECT_EQ(StandingOfKey(record, kAway, "store", key), KeyStanding::kNew);
  record = PinLogKey(record, kAway, "store", key, facts, FromSeconds(5));
  EXPECT_EQ(LogKeyOf(record, kAway)->public_key(), key);
  EXPECT_TRUE(NeedsProof(record, fact));
  fact.set_number(7);
  EXPECT_FALSE(NeedsProof(record, fact)) << "it was said before";
  EXPECT_EQ(LogKeyOf(record, kHome), nullptr);
  EXPECT_EQ(StandingOfKey(record, kAway, "store", key), KeyStanding::kKnown);
  EXPECT_EQ(StandingOfKey(record, kAway, "restored", key), KeyStanding::kKnown);
  EXPECT_EQ(StandingOfKey(record, kAway, "store", ""), KeyStanding::kRefused) << "there is no way back to unsigned";
  EXPECT_EQ(StandingOfKey(record, kAway, "store", other), KeyStanding::kRefused);
  EXPECT_EQ(SerializeRole(PinLogKey(record, kAway, "store", other, facts, FromSeconds(6))), SerializeRole(record));
  EXPECT_EQ(StandingOfKey(record, kAway, "another", other), KeyStanding::kNew) << "it lost its disk";
  record = PinLogKey(record, kAway, "another", other, facts, FromSeconds(6));
  EXPECT_EQ(LogKeyOf(record, kAway)->public_key(), other);
  EXPECT_EQ(record.log_keys_size(), 2) << "what it signed before can still be checked";

  for (int i = 0; i < 2 * kLogKeysMax; ++i) {
    record =
        PinLogKey(record, kAway, "store " + std::to_string(i), Bytes(32, static_cast<char>(i)), facts, FromSeconds(7));
  }
  EXPECT_EQ(record.log_keys_size(), kLogKeysMax);
  EXPECT_EQ(LogKeyOf(record, kAway)->incarnation(), "store " + std::to_string(2 * kLogKeysMax - 1));
  EXPECT_TRUE(ParseRole(SerializeRole(record)));
}

TEST(RolesTest, DurabilityNeedsSomebodyWhoCanAcknowledge) {
  const DurabilitySetting sync{.mode = pb::SYNC, .falls_back = true};
  const DurabilitySetting bounded{.mode = pb::BOUNDED, .lag_bound_seconds = 5};
  EXPECT_EQ(SetDurability(NewRoleRecord(kHome), sync).error().code, RoleErrorCode::kNotMember);
  EXPECT_FALSE(SetDurability(WithMember(pb::CREATING), sync));
  EXPECT_FALSE(SetDurability(WithMember(pb::DELETING), sync));
  EXPECT_FALSE(SetDurability(WithMember(pb::INACTIVE), bounded));

  EXPECT_EQ(DurabilityOf(*SetDurability(WithMember(pb::INACTIVE), sync)), sync);
  const pb::RoleRecord held = *SetDurability(WithMember(pb::ACTIVE), bounded);
  EXPECT_EQ(DurabilityOf(held), bounded);
  EXPECT_EQ(DurabilityOf(*SetDurability(held, {})), DurabilitySetting{});
  EXPECT_EQ(SetDurability(MarkDeleted(held), {}).error().code, RoleErrorCode::kPoolDeleted);
}

TEST(RolesTest, TheLastWhoCanAcknowledgeStays) {
  const DurabilitySetting bounded{.mode = pb::BOUNDED, .lag_bound_seconds = 5};
  const pb::RoleRecord one = *SetDurability(WithMember(pb::ACTIVE), bounded);
  EXPECT_EQ(SetMemberState(one, kAway, pb::INACTIVE).error().code, RoleErrorCode::kNeeded);
  EXPECT_TRUE(SetMemberState(one, kAway, pb::ACTIVE));

  const pb::RoleRecord sync = *SetDurability(WithMember(pb::INACTIVE), {.mode = pb::SYNC});
  EXPECT_TRUE(SetMemberState(*SetDurability(one, {.mode = pb::SYNC}), kAway, pb::INACTIVE));
  EXPECT_EQ(BeginRemoval(sync, kAway).error().code, RoleErrorCode::kNeeded);
  EXPECT_TRUE(BeginRemoval(*SetDurability(sync, {}), kAway)) << "the way out";

  const Region further("ap-south-1");
  const pb::RoleRecord copying = *AddMember(sync, further, FromSeconds(3));
  EXPECT_EQ(BeginRemoval(copying, kAway).error().code, RoleErrorCode::kNeeded);
  EXPECT_TRUE(BeginRemoval(copying, further)) << "it could not acknowledge";
  EXPECT_TRUE(BeginRemoval(*MarkCopied(copying, further), kAway));
}

TEST(RolesTest, AHandOverLeavesNobodyPrimaryUntilTheNamedSecondaryTakesOver) {
  pb::RoleRecord record = *AddMember(NewRoleRecord(Region("eu-central-1")), Region("us-east-1"), FromSeconds(1));
  EXPECT_EQ(HandOver(record, Region("us-east-1"), FromSeconds(2)).error().code, RoleErrorCode::kWrongState);
  record = *MarkCopied(record, Region("us-east-1"));
  record = *SetMemberState(record, Region("us-east-1"), pb::ACTIVE);
  EXPECT_EQ(HandOver(record, Region("ap-south-1"), FromSeconds(2)).error().code, RoleErrorCode::kNotMember);

  record = *HandOver(record, Region("us-east-1"), FromSeconds(2));
  EXPECT_EQ(record.primary(), "");
  EXPECT_EQ(record.next().counter(), 2u);
  EXPECT_EQ(record.next().region(), "us-east-1");
  EXPECT_EQ(RoleOf(record, Region("eu-central-1")), (Role{Role::Kind::kSecondary, pb::ACTIVE}));
  EXPECT_EQ(RoleOf(record, Region("us-east-1")), (Role{Role::Kind::kSecondary, pb::ACTIVE}));
  EXPECT_TRUE(ParseRole(SerializeRole(record)));

  record = *TakeOver(record, Region("us-east-1"), 2, FromSeconds(3));
  EXPECT_EQ(RoleOf(record, Region("us-east-1")).kind, Role::Kind::kPrimary);
  EXPECT_EQ(RoleOf(record, Region("eu-central-1")), (Role{Role::Kind::kSecondary, pb::ACTIVE}));
  EXPECT_EQ(record.members_size(), 1);
  EXPECT_FALSE(record.has_next());
}

TEST(RolesTest, ATakeOverWithoutHandOverKeepsTheFormerPrimaryAsSecondary) {
  pb::RoleRecord record = *AddMember(NewRoleRecord(Region("eu-central-1")), Region("us-east-1"), FromSeconds(1));
  EXPECT_EQ(TakeOver(record, Region("us-east-1"), 7, FromSeconds(3)).error().code, RoleErrorCode::kWrongState);
  record = *TakeOver(*MarkCopied(record, Region("us-east-1")), Region("us-east-1"), 7, FromSeconds(3));
  EXPECT_EQ(record.epoch_counter(), 7u);
  EXPECT_EQ(FindMember(record, Region("eu-central-1"))->number(), 2u);
  // The primary itself opens a new epoch.
  record = *TakeOver(record, Region("us-east-1"), 9, FromSeconds(3));
  EXPECT_EQ(record.members_size(), 1);
}

}  // namespace
}  // namespace symbolon::replication
