#include "replication/position.h"

#include <gtest/gtest.h>

#include "storage/log.h"

namespace symbolon::replication {
namespace {

storage::pb::Position At(std::uint64_t counter, const char* region, std::uint64_t sequence) {
  storage::pb::Position position;
  position.mutable_epoch()->set_counter(counter);
  position.mutable_epoch()->set_region(region);
  position.mutable_epoch()->set_incarnation("0123456789abcdef");
  position.set_sequence(sequence);
  return position;
}

constexpr const char* kText = "42@3.eu-central-1.30313233343536373839616263646566/us-east-1_AbC123xyz";

TEST(PositionTest, TextComesBackAsThePosition) {
  EXPECT_EQ(FormatPosition(PoolId("us-east-1_AbC123xyz"), At(3, "eu-central-1", 42)), kText);
  const auto parsed = ParsePosition(kText);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->pool, PoolId("us-east-1_AbC123xyz"));
  EXPECT_EQ(storage::ComparePositions(parsed->position, At(3, "eu-central-1", 42)), 0);
}

TEST(PositionTest, OtherTextsAreNone) {
  const std::string text = kText;
  for (std::size_t length = 0; length < text.find('_'); ++length) {
    if (length <= text.find('/')) EXPECT_FALSE(ParsePosition(text.substr(0, length))) << text.substr(0, length);
  }
  for (const char* wrong :
       {"0@3.eu-central-1.30/p_1", "-1@3.eu-central-1.30/p_1", "42@0.eu-central-1.30/p_1", "42@3..30/p_1",
        "42@3.eu-central-1./p_1", "42@3.eu-central-1.3/p_1", "42@3.eu central.30/p_1", "42@3.eu-central-1.zz/p_1",
        "42@3.eu-central-1.30/p/1", "42@3.eu-central-1.30/p_1 ", "99999999999999999999@3.eu-central-1.30/p_1",
        "42 @3.eu-central-1.30/p_1"}) {
    EXPECT_FALSE(ParsePosition(wrong)) << wrong;
  }
  EXPECT_FALSE(ParsePosition("42@3.eu-central-1.30/" + std::string(1000, 'p')));
}

// Epoch 1 of A: entries 1 to 10. Epoch 2 of B: 11 to 20. Epoch 4 of A: from 21.
class PassageTest : public testing::Test {
 protected:
  PassageTest() {
    Begin(At(1, "a", 1));
    Begin(At(2, "b", 11));
    Begin(At(4, "a", 21));
    *head_.mutable_epoch() = At(4, "a", 21).epoch();
    head_.set_sequence(25);
  }
  void Begin(const storage::pb::Position& first) {
    storage::pb::EpochBegin* begin = history_.add_epochs();
    *begin->mutable_epoch() = first.epoch();
    begin->set_first_sequence(first.sequence());
  }
  Passage Of(std::uint64_t counter, const char* region, std::uint64_t sequence) {
    return PassageOf(At(counter, region, sequence), history_, head_);
  }

  storage::pb::History history_;
  storage::pb::Head head_;
};

TEST_F(PassageTest, WhatTheLogHasIsPassed) {
  EXPECT_EQ(Of(1, "a", 1), Passage::kPassed);
  EXPECT_EQ(Of(1, "a", 10), Passage::kPassed);
  EXPECT_EQ(Of(2, "b", 20), Passage::kPassed);
  EXPECT_EQ(Of(4, "a", 25), Passage::kPassed);
}

TEST_F(PassageTest, WhatMayStillComeIsAhead) {
  EXPECT_EQ(Of(4, "a", 26), Passage::kAhead);
  EXPECT_EQ(Of(4, "b", 22), Passage::kAhead);
  EXPECT_EQ(Of(5, "a", 3), Passage::kAhead);
  EXPECT_EQ(PassageOf(At(1, "a", 1), {}, std::nullopt), Passage::kAhead);
}

TEST_F(PassageTest, WhatCameAfterItsEpochsEndWasSetAside) {
  EXPECT_EQ(Of(1, "a", 11), Passage::kSetAside);
  EXPECT_EQ(Of(2, "b", 21), Passage::kSetAside);
  EXPECT_EQ(Of(1, "b", 3), Passage::kSetAside);
  EXPECT_EQ(Of(3, "c", 21), Passage::kSetAside);
  storage::pb::Position restored = At(1, "a", 5);
  restored.mutable_epoch()->set_incarnation("another incarnat");
  EXPECT_EQ(PassageOf(restored, history_, head_), Passage::kSetAside);
}

}  // namespace
}  // namespace symbolon::replication
