#include "replication/durable_commits.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "replication/position_gate.h"
#include "storage/local_store.h"
#include "storage/log.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::replication {
namespace {

using std::chrono::seconds;

const PoolId kPool("eu-central-1_Pool00001");
const Region kHome("eu-central-1");
const Region kAway("us-east-1");

storage::Key RoleKey() { return {storage::Space::kDirectory, kPool, kRoleRecordType, Bytes()}; }

// A store that is stepped by the test, and the gate as the machine would drive it.
class DurableCommitsTest : public testing::Test {
 protected:
  DurableCommitsTest() {
    role_ =
        *SetMemberState(*MarkCopied(*AddMember(NewRoleRecord(kHome), kAway, clock_.Now()), kAway), kAway, pb::ACTIVE);
    storage::Commit first;
    first.pool = kPool;
    first.start_epoch_counter = 1;
    first.directory.push_back({RoleKey(), SerializeRole(role_)});
    store_->Submit(std::move(first), [](const auto& result) { ASSERT_TRUE(result); });
    Step();
  }
  std::unique_ptr<storage::LocalStore> OpenStore() {
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(std::make_shared<storage::MemoryDisk>()),
                                           {.region = kHome, .clock = &clock_, .random = &random_});
    SYMBOLON_CHECK(store);
    return *std::move(store);
  }
  void Step() {
    while (store_->Step()) {
    }
  }
  using Told = std::shared_ptr<std::optional<DurableCommitResult>>;
  Told Submit(storage::Commit commit, DurableCommits* commits = nullptr) {
    auto told = std::make_shared<std::optional<DurableCommitResult>>();
    (commits != nullptr ? *commits : commits_).Submit(std::move(commit), role_, [told](DurableCommitResult result) {
      *told = std::move(result);
    });
    Step();
    return told;
  }
  Told Write(DurableCommits* commits = nullptr) {
    storage::Commit commit;
    commit.pool = kPool;
    commit.directory.push_back({{storage::Space::kDirectory, kPool, 7, "u"}, Bytes("value")});
    return Submit(std::move(commit), commits);
  }
  void Set(const DurabilitySetting& setting) { role_ = *SetDurability(role_, setting); }
  void Acknowledge(std::uint64_t sequence) {
    gate_.Update(kPool, {.epoch_counter = 1, .acknowledged = sequence, .in_reach = true});
  }
  void Wait() {
    for (const seconds time : {seconds(1), seconds(4)}) gate_.OnTick({.wall = {}, .since_boot = time});
  }
  std::uint64_t Head() { return (*store_->MakeSnapshot()->Head(kPool))->sequence(); }

  ManualClock clock_;
  SeededRandom random_{3};
  const std::unique_ptr<storage::LocalStore> store_ = OpenStore();
  pb::RoleRecord role_;
  DurabilityGate gate_{seconds(2)};
  DurableCommits commits_{*store_, &gate_};
};

TEST_F(DurableCommitsTest, Async_AnsweredWhenDurableHere) {
  const Told told = Write();
  ASSERT_TRUE(*told && **told);
  EXPECT_FALSE((**told)->fell_back);
  EXPECT_EQ((**told)->committed.position->sequence(), 2);
}

TEST_F(DurableCommitsTest, Sync_AnsweredWhenAReplicaHasIt) {
  Set({.mode = pb::SYNC});
  Acknowledge(1);
  const Told told = Write();
  EXPECT_FALSE(*told);
  EXPECT_EQ(Head(), 2);
  Acknowledge(2);
  ASSERT_TRUE(*told && **told);
  EXPECT_FALSE((**told)->fell_back);
}

TEST_F(DurableCommitsTest, SyncNobodyThere_NothingIsWritten) {
  Set({.mode = pb::SYNC});
  const Told told = Write();
  Wait();
  ASSERT_TRUE(*told && !**told);
  EXPECT_EQ((*told)->error().code, CommitErrorCode::kOutOfReach);
  EXPECT_EQ(Head(), 1);
}

TEST_F(DurableCommitsTest, SyncReplicaLostMeanwhile_OutcomeIsUnknown) {
  Set({.mode = pb::SYNC});
  Acknowledge(1);
  const Told told = Write();
  Wait();
  ASSERT_TRUE(*told && !**told);
  EXPECT_EQ((*told)->error().code, CommitErrorCode::kUnconfirmed);
  EXPECT_EQ((*told)->error().position->sequence(), 2);
  EXPECT_EQ(Head(), 2);
}

TEST_F(DurableCommitsTest, SyncThatFallsBack_IsWrittenAndSaysSo) {
  Set({.mode = pb::SYNC, .falls_back = true});
  const Told told = Write();
  EXPECT_FALSE(*told);
  Wait();
  ASSERT_TRUE(*told && **told);
  EXPECT_TRUE((**told)->fell_back);
}

TEST_F(DurableCommitsTest, BoundedAndBehind_NothingIsWritten) {
  Set({.mode = pb::BOUNDED, .lag_bound_seconds = 5});
  gate_.Update(kPool, {.epoch_counter = 1, .in_reach = true, .lag = seconds(9)});
  const Told told = Write();
  Wait();
  ASSERT_TRUE(*told && !**told);
  EXPECT_EQ((*told)->error().code, CommitErrorCode::kBehind);
  EXPECT_EQ((*told)->error().lag, seconds(9));
  EXPECT_EQ(Head(), 1);
}

TEST_F(DurableCommitsTest, ChangesOfTheRoleAndFacts_DoNotWait) {
  Set({.mode = pb::SYNC});
  storage::Commit role;
  role.pool = kPool;
  role.directory.push_back({RoleKey(), SerializeRole(*SetDurability(role_, {}))});
  const Told changed = Submit(std::move(role));
  EXPECT_TRUE(*changed && **changed);
  storage::Commit fact;
  fact.pool = kPool;
  fact.facts.push_back({{storage::Space::kFact, kPool, 50, "s"}, {}});
  fact.facts.back().value.add_elements("e");
  const Told accepted = Submit(std::move(fact));
  EXPECT_TRUE(*accepted && **accepted);
}

TEST_F(DurableCommitsTest, NoOtherRegions_NobodyIsInReach) {
  DurableCommits alone(*store_, nullptr);
  Set({.mode = pb::SYNC});
  EXPECT_EQ((*Write(&alone))->error().code, CommitErrorCode::kOutOfReach);
  Set({.mode = pb::BOUNDED, .lag_bound_seconds = 5});
  EXPECT_EQ((*Write(&alone))->error().code, CommitErrorCode::kBehind);
  Set({.mode = pb::SYNC, .falls_back = true});
  EXPECT_TRUE((**Write(&alone))->fell_back);
}

TEST_F(DurableCommitsTest, ErrorsOfTheStoreComeThrough) {
  storage::Commit stale;
  stale.pool = kPool;
  stale.snapshot_version = store_->MakeSnapshot()->version();
  stale.reads.push_back({storage::Space::kDirectory, kPool, 7, "u"});
  stale.directory.push_back({{storage::Space::kDirectory, kPool, 7, "u"}, Bytes("other")});
  ASSERT_TRUE(**Write());
  const Told told = Submit(std::move(stale));
  EXPECT_EQ((*told)->error().code, CommitErrorCode::kStore);
  EXPECT_EQ((*told)->error().store->code, storage::StoreErrorCode::kConflict);
}

// ---- positions ----

class PositionGateTest : public DurableCommitsTest {
 protected:
  PoolPosition At(std::uint64_t sequence, std::uint64_t epoch_counter = 1) {
    PoolPosition wanted{.pool = kPool, .position = {}};
    *wanted.position.mutable_epoch() = (*store_->MakeSnapshot()->Head(kPool))->epoch();
    wanted.position.mutable_epoch()->set_counter(epoch_counter);
    wanted.position.set_sequence(sequence);
    return wanted;
  }
  std::shared_ptr<std::optional<Passage>> Await(PoolPosition wanted) {
    auto told = std::make_shared<std::optional<Passage>>();
    positions_->Await(std::move(wanted), seconds(10), [told](Passage passage) { *told = passage; });
    return told;
  }
  void TellHead() { positions_->OnHead(kPool, **store_->MakeSnapshot()->Head(kPool)); }

  std::unique_ptr<PositionGate> positions_ = std::make_unique<PositionGate>(*store_);
};

TEST_F(PositionGateTest, WhatIsThereIsPassedAtOnce) { EXPECT_EQ(*Await(At(1)), Passage::kPassed); }

TEST_F(PositionGateTest, WhatComesInTimeIsPassed) {
  const auto second = Await(At(2));
  const auto third = Await(At(3));
  ASSERT_TRUE(**Write());
  TellHead();
  EXPECT_EQ(*second, Passage::kPassed);
  EXPECT_FALSE(*third);
  positions_->OnTick({.wall = {}, .since_boot = seconds(9)});
  EXPECT_FALSE(*third);
  positions_->OnTick({.wall = {}, .since_boot = seconds(10)});
  EXPECT_EQ(*third, Passage::kAhead);
}

TEST_F(PositionGateTest, NewEpochTellsWhatWasSetAside) {
  const auto lost = Await(At(5));
  const auto later = Await(At(2, 7));
  storage::Commit commit;
  commit.pool = kPool;
  commit.start_epoch_counter = 4;
  commit.directory.push_back({{storage::Space::kDirectory, kPool, 7, "u"}, Bytes("value")});
  ASSERT_TRUE(**Submit(std::move(commit)));
  TellHead();
  EXPECT_EQ(*lost, Passage::kSetAside);
  EXPECT_FALSE(*later);
  EXPECT_EQ(*Await(At(1)), Passage::kPassed);
}

TEST_F(PositionGateTest, UnknownPoolAndEnd_AreNotPassed) {
  PoolPosition elsewhere = At(1);
  elsewhere.pool = PoolId("eu-central-1_Other");
  const auto told = Await(std::move(elsewhere));
  EXPECT_FALSE(*told);
  positions_.reset();
  EXPECT_EQ(*told, Passage::kAhead);
}

// Under an authority.
class LeasedCommitsTest : public DurableCommitsTest {
 protected:
  LeasedCommitsTest() {
    lease_.SetDeadline(clock_.SinceBoot() + seconds(8));
    lease_.Admit(kPool, 1);
  }
  // Submitted, and not committed yet.
  Told Begin() {
    auto told = std::make_shared<std::optional<DurableCommitResult>>();
    storage::Commit commit;
    commit.pool = kPool;
    commit.directory.push_back({{storage::Space::kDirectory, kPool, 7, "u"}, Bytes("value")});
    leased_.Submit(std::move(commit), role_, [told](DurableCommitResult result) { *told = std::move(result); });
    return told;
  }
  WriteLease lease_{clock_, WriteLease::Others::kDenied};
  DurableCommits leased_{*store_, &gate_, &lease_};
};

TEST_F(LeasedCommitsTest, LeaseStands_Answered) {
  const Told told = Write(&leased_);
  EXPECT_TRUE(*told && **told);
}

TEST_F(LeasedCommitsTest, LeaseHasRunOutBeforeTheCommit_NothingIsWritten) {
  const std::uint64_t head = Head();
  clock_.Advance(seconds(8));
  const Told told = Write(&leased_);
  ASSERT_TRUE(*told);
  EXPECT_EQ((**told).error().code, CommitErrorCode::kNoLease);
  EXPECT_EQ(Head(), head);
}

TEST_F(LeasedCommitsTest, StoppedBetweenCommitAndAnswer_TheOutcomeIsUnknown) {
  const Told told = Begin();
  clock_.Advance(seconds(9));
  Step();
  ASSERT_TRUE(*told);
  EXPECT_EQ((**told).error().code, CommitErrorCode::kUnconfirmed);
  EXPECT_EQ((**told).error().position->sequence(), Head());
}

TEST_F(LeasedCommitsTest, AnotherEpochIsAdmittedByThen_TheOutcomeIsUnknown) {
  const Told told = Begin();
  lease_.Admit(kPool, 3);
  Step();
  EXPECT_EQ((**told).error().code, CommitErrorCode::kUnconfirmed);
}

TEST_F(LeasedCommitsTest, FactsAndRegionalSettings_NeedNoLease) {
  clock_.Advance(seconds(9));
  storage::Commit commit;
  commit.pool = kPool;
  commit.regional.push_back({{storage::Space::kRegional, kPool, 9, "r"}, Bytes("value")});
  const Told told = Submit(std::move(commit), &leased_);
  EXPECT_TRUE(*told && **told);
}

// Where the operator alone decides: the lease names those pools that are to wait.
TEST_F(LeasedCommitsTest, OthersAreAdmitted_WhatIsDeniedIsNot) {
  WriteLease lease(clock_, WriteLease::Others::kAdmitted);
  DurableCommits commits(*store_, &gate_, &lease);
  EXPECT_EQ((**Write(&commits)).error().code, CommitErrorCode::kNoLease);
  lease.SetDeadline(clock_.SinceBoot() + seconds(1));
  EXPECT_TRUE((**Write(&commits)).has_value());
  lease.Deny(kPool);
  EXPECT_EQ((**Write(&commits)).error().code, CommitErrorCode::kNoLease);
  lease.Forget(kPool);
  EXPECT_TRUE((**Write(&commits)).has_value());
  clock_.Advance(seconds(1));
  EXPECT_EQ((**Write(&commits)).error().code, CommitErrorCode::kNoLease);
}

TEST_F(LeasedCommitsTest, ANewPool_NeedsALeaseAndNoRegister) {
  const PoolId other("eu-central-1_Pool00002");
  const auto commit = [&] {
    storage::Commit made;
    made.pool = other;
    made.start_epoch_counter = 1;
    made.directory.push_back({{storage::Space::kDirectory, other, kRoleRecordType, Bytes()}, SerializeRole(role_)});
    return made;
  };
  clock_.Advance(seconds(9));
  EXPECT_EQ((**Submit(commit(), &leased_)).error().code, CommitErrorCode::kNoLease);
  lease_.SetDeadline(clock_.SinceBoot() + seconds(1));
  EXPECT_TRUE((**Submit(commit(), &leased_)).has_value());
}

}  // namespace
}  // namespace symbolon::replication
