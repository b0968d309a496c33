#include "directory/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const PoolId kPool("eu-central-1_Pool");
const Bytes kAlice(16, 'a');
const Bytes kBob(16, 'b');

class GroupsTest : public testing::Test {
 protected:
  GroupsTest() {
    store_.Change(kPool, [](Transaction& tx) { tx.PutClear(RecordType::kRole, "", "role"); });
  }

  void Put(const std::string& name, std::optional<std::uint32_t> precedence = std::nullopt) {
    store_.Change(kPool, [&](Transaction& tx) {
      pb::GroupRecord group;
      group.set_name(name);
      if (precedence) group.set_precedence(*precedence);
      PutGroup(tx, group);
    });
  }
  void Add(const Bytes& user, const std::string& group) {
    store_.Change(kPool, [&](Transaction& tx) { AddMember(tx, user, group); });
  }
  std::vector<std::string> Groups(const Bytes& user) {
    return store_.See(kPool, [&](Transaction& tx) {
      std::vector<std::string> names;
      for (const pb::GroupRecord& group : GroupsOf(tx, user)) names.push_back(group.name());
      return names;
    });
  }
  std::vector<Bytes> Members(const std::string& group) {
    return store_.See(kPool, [&](Transaction& tx) {
      std::vector<Bytes> keys;
      for (const auto& row : MembersOf(tx, group, std::nullopt, 100).rows) keys.push_back(row.record.user_key());
      return keys;
    });
  }
  std::size_t RecordCount() { return store_.Contents(kPool).size(); }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
};

TEST_F(GroupsTest, GroupsComeByPrecedenceThenByName) {
  Put("none-b");
  Put("ten", 10);
  Put("none-a");
  Put("zero", 0);
  Put("also-ten", 10);
  Put("not-mine", 1);
  for (const char* name : {"none-b", "ten", "none-a", "zero", "also-ten"}) Add(kAlice, name);
  EXPECT_THAT(Groups(kAlice), ElementsAre("zero", "also-ten", "ten", "none-a", "none-b"));
  EXPECT_THAT(Groups(kBob), IsEmpty());
}

TEST_F(GroupsTest, MembershipIsSeenFromBothSides) {
  Put("readers");
  Put("writers");
  Add(kAlice, "readers");
  Add(kBob, "readers");
  Add(kBob, "writers");
  Add(kBob, "writers");  // once more
  EXPECT_THAT(Members("readers"), UnorderedElementsAre(kAlice, kBob));
  EXPECT_THAT(Members("writers"), ElementsAre(kBob));
  EXPECT_THAT(Groups(kBob), ElementsAre("readers", "writers"));
  store_.See(kPool, [](Transaction& tx) {
    EXPECT_TRUE(IsMember(tx, kBob, "writers"));
    EXPECT_FALSE(IsMember(tx, kAlice, "writers"));
    EXPECT_FALSE(IsMember(tx, kBob, "Writers"));
    return true;
  });
}

TEST_F(GroupsTest, RemovedMemberLeavesNothingBehind) {
  Put("readers");
  const std::size_t before = RecordCount();
  Add(kAlice, "readers");
  EXPECT_EQ(RecordCount(), before + 2);
  store_.Change(kPool, [](Transaction& tx) { RemoveMember(tx, kAlice, "readers"); });
  EXPECT_EQ(RecordCount(), before);
  EXPECT_THAT(Members("readers"), IsEmpty());
  EXPECT_THAT(Groups(kAlice), IsEmpty());
}

TEST_F(GroupsTest, UserLeavesAllGroupsAndNobodyElseDoes) {
  for (const char* name : {"a", "b", "c"}) {
    Put(name);
    Add(kAlice, name);
    Add(kBob, name);
  }
  store_.Change(kPool, [](Transaction& tx) { RemoveFromAllGroups(tx, kAlice); });
  EXPECT_THAT(Groups(kAlice), IsEmpty());
  EXPECT_THAT(Groups(kBob), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Members("b"), ElementsAre(kBob));
}

TEST_F(GroupsTest, DeletedGroupIsNobodysGroup) {
  Put("a");
  Put("b");
  Add(kAlice, "a");
  Add(kAlice, "b");
  store_.Change(kPool, [](Transaction& tx) { DeleteGroup(tx, "a"); });
  EXPECT_THAT(Groups(kAlice), ElementsAre("b"));
  EXPECT_FALSE(store_.See(kPool, [](Transaction& tx) { return GetGroup(tx, "a"); }));
}

TEST_F(GroupsTest, MembersComePageByPage) {
  Put("readers");
  Put("other");
  for (char c = 'a'; c < 'f'; ++c) Add(Bytes(16, c), "readers");
  Add(kAlice, "other");
  std::vector<Bytes> members;
  std::optional<Bytes> after;
  do {
    store_.See(kPool, [&](Transaction& tx) {
      const auto page = MembersOf(tx, "readers", after, 2);
      for (const auto& row : page.rows) members.push_back(row.record.user_key());
      after = page.next;
      return true;
    });
  } while (after);
  EXPECT_THAT(members, ElementsAre(Bytes(16, 'a'), Bytes(16, 'b'), Bytes(16, 'c'), Bytes(16, 'd'), Bytes(16, 'e')));
}

TEST_F(GroupsTest, MemberAddedWhileTheGroupIsEmptiedIsAConflict) {
  Put("readers");
  const auto emptied = store_.Begin(kPool), joined = store_.Begin(kPool);
  EXPECT_THAT(MembersOf(*emptied, "readers", std::nullopt, 10).rows, IsEmpty());
  DeleteGroup(*emptied, "readers");
  EXPECT_TRUE(GetGroup(*joined, "readers"));
  AddMember(*joined, kAlice, "readers");
  EXPECT_TRUE(store_.Commit(*joined));
  EXPECT_EQ(store_.Commit(*emptied).error().code, storage::StoreErrorCode::kConflict);
}

}  // namespace
}  // namespace symbolon::directory
