#include "replication/durability_gate.h"

#include <gtest/gtest.h>

#include <memory>

namespace symbolon::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Admission = DurabilityGate::Admission;
using Confirmation = DurabilityGate::Confirmation;

const PoolId kPool("eu-central-1_Pool00001");
constexpr DurabilitySetting kRefusing{.mode = pb::SYNC};
constexpr DurabilitySetting kFallingBack{.mode = pb::SYNC, .falls_back = true};
constexpr DurabilitySetting kBounded{.mode = pb::BOUNDED, .lag_bound_seconds = 5};

class DurabilityGateTest : public testing::Test {
 protected:
  // What was answered; nullopt: still waits.
  template <class T>
  using Told = std::shared_ptr<std::optional<T>>;

  Told<Admission> Admit(const DurabilitySetting& setting) {
    auto told = std::make_shared<std::optional<Admission>>();
    gate_->Admit(kPool, setting, [told](DurabilityGate::Admitted admitted) { *told = admitted.admission; });
    return told;
  }
  Told<Confirmation> Confirm(const DurabilitySetting& setting, std::uint64_t sequence, std::uint64_t epoch = 1) {
    storage::pb::Position position;
    position.mutable_epoch()->set_counter(epoch);
    position.set_sequence(sequence);
    auto told = std::make_shared<std::optional<Confirmation>>();
    gate_->Confirm(kPool, setting, position, [told](Confirmation confirmation) { *told = confirmation; });
    return told;
  }
  void Acknowledged(std::uint64_t sequence, bool in_reach = true, std::uint64_t epoch = 1) {
    gate_->Update(kPool, {.epoch_counter = epoch, .acknowledged = sequence, .in_reach = in_reach});
  }
  void Lags(std::optional<std::chrono::microseconds> lag) {
    gate_->Update(kPool, {.epoch_counter = 1, .in_reach = true, .lag = lag});
  }
  void Pass(milliseconds time) {
    gate_->OnTick({.wall = {}, .since_boot = now_});
    now_ += time;
    gate_->OnTick({.wall = {}, .since_boot = now_});
  }

  std::chrono::nanoseconds now_ = seconds(100);
  std::unique_ptr<DurabilityGate> gate_ = std::make_unique<DurabilityGate>(seconds(2));
};

TEST_F(DurabilityGateTest, AsyncPool_NobodyWaits) { EXPECT_EQ(*Admit({}), Admission::kAdmitted); }

TEST_F(DurabilityGateTest, Sync_AnswerComesWithTheAcknowledgement) {
  Acknowledged(9);
  EXPECT_EQ(*Admit(kRefusing), Admission::kAdmitted);
  const auto tenth = Confirm(kRefusing, 10);
  const auto eleventh = Confirm(kRefusing, 11);
  EXPECT_FALSE(*tenth);
  Acknowledged(10);
  EXPECT_EQ(*tenth, Confirmation::kConfirmed);
  EXPECT_FALSE(*eleventh);
  Acknowledged(12);
  EXPECT_EQ(*eleventh, Confirmation::kConfirmed);
  EXPECT_EQ(*Confirm(kRefusing, 12), Confirmation::kConfirmed);
  EXPECT_EQ(gate_->counters().confirmed, 3);
}

TEST_F(DurabilityGateTest, SyncNobodyInReach_WritesAreRefusedBeforeTheyAreMade) {
  const auto unknown = Admit(kRefusing);
  Acknowledged(9, /*in_reach=*/false);
  const auto waits = Admit(kRefusing);
  EXPECT_FALSE(*unknown);
  Pass(milliseconds(1'999));
  EXPECT_FALSE(*waits);
  Pass(milliseconds(1));
  EXPECT_EQ(*unknown, Admission::kOutOfReach);
  EXPECT_EQ(*waits, Admission::kOutOfReach);
  EXPECT_EQ(gate_->counters().refused, 2);
}

TEST_F(DurabilityGateTest, SyncSomebodyComesIntoReach_WaitingWritesGoOn) {
  const auto waits = Admit(kRefusing);
  Pass(milliseconds(500));
  Acknowledged(3);
  EXPECT_EQ(*waits, Admission::kAdmitted);
}

TEST_F(DurabilityGateTest, SyncSilentReplica_FirstWriteIsUnconfirmedAndLaterOnesAreRefused) {
  Acknowledged(9);
  const auto first = Confirm(kRefusing, 10);
  Pass(seconds(2));
  EXPECT_EQ(*first, Confirmation::kUnconfirmed);
  EXPECT_TRUE(gate_->IsOutOfReach(kPool, kRefusing));
  const auto later = Admit(kRefusing);
  Acknowledged(9);
  EXPECT_FALSE(*later);
  Pass(seconds(2));
  EXPECT_EQ(*later, Admission::kOutOfReach);
  // It has caught up with what was missed.
  Acknowledged(10);
  EXPECT_FALSE(gate_->IsOutOfReach(kPool, kRefusing));
  EXPECT_EQ(*Admit(kRefusing), Admission::kAdmitted);
}

TEST_F(DurabilityGateTest, SyncThatFallsBack_OneWriteWaitsAndLaterOnesDoNot) {
  Acknowledged(9);
  EXPECT_EQ(*Admit(kFallingBack), Admission::kAdmitted);
  const auto first = Confirm(kFallingBack, 10);
  Pass(milliseconds(1'999));
  EXPECT_FALSE(*first);
  Pass(milliseconds(1));
  EXPECT_EQ(*first, Confirmation::kFellBack);
  EXPECT_EQ(*Admit(kFallingBack), Admission::kAdmitted);
  EXPECT_EQ(*Confirm(kFallingBack, 11), Confirmation::kFellBack);
  Acknowledged(11);
  const auto confirmed = Confirm(kFallingBack, 12);
  EXPECT_FALSE(*confirmed);
  Acknowledged(12);
  EXPECT_EQ(*confirmed, Confirmation::kConfirmed);
  EXPECT_EQ(gate_->counters().fell_back, 2);
}

TEST_F(DurabilityGateTest, RoleLost_NobodyIsToldThatItIsConfirmed) {
  Acknowledged(9);
  const auto committed = Confirm(kFallingBack, 10);
  const auto other = Admit(kBounded);
  gate_->Forget(kPool);
  EXPECT_EQ(*committed, Confirmation::kUnconfirmed);
  EXPECT_EQ(*other, Admission::kAdmitted);
}

TEST_F(DurabilityGateTest, LaterEpoch_EarlierWriteIsNotConfirmedByIt) {
  Acknowledged(20, true, /*epoch=*/3);
  EXPECT_EQ(*Confirm(kRefusing, 10, /*epoch=*/1), Confirmation::kUnconfirmed);
  // The machine has not heard of the new epoch yet.
  const auto waits = Confirm(kRefusing, 15, /*epoch=*/5);
  EXPECT_FALSE(*waits);
  Acknowledged(15, true, /*epoch=*/5);
  EXPECT_EQ(*waits, Confirmation::kConfirmed);
}

TEST_F(DurabilityGateTest, Bounded_WritesWaitForTheLagToShrink) {
  Lags(milliseconds(4'999));
  EXPECT_EQ(*Admit(kBounded), Admission::kAdmitted);
  EXPECT_FALSE(gate_->IsOutOfReach(kPool, kBounded));
  Lags(seconds(5));
  EXPECT_TRUE(gate_->IsOutOfReach(kPool, kBounded));
  const auto waits = Admit(kBounded);
  EXPECT_FALSE(*waits);
  Lags(seconds(1));
  EXPECT_EQ(*waits, Admission::kAdmitted);
}

TEST_F(DurabilityGateTest, BoundedLagStays_WritesFail) {
  Lags(seconds(60));
  const auto late = Admit(kBounded);
  Lags(std::nullopt);
  const auto unknown = Admit(kBounded);
  Pass(seconds(2));
  EXPECT_EQ(*late, Admission::kBehind);
  EXPECT_EQ(*unknown, Admission::kBehind);
}

TEST_F(DurabilityGateTest, GateGoesAway_EverybodyIsTold) {
  const auto admission = Admit(kRefusing);
  const auto confirmation = Confirm(kRefusing, 4);
  gate_.reset();
  EXPECT_EQ(*admission, Admission::kOutOfReach);
  EXPECT_EQ(*confirmation, Confirmation::kUnconfirmed);
}

TEST_F(DurabilityGateTest, FallingBackHasToWait_UntilItMay) {
  const auto not_yet = [this] {
    gate_->Update(kPool, {.epoch_counter = 1, .acknowledged = 9, .in_reach = true, .may_fall_back = false});
  };
  not_yet();
  const auto tenth = Confirm(kFallingBack, 10);
  EXPECT_FALSE(gate_->WantsFallBack(kPool));
  Pass(seconds(2));
  EXPECT_FALSE(*tenth);
  EXPECT_TRUE(gate_->WantsFallBack(kPool));
  not_yet();
  EXPECT_FALSE(*tenth);
  Acknowledged(9);
  EXPECT_EQ(*tenth, Confirmation::kFellBack);
  EXPECT_FALSE(gate_->WantsFallBack(kPool));
}

TEST_F(DurabilityGateTest, FallingBackIsNotAllowedInTime_TheOutcomeIsUnknown) {
  gate_->Update(kPool, {.epoch_counter = 1, .acknowledged = 9, .in_reach = true, .may_fall_back = false});
  const auto tenth = Confirm(kFallingBack, 10);
  Pass(seconds(3));
  EXPECT_FALSE(*tenth);
  Pass(seconds(1));
  EXPECT_EQ(*tenth, Confirmation::kUnconfirmed);
}

}  // namespace
}  // namespace symbolon::replication
