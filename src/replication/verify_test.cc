// Three Regions' stores in this process, driven by hand: compared while they write, lag, lose their logs and fail.
#include "replication/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/manual_clock.h"
#include "replication/digest_tree.h"
#include "replication/position_view.h"
#include "replication/roles.h"
#include "replication/verify_sessions.h"
#include "storage/keys.h"
#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::replication {
namespace {

using testing::HasSubstr;

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const Region kThird("ap-south-1");
const PoolId& kPool = storage::kTestPool;
constexpr std::uint16_t kType = 7;

storage::Key RoleKey() { return {storage::Space::kDirectory, kPool, kRoleRecordType, Bytes()}; }
storage::Key UserKey(std::size_t number) {
  return {storage::Space::kDirectory, kPool, kType, "user" + std::to_string(number)};
}
Bytes StoredKey(const storage::Key& key) { return storage::keys::TypeAndId(key.type, key.id); }

// A Region's store; what is under it can be written to directly, as no store would.
class TestRegion {
 public:
  TestRegion(Region name, Clock& clock) : name_(std::move(name)), clock_(clock), random_(name_.value().size()) {
    Open();
  }

  const Region& name() const { return name_; }
  storage::LocalStore& store() { return *store_; }
  VerifySessions& sessions() { return *sessions_; }

  // Replaces a record where it lies, or removes it (nullopt). The store is opened anew.
  void TamperWith(const storage::Key& key, const std::optional<Bytes>& value) {
    Close();
    const auto engine = storage::MakeMemoryEngine(disk_);
    storage::EngineBatch batch;
    const Bytes stored = storage::keys::Logical(key, storage::keys::kFirstGeneration);
    if (value) {
      batch.Put(stored, *value);
    } else {
      batch.Delete(stored);
    }
    ASSERT_TRUE(engine->Write(batch));
    Open();
  }

 private:
  void Open() {
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(disk_),
                                           {.region = name_, .clock = &clock_, .random = &random_});
    ASSERT_TRUE(store) << store.error().detail;
    store_ = *std::move(store);
    committer_ = std::make_unique<storage::CommitterThread>(*store_);
    sessions_ = std::make_unique<VerifySessions>(*store_, clock_);
  }
  void Close() {
    sessions_.reset();
    committer_.reset();
    store_.reset();
  }

  const Region name_;
  Clock& clock_;
  SeededRandom random_;
  const std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>();
  std::unique_ptr<storage::LocalStore> store_;
  std::unique_ptr<storage::CommitterThread> committer_;
  std::unique_ptr<VerifySessions> sessions_;
};

class VerifyTest : public testing::Test, public VerifyChannel {
 protected:
  VerifyTest() : home_(kHome, clock_), away_(kAway, clock_), third_(kThird, clock_) {
    pb::RoleRecord role = NewRoleRecord(kHome);
    for (const Region& member : {kAway, kThird}) role = *MarkCopied(*AddMember(role, member, clock_.Now()), member);
    storage::Commit commit = storage::FirstCommit({{RoleKey(), SerializeRole(role)}});
    for (std::size_t user = 0; user < 3'000; ++user) commit.directory.push_back({UserKey(user), "first"});
    EXPECT_TRUE(storage::SubmitAndWait(home_.store(), std::move(commit)));
    Ship(away_);
    Ship(third_);
  }

  void Write(std::size_t user, std::optional<Bytes> value) {
    ASSERT_TRUE(
        storage::SubmitAndWait(home_.store(), storage::DirectoryCommit({{UserKey(user), std::move(value)}}, kPool)));
  }
  // What the Region lacks of the primary's log.
  void Ship(TestRegion& to) {
    const auto head = *to.store().MakeSnapshot()->Head(kPool);
    auto entries = home_.store().ReadLog(kPool, head ? head->sequence() + 1 : 1, 100 << 20);
    ASSERT_TRUE(entries) << entries.error().detail;
    if (!entries->empty()) ASSERT_TRUE(storage::ApplyAndWait(to.store(), kPool, *std::move(entries)));
  }
  // As a new replica gets it.
  void Copy(TestRegion& to) {
    auto source = *home_.store().OpenCopy(kPool);
    ASSERT_TRUE(to.store().BeginStaging(kPool, source->head(), source->history()));
    Bytes cursor;
    for (auto records = *source->Next(cursor, 1 << 20); !records.empty(); records = *source->Next(cursor, 1 << 20)) {
      ASSERT_TRUE(to.store().WriteStaging(kPool, records));
      cursor = records.back().id;
    }
    ASSERT_TRUE(to.store().FlipStaging(kPool));
  }

  VerifyReport Compare(std::vector<VerifyParticipant> participants = {{kHome, ""}, {kAway, ""}, {kThird, ""}}) {
    auto report = Verify(kPool, participants, *this, random_, options_);
    EXPECT_TRUE(report);
    for (TestRegion* region : {&home_, &away_, &third_}) {
      if (!dead_.contains(region->name())) EXPECT_EQ(region->sessions().session_count(), 0u) << region->name().value();
    }
    return report ? *std::move(report) : VerifyReport();
  }
  static const VerifyReport::RegionResult& ResultOf(const VerifyReport& report, const Region& region) {
    return *std::ranges::find(report.regions, region, &VerifyReport::RegionResult::region);
  }

  // ---- VerifyChannel: sessions do what is due whenever somebody waits ----
  ControlResult<Bytes> Ask(const Region& region, const pb::VerifyRequest& request) override {
    if (before_) before_(region, request);
    if (dead_.contains(region)) return Err(ControlError{ControlErrorCode::kUnavailable, "does not answer"});
    return RegionOf(region).sessions().Answer(kHome, request);
  }
  bool Pause(std::chrono::nanoseconds time) override {
    clock_.Advance(time);
    for (TestRegion* region : {&home_, &away_, &third_}) region->sessions().Step();
    if (while_waiting_) while_waiting_();
    return !give_up_;
  }
  std::chrono::nanoseconds SinceBoot() override { return clock_.SinceBoot(); }
  void OnProgress(const VerifyReport& report) override { phases_.insert(report.phase); }

  TestRegion& RegionOf(const Region& name) { return name == kHome ? home_ : name == kAway ? away_ : third_; }

  ManualClock clock_;
  SeededRandom random_{5};
  TestRegion home_;
  TestRegion away_;
  TestRegion third_;
  VerifyOptions options_;
  std::set<Region> dead_;
  std::set<VerifyReport::Phase> phases_;
  bool give_up_ = false;
  std::function<void(const Region&, const pb::VerifyRequest&)> before_;
  std::function<void()> while_waiting_;
};

TEST_F(VerifyTest, EqualRegions_AreEqual) {
  const VerifyReport report = Compare();
  EXPECT_EQ(report.outcome(), VerifyOutcome::kEqual);
  ASSERT_TRUE(report.position);
  EXPECT_EQ(report.position->sequence(), 1u);
  for (const auto& region : report.regions) {
    EXPECT_EQ(region.records, 3'001u);
    EXPECT_EQ(region.root, report.regions[0].root);
  }
  EXPECT_EQ(report.difference_count, 0u);
  EXPECT_TRUE(phases_.contains(VerifyReport::Phase::kHashing));
}

// Each Region pins at another position and writes go on meanwhile.
TEST_F(VerifyTest, RegionsThatLagWhileWritesGoOn_AreComparedAtOnePosition) {
  for (std::size_t user = 0; user < 50; ++user) Write(user, "second");
  Ship(third_);
  for (std::size_t user = 25; user < 60; ++user)
    Write(user, user % 2 == 0 ? std::optional<Bytes>("third") : std::nullopt);
  Write(5'000, "new");
  std::size_t next = 0;
  while_waiting_ = [&] {
    Write(next++ % 100, "still going on");
    if (next == 5) Ship(away_);
    if (next == 9) Ship(third_);
  };
  const VerifyReport report = Compare();
  EXPECT_EQ(report.outcome(), VerifyOutcome::kEqual);
  ASSERT_TRUE(report.position);
  EXPECT_EQ(report.position->sequence(), 1u + 50 + 35 + 1);
  EXPECT_GE(next, 9u);
}

TEST_F(VerifyTest, RecordsTamperedWith_AreNamedWithWhereTheyDiffer) {
  away_.TamperWith(UserKey(7), "of somebody else");
  third_.TamperWith(UserKey(2'000), std::nullopt);
  third_.TamperWith(UserKey(9'999), "smuggled in");
  const VerifyReport report = Compare();
  EXPECT_EQ(report.outcome(), VerifyOutcome::kDiffering);
  EXPECT_TRUE(report.differences_complete);
  EXPECT_EQ(report.difference_count, 3u);
  ASSERT_EQ(report.differences.size(), 3u);
  const std::optional<Bytes> first = storage::ValueDigest("first");
  EXPECT_EQ(report.differences[0].key, StoredKey(UserKey(2'000)));
  EXPECT_EQ(report.differences[0].digests,
            (std::map<Region, std::optional<Bytes>>{{kHome, first}, {kAway, first}, {kThird, std::nullopt}}));
  EXPECT_EQ(report.differences[1].key, StoredKey(UserKey(7)));
  EXPECT_EQ(report.differences[1].digests.at(kAway), storage::ValueDigest("of somebody else"));
  EXPECT_EQ(report.differences[1].digests.at(kThird), first);
  EXPECT_EQ(report.differences[2].key, StoredKey(UserKey(9'999)));
  EXPECT_EQ(report.differences[2].digests.at(kHome), std::nullopt);
}

// A record that differs is found however the directory was changed since, unless it was replaced.
TEST_F(VerifyTest, TamperedRecord_IsHealedByAWriteAndFoundBesideOne) {
  away_.TamperWith(UserKey(7), "wrong");
  away_.TamperWith(UserKey(8), "wrong");
  Write(7, "second");
  const VerifyReport behind = Compare({{kHome, ""}, {kThird, ""}});
  EXPECT_EQ(behind.outcome(), VerifyOutcome::kIncomplete);  // nobody ships
  while_waiting_ = [&] { Ship(away_); };
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kDiffering);
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].key, StoredKey(UserKey(8)));
}

TEST_F(VerifyTest, ManyDifferences_AreCountedAndSomeNamed) {
  for (std::size_t user = 0; user < 40; ++user) away_.TamperWith(UserKey(user), "wrong");
  options_.differences_named = 10;
  VerifyReport report = Compare();
  EXPECT_EQ(report.difference_count, 40u);
  EXPECT_EQ(report.differences.size(), 10u);
  EXPECT_TRUE(report.differences_complete);
  options_.differences_counted = 20;
  report = Compare();
  EXPECT_EQ(report.difference_count, 20u);
  EXPECT_FALSE(report.differences_complete);
}

TEST_F(VerifyTest, RegionThatDoesNotAnswer_IsNamedAndTheOthersCompared) {
  dead_ = {kAway};
  const VerifyReport report = Compare();
  EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
  EXPECT_FALSE(ResultOf(report, kAway).compared);
  EXPECT_EQ(ResultOf(report, kAway).problem, "does not answer");
  EXPECT_TRUE(ResultOf(report, kThird).compared);
  EXPECT_EQ(ResultOf(report, kThird).root, ResultOf(report, kHome).root);
}

TEST_F(VerifyTest, RegionThatDiesAtAnyStep_IsNotComparedAndNothingHangs) {
  away_.TamperWith(UserKey(1), "wrong");
  for (const auto step : {pb::VerifyRequest::kRollForward, pb::VerifyRequest::kHash, pb::VerifyRequest::kProgress,
                          pb::VerifyRequest::kLeaves, pb::VerifyRequest::kRecords}) {
    SCOPED_TRACE(step);
    dead_.clear();
    before_ = [&](const Region&, const pb::VerifyRequest& request) {
      if (request.step_case() == step) dead_ = {kThird};
    };
    const VerifyReport report = Compare({{kHome, ""}, {kThird, ""}, {kAway, ""}});
    // Its tree may have come before it died; what differs has then a reason not to be complete.
    EXPECT_THAT(ResultOf(report, kThird).problem, HasSubstr("does not answer"));
    EXPECT_EQ(ResultOf(report, kThird).compared, step == pb::VerifyRequest::kRecords);
    EXPECT_EQ(report.differences_complete, step != pb::VerifyRequest::kRecords);
    EXPECT_EQ(report.outcome(), VerifyOutcome::kDiffering);
    clock_.Advance(std::chrono::minutes(2));
    third_.sessions().Step();
    EXPECT_EQ(third_.sessions().session_count(), 0u);
  }
}

TEST_F(VerifyTest, OnlyOneRegionIsLeft_ItDoesNotReadOnForNothing) {
  options_.records_per_second = 1;
  while_waiting_ = [&] { dead_ = {kAway}; };
  const auto before = clock_.SinceBoot();
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
  EXPECT_FALSE(report.position);
  EXPECT_EQ(ResultOf(report, kHome).problem, "");
  EXPECT_EQ(ResultOf(report, kAway).problem, "does not answer");
  EXPECT_LT(clock_.SinceBoot() - before, std::chrono::seconds(30));
}

TEST_F(VerifyTest, RegionWhoseLogDoesNotReachThePosition_SaysSo) {
  Write(1, "never shipped");
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
  EXPECT_THAT(ResultOf(report, kAway).problem, HasSubstr("lags behind"));
}

TEST_F(VerifyTest, RegionThatTakesACopyMeanwhile_IsPinnedAnew) {
  Write(1, "second");
  Write(2, "second");
  while_waiting_ = [&] {
    Copy(away_);
    while_waiting_ = nullptr;
  };
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kEqual);
  EXPECT_EQ(report.position->sequence(), 3u);
}

TEST_F(VerifyTest, RegionThatAlwaysHasToPinAnew_IsLeftOutInTheEnd) {
  Write(1, "second");
  while_waiting_ = [&] {
    Copy(away_);
    Write(1, "another");
  };
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
  EXPECT_THAT(ResultOf(report, kAway).problem, HasSubstr("its log did not reach"));
}

TEST_F(VerifyTest, RegionOfAnotherHistory_IsNotComparable) {
  // A store that began the pool's log by itself.
  ASSERT_TRUE(third_.store().DropPool(kPool));
  storage::Commit other = storage::FirstCommit({{RoleKey(), *storage::ReadNow(home_.store(), RoleKey())}});
  ASSERT_TRUE(storage::SubmitAndWait(third_.store(), std::move(other)));
  for (const bool third_is_longer : {false, true}) {
    if (third_is_longer) {
      ASSERT_TRUE(storage::SubmitAndWait(third_.store(), storage::DirectoryCommit({{UserKey(1), "x"}}, kPool)));
    }
    const VerifyReport report = Compare();
    EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
    // The higher epoch's history is the one that counts: "eu-central-1" is above "ap-south-1".
    EXPECT_TRUE(ResultOf(report, kHome).compared);
    EXPECT_TRUE(ResultOf(report, kAway).compared);
    EXPECT_THAT(ResultOf(report, kThird).problem, HasSubstr("its history is another one"));
  }
}

TEST_F(VerifyTest, RegionWithoutThePoolOrNotToBeCompared_IsNamed) {
  ASSERT_TRUE(away_.store().DropPool(kPool));
  const VerifyReport report = Compare({{kHome, ""}, {kAway, ""}, {kThird, "is CREATING"}});
  EXPECT_EQ(report.outcome(), VerifyOutcome::kIncomplete);
  EXPECT_THAT(ResultOf(report, kAway).problem, HasSubstr("does not hold the pool"));
  EXPECT_EQ(ResultOf(report, kThird).problem, "is CREATING");
  EXPECT_FALSE(report.position);
}

TEST_F(VerifyTest, NobodyWantsTheResultAnyMore_ItIsGivenUpAndTheSessionsEnd) {
  while_waiting_ = [&] { give_up_ = true; };
  EXPECT_FALSE(Verify(kPool, {{kHome, ""}, {kAway, ""}}, *this, random_, options_));
  EXPECT_EQ(home_.sessions().session_count(), 0u);
  EXPECT_EQ(away_.sessions().session_count(), 0u);
}

TEST_F(VerifyTest, Paced_TakesAsLongAsThePaceAsks) {
  options_.records_per_second = 1'000;
  const auto before = clock_.SinceBoot();
  EXPECT_EQ(Compare().outcome(), VerifyOutcome::kEqual);
  EXPECT_GE(clock_.SinceBoot() - before, std::chrono::seconds(3));
  EXPECT_LT(clock_.SinceBoot() - before, std::chrono::seconds(4));
}

class VerifySessionsTest : public VerifyTest {
 protected:
  ControlResult<Bytes> Begin(const Bytes& id, const Region& from = kHome) {
    pb::VerifyRequest request;
    request.set_session(id);
    request.mutable_begin()->set_pool(kPool.value());
    return away_.sessions().Answer(from, request);
  }
  ControlErrorCode Error(const ControlResult<Bytes>& result) {
    EXPECT_FALSE(result);
    return result ? ControlErrorCode() : result.error().code;
  }
};

TEST_F(VerifySessionsTest, StrangersAndUnknownSessions_AreRefused) {
  EXPECT_EQ(Error(Begin("one", Region("mars-north-1"))), ControlErrorCode::kNotMember);
  ASSERT_TRUE(Begin("one"));
  pb::VerifyRequest request;
  request.set_session("one");
  request.mutable_progress();
  EXPECT_TRUE(away_.sessions().Answer(kHome, request));
  EXPECT_EQ(Error(away_.sessions().Answer(kThird, request)), ControlErrorCode::kWrongState);
  request.set_session("two");
  EXPECT_EQ(Error(away_.sessions().Answer(kHome, request)), ControlErrorCode::kWrongState);
  request.set_session("one");
  request.mutable_hash();
  EXPECT_EQ(Error(away_.sessions().Answer(kHome, request)), ControlErrorCode::kWrongState);
  request.clear_step();
  EXPECT_EQ(Error(away_.sessions().Answer(kHome, request)), ControlErrorCode::kRefused);
}

TEST_F(VerifySessionsTest, BegunAgain_ReplacesTheSameRegionsOlderSession) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Begin("session " + std::to_string(i)));
  EXPECT_EQ(away_.sessions().session_count(), 1u);
  ASSERT_TRUE(Begin("another", kThird));
  EXPECT_EQ(away_.sessions().session_count(), 2u);
}

TEST_F(VerifySessionsTest, Forgotten_EndAfterAWhile) {
  ASSERT_TRUE(Begin("one"));
  clock_.Advance(std::chrono::seconds(59));
  EXPECT_TRUE(away_.sessions().Step());
  EXPECT_EQ(away_.sessions().session_count(), 1u);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(away_.sessions().Step());
  EXPECT_EQ(away_.sessions().session_count(), 0u);
}

TEST_F(VerifyTest, BodiesErasedWhileRegionsCompare_AreNoDifference) {
  Write(7, "second");
  Write(8, "second");
  Ship(away_);
  Ship(third_);
  int asked = 0;
  before_ = [&](const Region&, const pb::VerifyRequest&) {
    ++asked;
    if (asked == 2) {
      // The first has pinned the state of before; the others pin one in which the user has changed.
      Write(7, "third");
      Ship(away_);
      Ship(third_);
    } else if (asked == 4) {
      Write(7, std::nullopt);
      Ship(away_);
      Ship(third_);
      for (TestRegion* one : {&home_, &away_, &third_}) {
        const Bytes key = StoredKey(UserKey(7));
        EXPECT_EQ(*one->store().EraseLogBodies(kPool, 5, [&](BytesView of, BytesView) { return of == key; }), 3u);
      }
    }
  };
  const VerifyReport report = Compare();
  EXPECT_EQ(report.outcome(), VerifyOutcome::kEqual);
  ASSERT_TRUE(report.position);
  EXPECT_EQ(report.position->sequence(), 4u);
  before_ = nullptr;
  EXPECT_EQ(Compare().outcome(), VerifyOutcome::kEqual);
}

// ---- the view at a position, against the store itself ----

TEST_F(VerifyTest, ViewRolledForward_IsWhatTheStoreHoldsThere) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto change = [&] {
      for (std::size_t writes = random() % 20; writes > 0; --writes) {
        const std::size_t user = random() % 4'000;
        Write(user, random() % 3 == 0 ? std::nullopt : std::optional<Bytes>(std::to_string(random())));
      }
    };
    change();
    const auto view = *PositionView::Pin(home_.store(), kPool);
    change();
    const storage::pb::Head position = **home_.store().MakeSnapshot()->Head(kPool);
    std::vector<DigestedRecord> there;
    const auto source = *home_.store().OpenCopy(kPool);
    for (Bytes cursor;;) {
      const auto records = *source->Next(cursor, 1 << 20);
      if (records.empty()) break;
      for (const auto& record : records) there.push_back({record.id, storage::ValueDigest(record.value)});
      cursor = records.back().id;
    }
    change();
    // Bodies of what was rolled over may be gone by now.
    if (seed % 2 == 1) {
      const auto erased = home_.store().EraseLogBodies(kPool, position.sequence(),
                                                       [](BytesView key, BytesView) { return key.back() % 2 == 1; });
      ASSERT_TRUE(erased);
    }
    ASSERT_EQ(*view->RollForward(position), PositionView::Roll::kDone);
    std::vector<DigestedRecord> seen;
    for (std::optional<Bytes> after = Bytes(); after;) {
      auto page = *view->Next(*after);
      seen.insert(seen.end(), page.records.begin(), page.records.end());
      after = std::move(page.next);
    }
    EXPECT_EQ(seen, there);
  }
}

}  // namespace
}  // namespace symbolon::replication
