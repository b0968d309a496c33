#include "replication/open.h"

#include <gtest/gtest.h>

#include "storage/log.h"

namespace symbolon::replication {
namespace {

storage::pb::Epoch EpochOf(std::uint64_t counter, const std::string& region = "eu-central-1") {
  storage::pb::Epoch epoch;
  epoch.set_counter(counter);
  epoch.set_region(region);
  epoch.set_incarnation(std::string(16, 'i'));
  return epoch;
}

// A log as both sides see it: the digest of entry n is a name of the branch and n.
Bytes DigestOf(const std::string& branch, std::uint64_t sequence) { return branch + std::to_string(sequence); }

struct Begin {
  std::uint64_t counter;
  std::uint64_t first_sequence;
  std::string branch = "a";
};

storage::pb::History HistoryOf(const std::vector<Begin>& begins) {
  storage::pb::History history;
  for (const Begin& begin : begins) {
    storage::pb::EpochBegin& added = *history.add_epochs();
    *added.mutable_epoch() = EpochOf(begin.counter);
    added.set_first_sequence(begin.first_sequence);
    added.set_digest(DigestOf(begin.branch, begin.first_sequence));
  }
  return history;
}

storage::pb::Head HeadOf(std::uint64_t counter, std::uint64_t sequence, const std::string& branch = "a") {
  storage::pb::Head head;
  *head.mutable_epoch() = EpochOf(counter);
  head.set_sequence(sequence);
  head.set_digest(DigestOf(branch, sequence));
  return head;
}

class OpenTest : public testing::Test {
 protected:
  OpenTest() {
    member_.set_region("us-east-1");
    member_.set_state(pb::ACTIVE);
    supplier_.head = HeadOf(1, 100);
    supplier_.history = HistoryOf({{1, 1}});
    supplier_.member = &member_;
    supplier_.supplies = true;
    supplier_.digest_at = [this](std::uint64_t sequence) -> std::optional<Bytes> {
      if (sequence + 1 < first_kept_ || sequence > supplier_.head->sequence()) return std::nullopt;
      return DigestOf("a", sequence);
    };
  }

  static pb::Open OpenAt(const storage::pb::Head& head, const storage::pb::History& history) {
    pb::Open open;
    *open.mutable_head() = head;
    *open.mutable_history() = history;
    return open;
  }
  OpenDecision Decide(const pb::Open& open) const { return DecideOpen(open, supplier_); }

  pb::Member member_;
  SupplierView supplier_;
  std::uint64_t first_kept_ = 50;
};

TEST_F(OpenTest, PoolThatTheSupplierDoesNotHaveIsRefused) {
  supplier_.head.reset();
  EXPECT_EQ(std::get<Refused>(Decide({})).reason, pb::UNKNOWN_POOL);
}

TEST_F(OpenTest, StrangerIsRefusedWhateverItBrings) {
  supplier_.member = nullptr;
  supplier_.supplies = false;
  EXPECT_EQ(std::get<Refused>(Decide(OpenAt(HeadOf(9, 9), HistoryOf({{9, 1}})))).reason, pb::NOT_MEMBER);
}

TEST_F(OpenTest, SupplierThatDoesNotOwnTheEpochPointsElsewhere) {
  supplier_.supplies = false;
  supplier_.hint = Region("eu-west-1");
  EXPECT_EQ(std::get<NotPrimary>(Decide({})).hint, Region("eu-west-1"));
  // Also when the consumer knows more.
  EXPECT_TRUE(std::holds_alternative<NotPrimary>(Decide(OpenAt(HeadOf(2, 101), HistoryOf({{1, 1}, {2, 101}})))));
}

TEST_F(OpenTest, HigherEpochAtTheConsumerIsHeardOf) {
  const auto decision = Decide(OpenAt(HeadOf(2, 101, "b"), HistoryOf({{1, 1}, {2, 101, "b"}})));
  EXPECT_EQ(std::get<Behind>(decision).epoch.counter(), 2);
}

TEST_F(OpenTest, MemberThatHasToGoIsToldSoOnlyByTheOwnerOfTheEpoch) {
  member_.set_state(pb::DELETING);
  EXPECT_EQ(std::get<Refused>(Decide({})).reason, pb::BEING_DELETED);
  EXPECT_EQ(std::get<Refused>(Decide(OpenAt(HeadOf(1, 80), HistoryOf({{1, 1}})))).reason, pb::BEING_DELETED);
  supplier_.supplies = false;
  EXPECT_TRUE(std::holds_alternative<NotPrimary>(Decide({})));
}

TEST_F(OpenTest, HeadInTheLogIsFollowed) {
  EXPECT_EQ(std::get<Follow>(Decide(OpenAt(HeadOf(1, 80), HistoryOf({{1, 1}})))).from, 81);
  EXPECT_EQ(std::get<Follow>(Decide(OpenAt(HeadOf(1, 100), HistoryOf({{1, 1}})))).from, 101);
}

TEST_F(OpenTest, HeadJustBeforeTheFirstKeptEntryIsFollowed) {
  EXPECT_EQ(std::get<Follow>(Decide(OpenAt(HeadOf(1, 49), HistoryOf({{1, 1}})))).from, 50);
}

TEST_F(OpenTest, HeadBeforeThatNeedsACopy) {
  EXPECT_TRUE(std::holds_alternative<Copy>(Decide(OpenAt(HeadOf(1, 48), HistoryOf({{1, 1}})))));
}

TEST_F(OpenTest, HeadBeforeAnEntryThatHasLostABodyNeedsACopy) {
  supplier_.erased_through = 80;
  EXPECT_TRUE(std::holds_alternative<Copy>(Decide(OpenAt(HeadOf(1, 79), HistoryOf({{1, 1}})))));
  EXPECT_EQ(std::get<Follow>(Decide(OpenAt(HeadOf(1, 80), HistoryOf({{1, 1}})))).from, 81);
  // What it alone has is set aside all the same.
  EXPECT_TRUE(std::holds_alternative<Diverged>(Decide(OpenAt(HeadOf(1, 60, "b"), HistoryOf({{1, 1}})))));
}

TEST_F(OpenTest, NewConsumerNeedsACopy) { EXPECT_TRUE(std::holds_alternative<Copy>(Decide({}))); }

TEST_F(OpenTest, ConsumerThatIsAheadHasDiverged) {
  EXPECT_EQ(std::get<Diverged>(Decide(OpenAt(HeadOf(1, 120), HistoryOf({{1, 1}})))).fork, 100);
}

TEST_F(OpenTest, DifferentDigestHasDiverged) {
  EXPECT_EQ(std::get<Diverged>(Decide(OpenAt(HeadOf(1, 80, "b"), HistoryOf({{1, 1}})))).fork, 79);
}

TEST_F(OpenTest, SuffixOfADeadEpochForksWhereTheNewOneBegan) {
  supplier_.head = HeadOf(3, 100);
  supplier_.history = HistoryOf({{1, 1}, {3, 71}});
  // It went on to 80 in epoch 1, which ended at 70 here.
  EXPECT_EQ(std::get<Diverged>(Decide(OpenAt(HeadOf(1, 80, "b"), HistoryOf({{1, 1}})))).fork, 70);
  // It was promoted meanwhile itself and lost.
  EXPECT_EQ(std::get<Diverged>(Decide(OpenAt(HeadOf(2, 75, "b"), HistoryOf({{1, 1}, {2, 66, "b"}})))).fork, 65);
  // Its head is before the fork: it misses the new epoch, and nothing else.
  EXPECT_EQ(std::get<Follow>(Decide(OpenAt(HeadOf(1, 70), HistoryOf({{1, 1}})))).from, 71);
}

TEST_F(OpenTest, NothingInCommonHasDivergedAtTheBeginning) {
  EXPECT_EQ(std::get<Diverged>(Decide(OpenAt(HeadOf(1, 10, "b"), HistoryOf({{1, 1, "b"}})))).fork, 0);
}

}  // namespace
}  // namespace symbolon::replication
