// The store contract: facts, their logs, merging and forgetting.
#pragma once

#include "storage/contract/fixture.h"
#include "storage/horizon.h"

namespace symbolon::storage {

inline pb::FactValue FactNow(Store& store, const Bytes& id) {
  pb::FactValue value;
  const std::optional<Bytes> octets = ReadNow(store, FactKey(id));
  EXPECT_TRUE(octets) << "no fact " << id;
  if (octets) EXPECT_TRUE(value.ParseFromString(*octets));
  return value;
}

inline std::vector<Bytes> ElementsNow(Store& store, const Bytes& id) {
  const pb::FactValue value = FactNow(store, id);
  return {value.elements().begin(), value.elements().end()};
}

inline Timestamp HorizonOf(Store& store) {
  const StoreResult<Timestamp> horizon = ForgottenBefore(*store.MakeSnapshot(), kTestPool);
  EXPECT_TRUE(horizon);
  return horizon ? *horizon : Timestamp();
}

// The number up to which `at` knows the facts of the store `of`.
inline std::uint64_t KnownFacts(Store& at, const Store& of) {
  const StoreResult<pb::FactVector> vector = at.MakeSnapshot()->Facts(kTestPool);
  EXPECT_TRUE(vector);
  for (const pb::FactProgress& progress : vector->progress()) {
    if (progress.region() == of.region().value() && progress.incarnation() == of.incarnation())
      return progress.number();
  }
  return 0;
}

// Ships the facts of the store `of` that `to` lacks, as `from` has them.
inline void ExchangeFacts(Store& from, Store& to, const Store& of, std::size_t limit_bytes = 1 << 20) {
  while (KnownFacts(to, of) < KnownFacts(from, of)) {
    StoreResult<std::vector<pb::FactEntry>> entries =
        from.ReadFacts(kTestPool, of.region(), of.incarnation(), KnownFacts(to, of) + 1, limit_bytes);
    ASSERT_TRUE(entries && !entries->empty());
    const StoreResult<void> merged = MergeAndWait(to, kTestPool, *std::move(entries));
    ASSERT_TRUE(merged) << merged.error().detail;
  }
}

TEST_P(StoreContract, AcceptedFactsAreJoinedAndNumberedWithoutGaps) {
  MustCommit(FactCommit("family", Elements({"b"})));
  Commit both = FactCommit("family", Elements({"a", "b"}));
  both.facts.push_back({FactKey("user"), Elements({"x"})});
  MustCommit(both);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ElementsNow(store(), "family"), (std::vector<Bytes>{"a", "b"}));
    EXPECT_EQ(KnownFacts(store(), store()), 3u);
    const auto entries = store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ((*entries)[i].number(), i + 1);
      EXPECT_EQ((*entries)[i].region(), kRegion.value());
      EXPECT_EQ((*entries)[i].forgotten_before(), 0u);
    }
    EXPECT_EQ((*entries)[1].key(), Bytes("\0\3family", 8));
    Reopen();
  }
}

inline std::vector<std::uint64_t> NumbersKept(Store& at, const Store& of) {
  std::vector<std::uint64_t> numbers;
  const auto entries = at.ReadFacts(kTestPool, of.region(), of.incarnation(), 1, 1 << 20);
  EXPECT_TRUE(entries);
  if (!entries) return numbers;
  for (const pb::FactEntry& entry : *entries) numbers.push_back(entry.number());
  return numbers;
}

// That every member has the log of `of` up to this number.
inline pb::FactVector Held(const Store& of, std::uint64_t number) {
  pb::FactVector held;
  pb::FactProgress& progress = *held.add_progress();
  progress.set_region(of.region().value());
  progress.set_incarnation(of.incarnation());
  progress.set_number(number);
  return held;
}

TEST_P(StoreContract, EntryGoesWhenEveryMemberHasTheOneThatSaysItAgain) {
  using Numbers = std::vector<std::uint64_t>;
  for (const char* id : {"f1", "f2", "f3"}) MustCommit(FactCommit(id, Elements({"x"})));
  MustCommit(FactCommit("f1", Elements({"y"})));  // 4 says 1 again
  MustCommit(FactCommit("f4", Elements({"x"})));
  MustCommit(FactCommit("f1", Elements({"z"})));  // 6 says 4 again
  EXPECT_EQ(*store().CompactFacts(kTestPool, Held(store(), 3), 100), 0u);
  EXPECT_EQ(NumbersKept(store(), store()), (Numbers{1, 2, 3, 4, 5, 6}));
  // A member that is past 4 and not at 6 may go on to serve others: it must have had 4.
  EXPECT_EQ(*store().CompactFacts(kTestPool, Held(store(), 5), 100), 1u);
  EXPECT_EQ(NumbersKept(store(), store()), (Numbers{2, 3, 4, 5, 6}));
  Reopen();
  EXPECT_EQ(*store().CompactFacts(kTestPool, Held(store(), 6), 100), 1u);
  EXPECT_EQ(*store().CompactFacts(kTestPool, Held(store(), 6), 100), 0u);
  EXPECT_EQ(NumbersKept(store(), store()), (Numbers{2, 3, 5, 6}));
  EXPECT_EQ(KnownFacts(store(), store()), 6u);
  // What is left says it all, to whoever comes, whole or in pieces.
  ExchangeFacts(store(), other(), store(), 1);
  EXPECT_EQ(KnownFacts(other(), store()), 6u);
  EXPECT_EQ(ElementsNow(other(), "f1"), (std::vector<Bytes>{"x", "y", "z"}));
  EXPECT_EQ(NumbersKept(other(), store()), (Numbers{2, 3, 5, 6}));
}

TEST_P(StoreContract, FactSaidAgainAndAgainKeepsOneEntryInEveryRegion) {
  for (int i = 0; i < 100; ++i) {
    MustCommit(FactCommit("toggled", Elements({Bytes(1, static_cast<char>('a' + i % 3))})));
    MustCommit(FactCommit("attempts", Elements({"x"}, 1'000 + i)));
    if (i % 30 != 0) continue;
    ExchangeFacts(store(), other(), store());
    for (Store* at : {&store(), &other()}) {
      ASSERT_TRUE(at->CompactFacts(kTestPool, Held(store(), KnownFacts(other(), store())), 1'000));
      EXPECT_EQ(NumbersKept(*at, store()).size(), 2u) << i;
    }
  }
  ExchangeFacts(store(), other(), store());
  for (Store* at : {&store(), &other()}) {
    ASSERT_TRUE(at->CompactFacts(kTestPool, Held(store(), 200), 1'000));
    EXPECT_EQ(NumbersKept(*at, store()), (std::vector<std::uint64_t>{199, 200}));
    EXPECT_EQ(ElementsNow(*at, "toggled"), (std::vector<Bytes>{"a", "b", "c"}));
  }
  // Expiry leaves nothing of it, and what was forgotten is not said again.
  while (*store().ForgetExpiredFacts(FromMicros(2'000), 100) > 0) {
  }
  EXPECT_EQ(ReadNow(store(), FactKey("attempts")), std::nullopt);
  MustCommit(FactCommit("attempts", Elements({"y"}, 5'000)));
  EXPECT_EQ(ElementsNow(store(), "attempts"), (std::vector<Bytes>{"y"}));
  const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 200, 1 << 20);
  EXPECT_EQ(entries.back().value().elements_size(), 1);
}

// The other store has it for a longer time, because of what it has said itself.
TEST_P(StoreContract, AFactIsForgottenWhereItWasSaidAndSaidAgain_WhatWasSaidBeforeIsNotDroppedElsewhere) {
  const auto say = [&](const Bytes& element, std::int64_t expires_at_micros) {
    const std::uint64_t known = KnownFacts(store(), store());
    MustCommit(FactCommit("family", Elements({element}, expires_at_micros)));
    auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), known + 1, 1 << 20);
    ASSERT_EQ(entries.size(), 1u);
    entries[0].mutable_proof()->set_signature("signature");
    ASSERT_TRUE(MergeAndWait(other(), kTestPool, entries));
  };
  say("revoked", 100);
  MustCommitAt(other(), FactCommit("family", Elements({"longer"}, 900)));
  ASSERT_EQ(*store().ForgetExpiredFacts(FromMicros(150), 100), 1u);
  say("again", 500);
  say("and again", 600);
  ASSERT_EQ(*other().CompactFacts(kTestPool, Held(store(), 3), 100), 1u);
  EXPECT_EQ(NumbersKept(other(), store()), (std::vector<std::uint64_t>{1, 3}));
  const auto third = GetParam().make();
  third->Open(Region("ap-south-1"));
  ExchangeFacts(other(), third->store(), store());
  EXPECT_EQ(ElementsNow(third->store(), "family"), (std::vector<Bytes>{"again", "and again", "revoked"}));
}

TEST_P(StoreContract, EntryThatOutlivesItsTimeGoesWithItsFact) {
  MustCommit(FactCommit("early", Elements({"x"}, 100)));
  MustCommitAt(other(), FactCommit("early", Elements({"y"}, 300)));
  ExchangeFacts(other(), store(), other());
  EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(150), 100), 0u);
  MustCommit(FactCommit("early", Elements({"z"}, 200)));
  ASSERT_EQ(*store().CompactFacts(kTestPool, Held(store(), 2), 100), 1u);
  EXPECT_EQ(NumbersKept(store(), store()), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(301), 100), 1u);
  EXPECT_EQ(ReadNow(store(), FactKey("early")), std::nullopt);
  const auto left = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_TRUE(left[0].key().empty());
}

TEST_P(StoreContract, FactsMergeBothWaysToTheSameOctets) {
  MustCommit(FactCommit("family", Elements({"here"}, 100)));
  pb::FactValue counted;
  (*counted.mutable_region_maximum())["a"] = 1;
  (*counted.mutable_region_maximum())["b"] = 2;
  (*counted.mutable_region_maximum())["c"] = 3;
  MustCommit(FactCommit("attempts", counted));
  MustCommitAt(other(), FactCommit("family", Elements({"there"}, 200)));
  (*counted.mutable_region_maximum())["b"] = 7;
  MustCommitAt(other(), FactCommit("attempts", counted));

  ExchangeFacts(store(), other(), store(), 1);
  ExchangeFacts(other(), store(), other(), 1);
  EXPECT_EQ(ElementsNow(store(), "family"), (std::vector<Bytes>{"here", "there"}));
  for (const char* id : {"family", "attempts"}) {
    EXPECT_EQ(ReadNow(store(), FactKey(id)), ReadNow(other(), FactKey(id))) << id;
  }
  EXPECT_EQ(KnownFacts(store(), other()), 2u);
  EXPECT_EQ(KnownFacts(other(), store()), 2u);

  // What was merged can be passed on.
  const auto passed_on = other().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_TRUE(passed_on);
  EXPECT_EQ(passed_on->size(), 2u);
}

TEST_P(StoreContract, AnEntryWithAProofStaysAsItCameHoweverLongItIsKept) {
  MustCommit(FactCommit("family", Elements({"a"}, 100)));
  auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  pb::FactEntry second = entries[0];
  second.set_number(2);
  second.mutable_value()->clear_elements();
  second.mutable_value()->add_elements("b");
  for (pb::FactEntry* entry : {&entries[0], &second}) {
    entry->mutable_proof()->set_signature("signature");
    entry->mutable_proof()->add_path(Bytes(32, 'p'));
  }
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, {entries[0], second}));
  EXPECT_EQ(ElementsNow(other(), "family"), (std::vector<Bytes>{"a", "b"}));
  const auto passed_on = *other().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_EQ(passed_on.size(), 2u);
  EXPECT_EQ(passed_on[1].SerializeAsString(), second.SerializeAsString());

  // The fact lives on because of what another Region said, and the entry with it.
  MustCommitAt(other(), FactCommit("family", Elements({"c"}, 300)));
  EXPECT_EQ(*other().ForgetExpiredFacts(FromMicros(150), 100), 0u);
  const auto kept = *other().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[1].value().expires_at_micros(), 100);
  EXPECT_EQ(kept[1].kept_until_micros(), 300);
  EXPECT_EQ(*other().ForgetExpiredFacts(FromMicros(301), 100), 1u);
  EXPECT_EQ(ReadNow(other(), FactKey("family")), std::nullopt);
  EXPECT_TRUE((*other().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20))[0].key().empty());

  second.set_number(3);
  second.mutable_proof()->set_signature(Bytes(1'000, 's'));
  EXPECT_EQ(CodeOf(MergeAndWait(other(), kTestPool, {second})), StoreErrorCode::kCorrupt);
}

TEST_P(StoreContract, KnownFactsAreSkippedAndGapsChangeNothing) {
  for (int i = 1; i <= 5; ++i) MustCommit(FactCommit("f" + std::to_string(i), Elements({"x"})));
  const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, {entries[0], entries[1]}));
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, {entries[0], entries[1], entries[2]}));
  EXPECT_EQ(KnownFacts(other(), store()), 3u);
  const std::uint64_t version = other().MakeSnapshot()->version();
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, {entries[1]}));
  EXPECT_EQ(other().MakeSnapshot()->version(), version) << "nothing changed";
  EXPECT_EQ(CodeOf(MergeAndWait(other(), kTestPool, {entries[4]})), StoreErrorCode::kGap);
  EXPECT_EQ(KnownFacts(other(), store()), 3u);
  EXPECT_EQ(ReadNow(other(), FactKey("f5")), std::nullopt);

  pb::FactEntry own = entries[0];
  own.set_region(kOtherRegion.value());
  own.set_incarnation(other().incarnation());
  EXPECT_EQ(CodeOf(MergeAndWait(other(), kTestPool, {own})), StoreErrorCode::kGap);
  pb::FactEntry malformed = entries[3];
  malformed.set_key("x");
  EXPECT_EQ(CodeOf(MergeAndWait(other(), kTestPool, {malformed})), StoreErrorCode::kCorrupt);
  malformed = entries[3];
  malformed.set_forgotten_before(4);
  EXPECT_EQ(CodeOf(MergeAndWait(other(), kTestPool, {malformed})), StoreErrorCode::kCorrupt);
}

TEST_P(StoreContract, OneFactLogHasAGapOrIsMalformed_TheOthersAreMergedAndTheErrorIsAnswered) {
  for (int i = 1; i <= 3; ++i) MustCommit(FactCommit("f" + std::to_string(i), Elements({"x"})));
  const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  const auto said_elsewhere = [&](const Bytes& incarnation, const pb::FactEntry& entry) {
    pb::FactEntry said = entry;
    said.set_incarnation(incarnation);
    return said;
  };
  pb::FactEntry endless = said_elsewhere("malformed", entries[0]);
  endless.set_number(~std::uint64_t{0});
  endless.set_forgotten_before(~std::uint64_t{0} - 1);
  endless.clear_key();
  const auto merged =
      MergeAndWait(other(), kTestPool,
                   {said_elsewhere("gap", entries[0]), said_elsewhere("gap", entries[2]), endless, entries[0],
                    said_elsewhere("malformed", entries[0]), entries[1], said_elsewhere("gap", entries[1])});
  EXPECT_EQ(CodeOf(merged), StoreErrorCode::kGap);
  EXPECT_EQ(KnownFacts(other(), store()), 2u);
  const auto known = *other().MakeSnapshot()->Facts(kTestPool);
  EXPECT_EQ(ProgressOf(known, kRegion.value(), "gap"), 1u) << "nothing of a log that has ended, before the next merge";
  EXPECT_EQ(ProgressOf(known, kRegion.value(), "malformed"), 0u);
  EXPECT_NE(ReadNow(other(), FactKey("f2")), std::nullopt);
  EXPECT_EQ(ReadNow(other(), FactKey("f3")), std::nullopt);
}

// Its entry took over the end of the fact, which was forgotten in the same run.
TEST_P(StoreContract, WhatWasSaidOfAForgottenFactIsNotSaidAgain) {
  MustCommit(FactCommit("f", Elements({"mine"}, 100)));
  const auto own = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  const auto said_elsewhere = [&](std::uint64_t number, const char* what, std::int64_t expiry) {
    pb::FactEntry said = own.front();
    said.set_incarnation("another store");
    said.set_number(number);
    *said.mutable_value() = Elements({what}, expiry);
    return said;
  };
  ASSERT_TRUE(MergeAndWait(store(), kTestPool, {said_elsewhere(1, "theirs", 150)}));
  ASSERT_EQ(*store().ForgetExpiredFacts(FromMicros(200), 100), 1u);
  ASSERT_EQ(ReadNow(store(), FactKey("f")), std::nullopt);
  ASSERT_TRUE(MergeAndWait(store(), kTestPool, {said_elsewhere(2, "later", 900)}));
  MustCommit(FactCommit("f", Elements({"again"}, 900)));
  const auto now = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  EXPECT_EQ(now.back().value().SerializeAsString(), Elements({"again"}, 900).SerializeAsString());
}

TEST_P(StoreContract, ExpiredFactsGoWithTheirLogEntriesAndDoNotComeBack) {
  MustCommit(FactCommit("early", Elements({"x"}, 100)));
  MustCommit(FactCommit("late", Elements({"x"}, 900)));
  MustCommit(FactCommit("ever", Elements({"x"})));
  MustCommit(FactCommit("early", Elements({"y"}, 200)));
  const auto before = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);

  EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(150), 100), 0u) << "it expires at 200 by now";
  EXPECT_EQ(store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20)->front().number(), 1u)
      << "log entries stay as long as their fact";
  EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(500), 100), 1u);
  while (*store().ForgetExpiredFacts(FromMicros(500), 100) > 0) {
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadNow(store(), FactKey("early")), std::nullopt);
    EXPECT_TRUE(ReadNow(store(), FactKey("late")));
    EXPECT_TRUE(ReadNow(store(), FactKey("ever")));
    EXPECT_EQ(KnownFacts(store(), store()), 4u);
    const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].number(), 2u);
    EXPECT_EQ(entries[0].forgotten_before(), 1u);
    EXPECT_EQ(entries[1].number(), 3u);
    EXPECT_EQ(entries[1].forgotten_before(), 0u);
    EXPECT_EQ(entries[2].number(), 4u) << "the forgotten end is told too";
    EXPECT_TRUE(entries[2].key().empty());
    EXPECT_EQ(CodeOf(SubmitAndWait(store(), FactCommit("early", Elements({"x"}, 150)))), StoreErrorCode::kExpired);
    Reopen();
  }

  // The other Region learns what is left, and that nothing is missing.
  ExchangeFacts(store(), other(), store());
  EXPECT_EQ(KnownFacts(other(), store()), 4u);
  EXPECT_EQ(ReadNow(other(), FactKey("early")), std::nullopt);
  EXPECT_TRUE(ReadNow(other(), FactKey("late")));

  // A third party that still has them cannot bring them back: the vector advances, the fact does not return.
  std::vector<pb::FactEntry> relayed = before;
  for (pb::FactEntry& entry : relayed) entry.set_incarnation("another store");
  ASSERT_TRUE(MergeAndWait(store(), kTestPool, relayed));
  EXPECT_EQ(ReadNow(store(), FactKey("early")), std::nullopt);
  const auto kept = *store().ReadFacts(kTestPool, kRegion, "another store", 1, 1 << 20);
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(kept.back().number(), 4u);
}

// By a clock that was ahead: what is gone may be needed again.
TEST_P(StoreContract, WhoeverGetsFactsFromWhereSomeWereForgotten_HasForgottenThemToo) {
  MustCommit(FactCommit("revoked", Elements({"x"}, 1'000)));
  MustCommit(FactCommit("ever", Elements({"x"})));
  ASSERT_EQ(*store().ForgetExpiredFacts(FromMicros(2'000), 100), 1u);
  ExchangeFacts(store(), other(), store());
  EXPECT_EQ(KnownFacts(other(), store()), 2u);
  EXPECT_EQ(HorizonOf(other()), FromMicros(1'001));
  EXPECT_EQ(CodeOf(SubmitAndWait(other(), FactCommit("revoked", Elements({"y"}, 900)))), StoreErrorCode::kExpired);
  EXPECT_TRUE(SubmitAndWait(other(), FactCommit("later", Elements({"y"}, 1'001))));

  // And whoever gets them from there.
  const auto third = GetParam().make();
  third->Open(Region("ap-south-1"));
  ExchangeFacts(other(), third->store(), store());
  EXPECT_EQ(HorizonOf(third->store()), FromMicros(1'001));
  third->Close();
  third->Open(Region("ap-south-1"));
  EXPECT_EQ(HorizonOf(third->store()), FromMicros(1'001));
}

TEST_P(StoreContract, WhoeverHadAllFactsBeforeSomeWereForgottenElsewhere_HasForgottenNothing) {
  MustCommit(FactCommit("revoked", Elements({"x"}, 1'000)));
  ExchangeFacts(store(), other(), store());
  ASSERT_EQ(*store().ForgetExpiredFacts(FromMicros(2'000), 100), 1u);
  MustCommit(FactCommit("later", Elements({"x"}, 3'000)));
  // From the beginning, as after a connection is lost.
  const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_EQ(entries.back().forgotten_before(), 1u);
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, entries));
  EXPECT_EQ(KnownFacts(other(), store()), 2u);
  EXPECT_EQ(HorizonOf(other()), Timestamp());
  EXPECT_TRUE(ReadNow(other(), FactKey("revoked")));
  for (const pb::FactEntry& kept : *other().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20)) {
    EXPECT_EQ(kept.forgotten_until_micros(), 0);
  }
}

TEST_P(StoreContract, AForgottenFactIsAConflictForWhoeverReadIt) {
  MustCommit(FactCommit("code", Elements({"used"}, 100)));
  Commit stale;
  stale.regional = {{RegionalKey("x"), "1"}};
  stale.snapshot_version = store().MakeSnapshot()->version();
  stale.reads = {FactKey("code")};
  ASSERT_EQ(*store().ForgetExpiredFacts(FromMicros(101), 10), 1u);
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), StoreErrorCode::kConflict);
}

TEST_P(StoreContract, AMergedFactIsAConflictForWhoeverReadIt) {
  MustCommit(FactCommit("code", Elements({"used"})));
  Commit stale = FactCommit("code", Elements({"used"}));
  stale.snapshot_version = other().MakeSnapshot()->version();
  stale.reads = {FactKey("code")};
  ExchangeFacts(store(), other(), store());
  EXPECT_EQ(CodeOf(SubmitAndWait(other(), stale)), StoreErrorCode::kConflict);
}

TEST_P(StoreContract, ForgettingIsBoundedAndOldestFirstWithinAPool) {
  for (int i = 0; i < 20; ++i) MustCommit(FactCommit("f" + std::to_string(i), Elements({"x"}, 100 + i)));
  const PoolId second{"eu-central-1_Test00002"};
  MustCommit(FactCommit("other pool", Elements({"x"}, 50), second));
  EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(1000), 5), 5u);
  EXPECT_EQ(ReadNow(store(), FactKey("f4")), std::nullopt);
  EXPECT_TRUE(ReadNow(store(), FactKey("f5")));
  std::size_t forgotten = 5;
  while (const std::size_t more = *store().ForgetExpiredFacts(FromMicros(1000), 5)) forgotten += more;
  EXPECT_EQ(forgotten, 21u);
  EXPECT_EQ(ReadNow(store(), FactKey("other pool", second)), std::nullopt);
  // It is known how much may be missing, of each pool.
  EXPECT_EQ(*ForgottenBefore(*store().MakeSnapshot(), kTestPool), FromMicros(120));
  EXPECT_EQ(*ForgottenBefore(*store().MakeSnapshot(), second), FromMicros(51));
  EXPECT_EQ(*ForgottenBefore(*store().MakeSnapshot(), PoolId("eu-central-1_Test00003")), Timestamp());
  // All that is left of the log is that it was.
  const auto entries = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1 << 20);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].number(), 20u);
  EXPECT_EQ(entries[0].forgotten_before(), 19u);
}

}  // namespace symbolon::storage
