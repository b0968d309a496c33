#include "replication/verifier.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/manual_clock.h"
#include "replication/roles.h"
#include "storage/memory/memory_engine.h"
#include "storage/memory/unreadable_store.h"
#include "storage/store_test_support.h"

namespace symbolon::replication {
namespace {

using std::chrono::hours;

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const PoolId& kPool = storage::kTestPool;
constexpr std::uint16_t kType = 7;
// Only a failure waits so long.
constexpr std::chrono::seconds kPatience{60};

struct TestRegion {
  TestRegion(const Region& name, Clock& clock) : random(name.value().size()) {
    store =
        *storage::LocalStore::Open(storage::MakeMemoryEngine(), {.region = name, .clock = &clock, .random = &random});
    committer = std::make_unique<storage::CommitterThread>(*store);
    sessions = std::make_unique<VerifySessions>(*store, clock);
    thread = std::make_unique<VerifySessionsThread>(*sessions);
  }
  SeededRandom random;
  std::unique_ptr<storage::LocalStore> store;
  std::unique_ptr<storage::CommitterThread> committer;
  std::unique_ptr<VerifySessions> sessions;
  std::unique_ptr<VerifySessionsThread> thread;
};

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() { MakePool(kPool); }

  // In both Regions alike.
  void MakePool(const PoolId& pool) {
    const pb::RoleRecord role = *MarkCopied(*AddMember(NewRoleRecord(kHome), kAway, clock_.Now()), kAway);
    storage::Commit commit =
        storage::FirstCommit({{{storage::Space::kDirectory, pool, kRoleRecordType, ""}, SerializeRole(role)}}, pool);
    for (int i = 0; i < 100; ++i) {
      commit.directory.push_back({{storage::Space::kDirectory, pool, kType, std::to_string(i)}, "value"});
    }
    ASSERT_TRUE(storage::SubmitAndWait(*home_.store, std::move(commit)));
    ASSERT_TRUE(storage::ApplyAndWait(*away_.store, pool, *home_.store->ReadLog(pool, 1, 100 << 20)));
  }
  void Begin(const Verifier::Options& options) {
    verifier_.emplace(*store_, clock_, home_.random, *home_.sessions, std::vector<Region>{kAway}, options,
                      [this](const Region&, const pb::ControlRequest& request) -> ControlResult<Bytes> {
                        if (away_is_lost_) return Err(ControlError{ControlErrorCode::kUnavailable, "does not answer"});
                        return away_.sessions->Answer(kHome, request.verify());
                      });
  }
  static bool Await(const std::function<bool()>& happened) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!happened()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }
  // A comparison that time overtakes all the same is incomplete, and made again.
  void PassTimeWhileNothingRuns() {
    const auto newest = verifier_->Newest(kPool);
    if (!newest || newest->state == Verification::State::kDone) clock_.Advance(std::chrono::minutes(10));
  }
  bool AwaitOutcome(VerifyOutcome outcome) {
    return Await([&] {
      const auto last = verifier_->Last(kPool);
      return last && last->outcome == outcome;
    });
  }

  ManualClock clock_;
  TestRegion home_{kHome, clock_};
  TestRegion away_{kAway, clock_};
  std::atomic<bool> away_is_lost_ = false;
  // As the verifier reads it.
  std::atomic<int> reads_ = 0;
  std::atomic<bool> every_other_read_fails_ = false;
  std::unique_ptr<storage::Store> store_ =
      storage::MakeUnreadableStore(*home_.store, [this](const storage::Read& read) {
        const bool fails = read.kind == storage::Read::Kind::kRecord && ++reads_ % 2 == 0 && every_other_read_fails_;
        return fails ? storage::ReadFault::kFails : storage::ReadFault::kNone;
      });
  std::optional<Verifier> verifier_;
};

TEST_F(VerifierTest, IntervalPasses_PoolsOfThisPrimaryAreCompared) {
  Begin({.interval = hours(24), .records_per_second = 0});
  ASSERT_TRUE(Await([&] {
    PassTimeWhileNothingRuns();
    const auto last = verifier_->Last(kPool);
    return last && last->outcome == VerifyOutcome::kEqual;
  }));
  EXPECT_TRUE(verifier_->Newest(kPool)->background);
}

TEST_F(VerifierTest, StoreCannotBeReadNowAndThen_PoolsAreComparedAllTheSame) {
  every_other_read_fails_ = true;
  Begin({.interval = hours(24), .records_per_second = 0});
  ASSERT_TRUE(Await([&] {
    PassTimeWhileNothingRuns();
    const auto newest = verifier_->Newest(kPool);
    return newest && newest->state == Verification::State::kDone;
  }));
  EXPECT_GT(reads_, 2);
}

TEST_F(VerifierTest, SomebodyAsksWhileTheStoreCannotBeRead_IsToldSo) {
  reads_ = 1;
  every_other_read_fails_ = true;
  Begin({});
  ASSERT_TRUE(verifier_->Start(kPool, 0));
  ASSERT_TRUE(Await([&] { return verifier_->Newest(kPool)->state == Verification::State::kDone; }));
  const auto newest = verifier_->Newest(kPool);
  EXPECT_EQ(newest->report.outcome(), VerifyOutcome::kIncomplete);
  ASSERT_EQ(newest->report.regions.size(), 1u);
  EXPECT_EQ(newest->report.regions[0].problem, "has a store that cannot be read");
}

TEST_F(VerifierTest, SomebodyAsks_ItIsComparedAtOnceAndOnce) {
  Begin({});
  const auto id = verifier_->Start(kPool, 0);
  ASSERT_TRUE(id);
  ASSERT_TRUE(AwaitOutcome(VerifyOutcome::kEqual));
  EXPECT_EQ(verifier_->Newest(kPool)->id, *id);
  EXPECT_EQ(verifier_->Newest(kPool)->report.regions.size(), 2u);
  EXPECT_FALSE(verifier_->Newest(PoolId("eu-central-1_Another1")));
}

TEST_F(VerifierTest, AskedTwiceWhileItRuns_IsOneComparison) {
  Begin({});
  // It is never done: the clock stands.
  const auto id = verifier_->Start(kPool, 1);
  ASSERT_TRUE(id);
  EXPECT_EQ(verifier_->Start(kPool, 0), id);
  ASSERT_TRUE(Await([&] { return verifier_->Newest(kPool)->report.phase == VerifyReport::Phase::kHashing; }));
  EXPECT_EQ(verifier_->Start(kPool, 0), id);
}

TEST_F(VerifierTest, ManyPoolsAreAskedFor_TheyWaitUpToABound) {
  Begin({.waiting = 2});
  ASSERT_TRUE(verifier_->Start(kPool, 1));
  ASSERT_TRUE(Await([&] { return verifier_->Newest(kPool)->state == Verification::State::kRunning; }));
  EXPECT_TRUE(verifier_->Start(PoolId("eu-central-1_Waiting01"), 0));
  EXPECT_TRUE(verifier_->Start(PoolId("eu-central-1_Waiting02"), 0));
  EXPECT_FALSE(verifier_->Start(PoolId("eu-central-1_Waiting03"), 0));
}

TEST_F(VerifierTest, SomebodyAsksWhileASlowOneRuns_TheSlowOneGivesWay) {
  Begin({.interval = hours(24), .records_per_second = 1});
  ASSERT_TRUE(Await([&] {
    PassTimeWhileNothingRuns();
    const auto newest = verifier_->Newest(kPool);
    return newest && newest->report.phase == VerifyReport::Phase::kHashing;
  }));
  const std::string slow = verifier_->Newest(kPool)->id;
  const auto id = verifier_->Start(kPool, 0);
  ASSERT_TRUE(id);
  EXPECT_NE(*id, slow);
  ASSERT_TRUE(AwaitOutcome(VerifyOutcome::kEqual));
  EXPECT_EQ(verifier_->Newest(kPool)->id, *id);
}

TEST_F(VerifierTest, ARegionIsLost_TheLastWholeComparisonStaysKnown) {
  Begin({});
  ASSERT_TRUE(verifier_->Start(kPool, 0));
  ASSERT_TRUE(AwaitOutcome(VerifyOutcome::kEqual));
  away_is_lost_ = true;
  ASSERT_TRUE(verifier_->Start(kPool, 0));
  ASSERT_TRUE(Await([&] {
    clock_.Advance(std::chrono::seconds(1));
    return verifier_->Last(kPool)->outcome == VerifyOutcome::kIncomplete;
  }));
  EXPECT_EQ(verifier_->LastWhole(kPool)->outcome, VerifyOutcome::kEqual);
}

TEST_F(VerifierTest, EndsWhileOneRuns_GivesItUp) {
  Begin({});
  ASSERT_TRUE(verifier_->Start(kPool, 1));
  ASSERT_TRUE(Await([&] { return verifier_->Newest(kPool)->report.phase == VerifyReport::Phase::kHashing; }));
  verifier_.reset();
  EXPECT_EQ(home_.sessions->session_count(), 0u);
  EXPECT_EQ(away_.sessions->session_count(), 0u);
}

}  // namespace
}  // namespace symbolon::replication
