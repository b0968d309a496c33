#include "directory/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

using storage::StoreErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;

const PoolId kPool("eu-central-1_Pool");
constexpr std::uint16_t kFactType = 7;

pb::GroupRecord Group(const std::string& name) {
  pb::GroupRecord group;
  group.set_name(name);
  return group;
}

pb::DomainRecord Domain(std::int64_t created_micros) {
  pb::DomainRecord domain;
  domain.set_created_micros(created_micros);
  return domain;
}

template <class Kind>
storage::Key KeyOf(const Bytes& id) {
  return {.space = Kind::kSpace, .pool = kPool, .type = static_cast<std::uint16_t>(Kind::kType), .id = id};
}

class TransactionTest : public testing::Test {
 protected:
  // Stores octets that no transaction wrote.
  void StoreRaw(const storage::Key& key, const Bytes& value) {
    const auto tx = store_.Begin(kPool);
    storage::Commit commit = tx->TakeCommit();
    commit.start_epoch_counter = commit_count_++ == 0 ? std::optional<std::uint64_t>(1) : std::nullopt;
    commit.directory.push_back({key, value});
    store_.store().Submit(std::move(commit), [](auto committed) { EXPECT_TRUE(committed); });
    WaitForCommits();
  }
  void WaitForCommits() {
    const auto tx = store_.Begin(kPool);
    tx->Put<OutboxKind>("wait", pb::OutboxRecord());
    EXPECT_TRUE(store_.Commit(*tx));
  }
  std::optional<Bytes> Stored(const storage::Key& key) { return *store_.store().MakeSnapshot()->Get(key); }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
  int commit_count_ = 0;
};

TEST_F(TransactionTest, CommittedRecordIsReadBack) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("admins")); });
  EXPECT_EQ(store_.See(kPool, [](Transaction& tx) { return tx.Get<GroupKind>("g")->name(); }), "admins");
  EXPECT_FALSE(store_.See(kPool, [](Transaction& tx) { return tx.Get<GroupKind>("other"); }));
}

TEST_F(TransactionTest, PlanSeesItsOwnChangesAndNobodyElseDoes) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("old", Group("old")); });
  const auto tx = store_.Begin(kPool);
  tx->Put<GroupKind>("new", Group("new"));
  tx->Delete<GroupKind>("old");
  EXPECT_EQ(tx->Get<GroupKind>("new")->name(), "new");
  EXPECT_FALSE(tx->Get<GroupKind>("old"));
  tx->Put<GroupKind>("old", Group("again"));
  EXPECT_EQ(tx->Get<GroupKind>("old")->name(), "again");

  store_.See(kPool, [](Transaction& other) {
    EXPECT_FALSE(other.Get<GroupKind>("new"));
    EXPECT_EQ(other.Get<GroupKind>("old")->name(), "old");
    return true;
  });
}

TEST_F(TransactionTest, ReadsStayAtOneSnapshot) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("before")); });
  const auto tx = store_.Begin(kPool);
  store_.Change(kPool, [](Transaction& other) { other.Put<GroupKind>("g", Group("after")); });
  EXPECT_EQ(tx->Get<GroupKind>("g")->name(), "before");
}

TEST_F(TransactionTest, CommitNamesEverythingRead) {
  const auto tx = store_.Begin(kPool);
  const std::uint64_t version = tx->snapshot().version();
  (void)tx->Get<GroupKind>("g");
  (void)tx->Get<DomainKind>("d");
  (void)tx->GetClear(RecordType::kRole, "");
  (void)tx->GetFact(kFactType, "f");
  (void)tx->Scan<UserKind>("pre", std::nullopt, 10);
  tx->Put<GroupKind>("written", Group("w"));
  (void)tx->Get<GroupKind>("written");  // its own
  const storage::Commit commit = tx->TakeCommit();
  EXPECT_EQ(commit.pool, kPool);
  EXPECT_EQ(commit.snapshot_version, version);
  EXPECT_THAT(commit.reads, ElementsAre(KeyOf<GroupKind>("g"), KeyOf<DomainKind>("d"),
                                        storage::Key{storage::Space::kDirectory, kPool,
                                                     static_cast<std::uint16_t>(RecordType::kRole), ""},
                                        storage::Key{storage::Space::kFact, kPool, kFactType, "f"}));
  ASSERT_EQ(commit.range_reads.size(), 1u);
  EXPECT_EQ(commit.range_reads[0].type, static_cast<std::uint16_t>(RecordType::kUser));
  EXPECT_EQ(commit.range_reads[0].id_prefix, "pre");
  ASSERT_EQ(commit.directory.size(), 1u);
  EXPECT_EQ(commit.directory[0].key, KeyOf<GroupKind>("written"));
}

TEST_F(TransactionTest, ChangeOfARecordThatWasReadIsAConflict) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("0")); });
  const auto first = store_.Begin(kPool), second = store_.Begin(kPool);
  for (const auto* tx : {&first, &second}) {
    EXPECT_EQ((*tx)->Get<GroupKind>("g")->name(), "0");
    (*tx)->Put<GroupKind>("g", Group("1"));
  }
  EXPECT_TRUE(store_.Commit(*first));
  EXPECT_EQ(store_.Commit(*second).error().code, StoreErrorCode::kConflict);
}

TEST_F(TransactionTest, AbsentRecordThatAppearsIsAConflict) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("0")); });
  const auto first = store_.Begin(kPool), second = store_.Begin(kPool);
  for (const auto* tx : {&first, &second}) {
    EXPECT_FALSE((*tx)->Get<GroupKind>("new"));
    (*tx)->Put<GroupKind>("new", Group("new"));
  }
  EXPECT_TRUE(store_.Commit(*first));
  EXPECT_EQ(store_.Commit(*second).error().code, StoreErrorCode::kConflict);
}

TEST_F(TransactionTest, RecordThatAppearsInAScannedRangeIsAConflict) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("a1", Group("0")); });
  const auto scanned = store_.Begin(kPool), elsewhere = store_.Begin(kPool);
  EXPECT_EQ(scanned->Scan<GroupKind>("a", std::nullopt, 10).rows.size(), 1u);
  EXPECT_THAT(elsewhere->Scan<GroupKind>("b", std::nullopt, 10).rows, IsEmpty());
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("a2", Group("new")); });
  scanned->Put<GroupKind>("count", Group("1"));
  elsewhere->Put<GroupKind>("count", Group("0"));
  EXPECT_EQ(store_.Commit(*scanned).error().code, StoreErrorCode::kConflict);
  EXPECT_TRUE(store_.Commit(*elsewhere));
}

TEST_F(TransactionTest, ScanAnswersPagesInOrder) {
  store_.Change(kPool, [](Transaction& tx) {
    for (const char* id : {"p3", "p1", "p2", "q1"}) tx.Put<GroupKind>(id, Group(id));
  });
  const auto tx = store_.Begin(kPool);
  const auto first = tx->Scan<GroupKind>("p", std::nullopt, 2);
  ASSERT_EQ(first.rows.size(), 2u);
  EXPECT_EQ(first.rows[0].record.name(), "p1");
  EXPECT_EQ(first.rows[1].id, "p2");
  EXPECT_EQ(first.next, "p2");
  const auto second = tx->Scan<GroupKind>("p", first.next, 2);
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_EQ(second.rows[0].record.name(), "p3");
  EXPECT_FALSE(second.next);
}

TEST_F(TransactionTest, SealedKindsHideTheirContentAndClearKindsShowIt) {
  store_.Change(kPool, [](Transaction& tx) {
    tx.Put<GroupKind>("g", Group("a secret name"));
    tx.Put<DomainKind>("d", Domain(17));
    tx.PutClear(RecordType::kRole, "", "role octets");
  });
  const auto sealed = Stored(KeyOf<GroupKind>("g"));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->find("secret"), Bytes::npos);
  EXPECT_EQ(*Stored(KeyOf<DomainKind>("d")), Domain(17).SerializeAsString());
  EXPECT_EQ(store_.See(kPool, [](Transaction& tx) { return tx.GetClear(RecordType::kRole, ""); }), "role octets");
}

TEST_F(TransactionTest, ClearRecordsAreReadWithoutKeys) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<DomainKind>("d", Domain(17)); });
  Transaction tx(std::shared_ptr<const storage::Snapshot>(store_.store().MakeSnapshot()), kPool, nullptr,
                 store_.random());
  EXPECT_EQ(tx.Get<DomainKind>("d")->created_micros(), 17);
  EXPECT_FALSE(tx.failure());
}

TEST_F(TransactionTest, TwoSealsOfOneRecordDiffer) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("same")); });
  const auto first = Stored(KeyOf<GroupKind>("g"));
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("same")); });
  EXPECT_NE(Stored(KeyOf<GroupKind>("g")), first);
}

TEST_F(TransactionTest, CorruptSealedRecordIsAFailureThatStays) {
  StoreRaw(KeyOf<GroupKind>("bad"), "not sealed by anybody");
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("good", Group("good")); });
  const auto tx = store_.Begin(kPool);
  EXPECT_TRUE(tx->Get<GroupKind>("good"));
  EXPECT_FALSE(tx->failure());
  EXPECT_FALSE(tx->Get<GroupKind>("bad"));
  ASSERT_TRUE(tx->failure());
  EXPECT_EQ(tx->failure()->cause, TransactionFailure::Cause::kSealed);
  EXPECT_NE(tx->failure()->detail.find(kPool.value()), std::string::npos);
  // Nothing that is read from then on can make a plan go on with half a picture.
  EXPECT_FALSE(tx->Get<GroupKind>("good"));
  EXPECT_EQ(tx->failure()->cause, TransactionFailure::Cause::kSealed);
}

TEST_F(TransactionTest, RecordMovedToAnotherPlaceDoesNotOpen) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("victim", Group("admins")); });
  commit_count_ = 1;
  StoreRaw(KeyOf<GroupKind>("elsewhere"), *Stored(KeyOf<GroupKind>("victim")));
  StoreRaw(KeyOf<ResourceServerKind>("victim"), *Stored(KeyOf<GroupKind>("victim")));
  const auto by_id = store_.Begin(kPool), by_type = store_.Begin(kPool);
  EXPECT_FALSE(by_id->Get<GroupKind>("elsewhere"));
  EXPECT_TRUE(by_id->failure());
  EXPECT_FALSE(by_type->Get<ResourceServerKind>("victim"));
  EXPECT_TRUE(by_type->failure());
}

TEST_F(TransactionTest, RecordOfAnotherPoolDoesNotOpen) {
  const PoolId other("eu-central-1_Other");
  store_.Change(other, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("theirs")); });
  storage::Key theirs = KeyOf<GroupKind>("g");
  theirs.pool = other;
  StoreRaw(KeyOf<GroupKind>("g"), *Stored(theirs));
  const auto tx = store_.Begin(kPool);
  EXPECT_FALSE(tx->Get<GroupKind>("g"));
  EXPECT_TRUE(tx->failure());
}

TEST_F(TransactionTest, CorruptRecordInAScanFailsTheScan) {
  StoreRaw(KeyOf<GroupKind>("b"), "not sealed by anybody");
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("a", Group("good")); });
  const auto tx = store_.Begin(kPool);
  EXPECT_THAT(tx->Scan<GroupKind>("", std::nullopt, 10).rows, IsEmpty());
  EXPECT_TRUE(tx->failure());
}

TEST_F(TransactionTest, ClearRecordOfAnotherFormatIsAFailure) {
  StoreRaw(KeyOf<DomainKind>("d"), "\xff\xff\xff");
  const auto got = store_.Begin(kPool), scanned = store_.Begin(kPool);
  EXPECT_FALSE(got->Get<DomainKind>("d"));
  EXPECT_EQ(got->failure()->cause, TransactionFailure::Cause::kFormat);
  EXPECT_THAT(scanned->Scan<DomainKind>("", std::nullopt, 10).rows, IsEmpty());
  EXPECT_EQ(scanned->failure()->cause, TransactionFailure::Cause::kFormat);
}

TEST_F(TransactionTest, RegionalRecordsAreNoEntryOfTheLog) {
  store_.Change(kPool, [](Transaction& tx) { tx.Put<GroupKind>("g", Group("0")); });
  const auto head = *store_.store().MakeSnapshot()->Head(kPool);
  const auto tx = store_.Begin(kPool);
  tx->Put<OutboxKind>("o", pb::OutboxRecord());
  EXPECT_TRUE(tx->has_changes());
  EXPECT_FALSE(tx->changes_directory());
  const auto committed = store_.Commit(*tx);
  ASSERT_TRUE(committed);
  EXPECT_FALSE(committed->position);
  EXPECT_EQ((*store_.store().MakeSnapshot()->Head(kPool))->sequence(), head->sequence());
  EXPECT_TRUE(store_.See(kPool, [](Transaction& again) { return again.Get<OutboxKind>("o"); }));
}

TEST_F(TransactionTest, RecordOfNoPoolIsSharedByTheRegionsPools) {
  const PoolId other("eu-central-1_Other");
  pb::DomainClaim claim;
  claim.set_pool(kPool.value());
  store_.Change(kPool, [&](Transaction& tx) {
    tx.Put<DomainClaimKind>("d", claim);
    tx.Put<DomainKind>("d", Domain(17));
  });
  const auto theirs = store_.Begin(other);
  EXPECT_EQ(theirs->Get<DomainClaimKind>("d")->pool(), kPool.value());
  EXPECT_FALSE(theirs->Get<DomainKind>("d"));
  EXPECT_EQ(theirs->GetOf<DomainKind>(kPool, "d")->created_micros(), 17);

  // Both are read, so that two pools that write what they both have read are in conflict.
  const auto ours = store_.Begin(kPool);
  EXPECT_TRUE(ours->Get<DomainClaimKind>("d"));
  ours->Delete<DomainClaimKind>("d");
  theirs->Put<DomainClaimKind>("d", claim);
  EXPECT_TRUE(store_.Commit(*ours));
  EXPECT_EQ(store_.Commit(*theirs).error().code, StoreErrorCode::kConflict);

  const auto reader = store_.Begin(other);
  EXPECT_TRUE(reader->GetOf<DomainKind>(kPool, "d"));
  reader->Put<GroupKind>("g", Group("g"));
  store_.Change(kPool, [](Transaction& tx) { tx.Delete<DomainKind>("d"); });
  EXPECT_EQ(store_.Commit(*reader).error().code, StoreErrorCode::kConflict);
}

TEST_F(TransactionTest, FactsJoinWithWhatIsThereAndWithTheirOwn) {
  storage::pb::FactValue three, five;
  three.set_maximum(3);
  three.add_elements("a");
  five.set_maximum(5);
  five.add_elements("b");
  store_.Change(kPool, [&](Transaction& tx) { tx.JoinFact(kFactType, "f", three); });
  const auto tx = store_.Begin(kPool);
  EXPECT_FALSE(tx->GetFact(kFactType, "nothing"));
  tx->JoinFact(kFactType, "f", five);
  tx->JoinFact(kFactType, "new", three);
  EXPECT_TRUE(tx->has_changes());
  EXPECT_FALSE(tx->changes_directory());
  const auto joined = tx->GetFact(kFactType, "f");
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->maximum(), 5u);
  EXPECT_THAT(joined->elements(), ElementsAre("a", "b"));
  EXPECT_EQ(tx->GetFact(kFactType, "new")->maximum(), 3u);
  ASSERT_TRUE(store_.Commit(*tx));
  const auto stored = store_.See(kPool, [](Transaction& again) { return again.GetFact(kFactType, "f"); });
  EXPECT_EQ(stored->maximum(), 5u);
  EXPECT_THAT(stored->elements(), ElementsAre("a", "b"));
}

TEST_F(TransactionTest, FactsSaidWithoutReadingThemNeverConflict) {
  storage::pb::FactValue value;
  value.set_maximum(1);
  const auto first = store_.Begin(kPool), second = store_.Begin(kPool), reader = store_.Begin(kPool);
  first->JoinFact(kFactType, "f", value);
  second->JoinFact(kFactType, "f", value);
  EXPECT_FALSE(reader->GetFact(kFactType, "f"));
  reader->JoinFact(kFactType, "f", value);
  EXPECT_TRUE(store_.Commit(*first));
  EXPECT_TRUE(store_.Commit(*second));
  EXPECT_EQ(store_.Commit(*reader).error().code, StoreErrorCode::kConflict);
}

}  // namespace
}  // namespace symbolon::directory
