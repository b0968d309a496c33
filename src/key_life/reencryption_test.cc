#include "key_life/reencryption.h"

#include <gtest/gtest.h>

#include <future>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "directory/test_store.h"
#include "key_life/commit.h"
#include "key_life/former_keys.h"
#include "key_life/key_changes.h"
#include "key_life/older_records.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"
#include "keys/wrapped_pool_keys.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;
using directory::pb::ReencryptionRecord;

const Region kHere("eu-central-1");
const PoolId kPool("eu-central-1_TestPool1");
constexpr const char* kAccount = "000000000000";
// Of a version to come.
constexpr std::uint16_t kUnknownType = 77;

class ReencryptionTest : public testing::Test {
 protected:
  ReencryptionTest() { MakePool(kPool); }

  void MakePool(const PoolId& pool) {
    const auto made = keyring_.MakeKeys(pool, "");
    storage::Commit commit{.pool = pool};
    commit.start_epoch_counter = 1;
    commit.directory.push_back(
        {Key(RecordType::kRole, pool), replication::SerializeRole(replication::NewRoleRecord(kHere))});
    commit.directory.push_back({Key(RecordType::kWrappedKeys, pool), made->wrapped});
    commit.directory.push_back({Key(RecordType::kPublic, pool), Bytes("\x0a\x01x")});
    for (int i = 0; i < 300; ++i) {
      const storage::Key key = Sealed(i, pool);
      commit.directory.push_back({key, made->opened->Seal(key, "record " + std::to_string(i), store_.random())});
    }
    Submit(std::move(commit));
  }

  static storage::Key Key(RecordType type, const PoolId& pool = kPool) {
    return {.space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = {}};
  }
  static storage::Key Sealed(int number, const PoolId& pool = kPool) {
    const std::uint16_t type = number % 3 == 0 ? kUnknownType : static_cast<std::uint16_t>(RecordType::kUser);
    return {.space = storage::Space::kDirectory, .pool = pool, .type = type, .id = "id " + std::to_string(number)};
  }
  storage::StoreResult<storage::Committed> Submit(storage::Commit commit) {
    std::promise<storage::StoreResult<storage::Committed>> done;
    store_.store().Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
    return done.get_future().get();
  }

  Services services() {
    return {.store = store_.store(),
            .keys = keyring_,
            .commits = commits_,
            .clock = clock_,
            .random = store_.random(),
            .here = kHere,
            .suffixes = &suffixes_};
  }
  void Rotate(const PoolId& pool = kPool) { ASSERT_TRUE(changes_.Rotate(pool)); }
  void Begin(std::uint64_t pace = 0, const PoolId& pool = kPool) {
    ASSERT_TRUE(CommitPlan(services(), pool, [&](directory::Transaction& tx, const auto&) {
      BeginReencryption(tx, pace, clock_.Now());
      return true;
    }));
  }
  void RunToTheEnd(Reencryption& work) {
    for (int i = 0; i < 10'000 && work.RunDue(); ++i) clock_.Advance(std::chrono::milliseconds(100));
  }
  ReencryptionRecord Record(const PoolId& pool = kPool) {
    ReencryptionRecord record;
    EXPECT_TRUE(
        record.ParseFromString(*store_.store().MakeSnapshot()->Get(Key(RecordType::kReencryption, pool)).value()));
    return record;
  }
  keys::WrappedPoolKeysContents Keys() {
    return keys::ContentsOfPoolKeys(*store_.store().MakeSnapshot()->Get(Key(RecordType::kWrappedKeys)).value()).value();
  }
  std::string Read(int number) {
    const auto snapshot = store_.store().MakeSnapshot();
    const auto sealed = snapshot->Get(Sealed(number)).value();
    return keyring_.KeysOf(*snapshot, kPool).value()->Open(Sealed(number), *sealed).value_or("does not open");
  }
  // How many sealed records name a generation that does not seal now.
  int Older() {
    int count = 0;
    for (const auto& [key, value] : store_.Contents(kPool)) {
      const auto generation = keys::GenerationOf(value);
      count += generation && *generation != Keys().sealing_generation;
    }
    return count;
  }

  ManualClock clock_;
  TemporaryDirectory directory_;
  directory::TestStore store_{kHere.value(), clock_};
  std::unique_ptr<keys::local::LocalKeyProvider> provider_ =
      keys::local::LocalKeyProvider::Open(
          {.directory = directory_.path() / "keys", .region = kHere, .account = kAccount}, clock_, store_.random())
          .value();
  keys::Keyring keyring_{*provider_,
                         {.region = kHere,
                          .account = kAccount,
                          .service_owned_key_arn = provider_->EnsureServiceOwnedKey().value(),
                          .recheck_interval = std::chrono::hours(10)},
                         clock_,
                         store_.random()};
  std::unique_ptr<storage::Subscription> notices_ = store_.store().Subscribe([this](const storage::Notice& notice) {
    keyring_.Follow(notice.pool,
                    store_.store().MakeSnapshot()->Get(Key(RecordType::kWrappedKeys, notice.pool)).value());
  });
  replication::DurableCommits commits_{store_.store(), nullptr};
  replication::SuffixFolder suffixes_{directory_.path() / "set_aside", 2};
  KeyChanges changes_{services(), {}};
};

TEST_F(ReencryptionTest, EveryRecordMovesAndTheFormerKeyGoes) {
  Rotate();
  EXPECT_EQ(Older(), 300);
  Reencryption work(services(), {.batch_records_max = 32}, {});
  Begin();
  RunToTheEnd(work);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Record().records_resealed(), 300u);
  EXPECT_EQ(Older(), 0);
  EXPECT_EQ(Keys().generations.size(), 1u);
  for (const int number : {0, 1, 150, 299}) EXPECT_EQ(Read(number), "record " + std::to_string(number));
}

TEST_F(ReencryptionTest, RecordThatDoesNotOpen_IsShownAndLookedAtAgainAfterAWhile) {
  Rotate();
  const storage::Key key = Sealed(7);
  Bytes damaged = *store_.store().MakeSnapshot()->Get(key).value();
  const Bytes whole = damaged;
  damaged.back() ^= 1;
  ASSERT_TRUE(Submit({.pool = kPool, .directory = {{key, damaged}}}));
  Reencryption work(services(), {}, {});
  Begin();
  std::optional<std::chrono::nanoseconds> due = clock_.SinceBoot();
  for (int i = 0; i < 100 && *due <= clock_.SinceBoot(); ++i) due = work.RunDue();
  EXPECT_EQ(work.ProblemOf(kPool),
            "1 records do not open, so that their former data keys stay: see the log of the primary.");
  EXPECT_EQ(due, clock_.SinceBoot() + std::chrono::minutes(1));
  EXPECT_EQ(Older(), 1) << "the others have moved";
  EXPECT_EQ(Keys().generations.size(), 2u);

  // The next walk finds the same, and waits as long.
  clock_.Advance(std::chrono::minutes(1));
  int steps = 0;
  for (; *work.RunDue() <= clock_.SinceBoot(); ++steps) EXPECT_FALSE(work.ProblemOf(kPool).empty());
  EXPECT_LT(steps, 100);
  EXPECT_FALSE(work.ProblemOf(kPool).empty());

  ASSERT_TRUE(Submit({.pool = kPool, .directory = {{key, whole}}}));
  clock_.Advance(std::chrono::minutes(1));
  RunToTheEnd(work);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Keys().generations.size(), 1u);
  EXPECT_EQ(work.ProblemOf(kPool), "");
}

TEST_F(ReencryptionTest, StoreCannotBeReadAtTheStart_WhatWasUnderWayGoesOnWhenItCan) {
  Rotate();
  Begin();
  std::optional<storage::Read::Kind> fails;
  const auto store = storage::MakeUnreadableStore(store_.store(), [&](const storage::Read& read) {
    return fails == read.kind ? storage::ReadFault::kFails : storage::ReadFault::kNone;
  });
  const Services all = services();
  for (const auto kind : {storage::Read::Kind::kPools, storage::Read::Kind::kRecord}) {
    fails = kind;
    Reencryption work({.store = *store,
                       .keys = all.keys,
                       .commits = all.commits,
                       .clock = all.clock,
                       .random = all.random,
                       .here = all.here,
                       .suffixes = all.suffixes},
                      {.batch_records_max = 32}, {});
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(work.RunDue()) << "it is tried again";
      clock_.Advance(std::chrono::seconds(1));
    }
    EXPECT_GT(Older(), 0);
    fails.reset();
    if (kind == storage::Read::Kind::kPools) {
      EXPECT_TRUE(work.RunDue());
      EXPECT_LT(Older(), 300) << "it goes on";
      continue;
    }
    RunToTheEnd(work);
  }
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Older(), 0);
}

TEST_F(ReencryptionTest, AnotherProcessGoesOnWhereTheFirstOneEnded) {
  Rotate();
  Begin();
  {
    Reencryption first(services(), {.batch_records_max = 32}, {});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(first.RunDue());
  }
  const std::uint64_t before = Record().records_resealed();
  EXPECT_GE(before, 96u);
  EXPECT_EQ(Older(), 300 - static_cast<int>(before));
  Reencryption second(services(), {}, {});
  RunToTheEnd(second);
  EXPECT_EQ(Record().records_resealed(), 300u);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
}

TEST_F(ReencryptionTest, RecordThatChangesMeanwhileKeepsTheChange) {
  Rotate();
  Begin();
  Reencryption work(services(), {.batch_records_max = 64}, {});
  // Whoever began before the key changed and commits now.
  const auto snapshot = store_.store().MakeSnapshot();
  const auto keys = keyring_.KeysOf(*snapshot, kPool).value();
  int changed = 0;
  for (int number = 1; work.RunDue(); number += 7) {
    clock_.Advance(std::chrono::milliseconds(10));
    if (number >= 300) continue;
    storage::Commit commit{.pool = kPool};
    commit.directory.push_back({Sealed(number), keys->Seal(Sealed(number), "changed", store_.random())});
    ASSERT_TRUE(Submit(std::move(commit)));
    ++changed;
  }
  ASSERT_GT(changed, 3);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  int found = 0;
  for (int number = 0; number < 300; ++number) found += Read(number) == "changed";
  EXPECT_EQ(found, changed);
  EXPECT_EQ(Older(), 0);
}

TEST_F(ReencryptionTest, WhoeverHoldsFormerKeysKeepsThemInTheRecord) {
  auto held = keyring_.KeysOf(*store_.store().MakeSnapshot(), kPool).value();
  Rotate();
  Begin();
  Reencryption work(services(), {}, {});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(work.RunDue());
    clock_.Advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(Record().state(), ReencryptionRecord::FINISHING);
  EXPECT_EQ(work.ProblemOf(kPool), "Requests that began under the former key are under way.");
  // It comes by late.
  storage::Commit commit{.pool = kPool};
  commit.directory.push_back({Sealed(5), held->Seal(Sealed(5), "late", store_.random())});
  ASSERT_TRUE(Submit(std::move(commit)));
  held.reset();
  RunToTheEnd(work);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Read(5), "late");
  EXPECT_EQ(Older(), 0);
}

TEST_F(ReencryptionTest, SuffixThatWasSetAsideKeepsItsKey) {
  ASSERT_TRUE(suffixes_.Keep(store_.store(), kPool, 0));
  Rotate();
  Begin();
  Reencryption work(services(), {}, {});
  RunToTheEnd(work);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Record().generations_kept(), 1u);
  EXPECT_EQ(Keys().generations.size(), 2u);
  EXPECT_EQ(Older(), 0);
}

TEST_F(ReencryptionTest, BatchesWaitForReplicasThatLag) {
  Rotate();
  Begin();
  std::chrono::nanoseconds lag = std::chrono::seconds(1);
  Reencryption work(services(), {.batch_records_max = 32}, [&](const PoolId&) { return lag; });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(work.RunDue());
    clock_.Advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(Record().records_resealed(), 0u);
  EXPECT_EQ(work.ProblemOf(kPool), "A replica lags.");
  lag = {};
  RunToTheEnd(work);
  EXPECT_EQ(Record().state(), ReencryptionRecord::DONE);
}

TEST_F(ReencryptionTest, PoolsTakeTurns) {
  const PoolId other("eu-central-1_TestPool2");
  MakePool(other);
  for (const PoolId& pool : {kPool, other}) {
    Rotate(pool);
    Begin(0, pool);
  }
  Reencryption work(services(), {.batch_records_max = 16}, {});
  for (std::uint64_t step = 1; step <= 10; ++step) {
    ASSERT_TRUE(work.RunDue());
    EXPECT_EQ(Record(kPool).records_resealed(), 16 * step);
    EXPECT_EQ(Record(other).records_resealed(), 16 * step);
  }
  RunToTheEnd(work);
  EXPECT_EQ(Record(kPool).state(), ReencryptionRecord::DONE);
  EXPECT_EQ(Record(other).state(), ReencryptionRecord::DONE);
}

TEST_F(ReencryptionTest, SearchForFormerKeysIsDoneInSlices) {
  Rotate();
  for (int part = 0; part < 3; ++part) {
    storage::Commit commit{.pool = kPool};
    for (std::size_t i = 0; i < FormerKeysSearch::kSliceBytes / 8192; ++i) {
      storage::Key key = Sealed(0);
      key.id = "large " + std::to_string(part) + "/" + std::to_string(i);
      commit.directory.push_back({std::move(key), Bytes(8192, 'x')});
    }
    ASSERT_TRUE(Submit(std::move(commit)));
  }
  const auto search_of = [&](std::set<Bytes> generations) {
    return FormerKeysSearch(
        {.pool = kPool, .wrapped = "", .role = "", .generations = std::move(generations), .members = {}});
  };
  FormerKeysSearch none = search_of({Bytes(16, 'n')});
  int slices = 0;
  while (none.Step(services()) == FormerKeysSearch::Outcome::kMore) ++slices;
  EXPECT_EQ(none.Step(services()), FormerKeysSearch::Outcome::kNone);
  EXPECT_GE(slices, 4);

  FormerKeysSearch former = search_of({Keys().generations.front().name});
  auto outcome = former.Step(services());
  while (outcome == FormerKeysSearch::Outcome::kMore) outcome = former.Step(services());
  EXPECT_EQ(outcome, FormerKeysSearch::Outcome::kFound);
}

TEST_F(ReencryptionTest, RegionThatIsNotThePrimaryDoesNothing) {
  Rotate();
  Begin();
  storage::Commit commit{.pool = kPool};
  commit.directory.push_back(
      {Key(RecordType::kRole), replication::SerializeRole(replication::NewRoleRecord(Region("us-east-1")))});
  ASSERT_TRUE(Submit(std::move(commit)));
  Reencryption work(services(), {}, {});
  EXPECT_FALSE(work.RunDue());
  EXPECT_EQ(Older(), 300);
}

}  // namespace
}  // namespace symbolon::key_life
