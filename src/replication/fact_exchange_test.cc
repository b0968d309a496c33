// What a consumer takes of the facts that a supplier passes on.
#include "replication/fact_exchange.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "storage/horizon.h"
#include "storage/local_store.h"
#include "storage/log.h"
#include "storage/memory/memory_engine.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::replication {
namespace {

using storage::pb::FactEntry;

const PoolId kPool("eu-central-1_Pool00001");
const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const Region kAsia("ap-south-1");
const Bytes kAsiaStore("asia's store");

// kAway asks kHome. Facts are said by kAsia, which is not there unless a test says so.
class FactExchangeTest : public testing::Test {
 protected:
  FactExchangeTest() {
    log::SetLevel(log::Level::kOff);
    asia_.log_keys = {asia_signer_.public_key()};
    asia_.pinned = true;
    EXPECT_TRUE(CarryOut(consumer_.Start())->again());
  }

  // Fact `number` of kAsia, about a subject of its own.
  static FactEntry Fact(std::uint64_t number) {
    FactEntry entry;
    entry.set_region(kAsia.value());
    entry.set_incarnation(kAsiaStore);
    entry.set_number(number);
    entry.set_key(Bytes("kk").append(std::to_string(number)));
    entry.mutable_value()->set_maximum(number);
    return entry;
  }
  FactEntry Proved(FactEntry entry) const {
    std::vector<FactEntry> entries{std::move(entry)};
    ProveFacts(asia_signer_, kPool, kAsia, entries);
    return entries.front();
  }
  static FactEntry Forged(FactEntry entry) {
    entry.mutable_value()->set_maximum(entry.value().maximum() + 1);
    return entry;
  }
  // "Of what was said up to here nothing is left."
  static FactEntry Nothing(std::uint64_t number) {
    FactEntry entry = Fact(number);
    entry.clear_key();
    entry.clear_value();
    entry.set_forgotten_before(number - 1);
    return entry;
  }

  // What the consumer says then.
  std::optional<pb::FactsHave> Receive(std::vector<FactEntry> entries) {
    pb::Facts facts;
    for (FactEntry& entry : entries) *facts.add_entries() = std::move(entry);
    return Receive(std::move(facts));
  }
  std::optional<pb::FactsHave> Receive(pb::Facts facts) {
    const auto origin_of = [this](const Region& region) { return region == kAsia ? asia_ : home_; };
    return CarryOut(consumer_.OnFacts(std::move(facts), origin_of, now_));
  }
  std::int64_t HorizonMicros() { return ToMicros(*storage::ForgottenBefore(*away_->MakeSnapshot(), kPool)); }
  std::optional<pb::FactsHave> Pass(std::chrono::nanoseconds time) {
    now_.since_boot += time;
    return CarryOut(consumer_.OnTick(now_));
  }
  std::optional<pb::FactsHave> CarryOut(FactConsumer::Step step) {
    std::optional<pb::FactsHave> have;
    while (true) {
      if (step.frame) have = step.frame->facts_have();
      if (!step.merge) return have;
      storage::StoreResult<void> merged = Err(storage::StoreError{});
      away_->MergeFacts(kPool, *std::move(step.merge), [&](auto result) { merged = std::move(result); });
      while (away_->Step()) {
      }
      step = consumer_.OnMerged(merged, now_);
    }
  }
  // Of kHome's facts.
  std::uint64_t KnownOfHome() {
    return storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kHome.value(), kAsiaStore);
  }
  std::uint64_t KnownOfAsia() {
    return storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kAsia.value(), kAsiaStore);
  }

  ManualClock clock_;
  SeededRandom random_{1};
  Options options_;
  Instant now_;
  ReplicationCounters counters_;
  const std::unique_ptr<storage::LocalStore> away_ =
      *storage::LocalStore::Open(storage::MakeMemoryEngine(), {.region = kAway, .clock = &clock_, .random = &random_});
  const Ed25519LogSigner asia_signer_{crypto::Ed25519Key::Generate()};
  const Ed25519LogSigner away_signer_{crypto::Ed25519Key::Generate()};
  FactOrigin asia_;
  // Signs nothing unless a test says so.
  FactOrigin home_;
  FactConsumer consumer_{*away_, away_signer_, kPool, kHome, options_, counters_};
};

TEST(UnacknowledgedFactsTest, EntriesOfAllLogsCount_OfThePeersOwnThoseThatItMayHaveLost) {
  const auto vector = [](std::uint64_t home, std::uint64_t asia, std::uint64_t away) {
    storage::pb::FactVector facts;
    for (const auto& [region, number] : {std::pair(kHome, home), std::pair(kAsia, asia), std::pair(kAway, away)}) {
      storage::pb::FactProgress& progress = *facts.add_progress();
      progress.set_region(region.value());
      progress.set_incarnation(region.value() + "'s store");
      progress.set_number(number);
    }
    return facts;
  };
  const storage::pb::FactVector here = vector(10, 20, 30);
  EXPECT_EQ(UnacknowledgedFacts(here, {}, kAway), 30u) << "it has told nothing, and its own came from it";
  FactsTold told{.acknowledged = vector(9, 15, 25), .at_begin = vector(1, 1, 25)};
  EXPECT_EQ(UnacknowledgedFacts(here, told, kAway), 1u + 5u);
  told.acknowledged = vector(9, 21, 22);
  EXPECT_EQ(UnacknowledgedFacts(here, told, kAway), 1u + 3u) << "it came back with less, and may have more of others";
  EXPECT_EQ(UnacknowledgedFacts(here, {.acknowledged = here, .at_begin = {}}, kAway), 0u);
}

TEST_F(FactExchangeTest, TheStoreCannotBeReadWhenTheyBegin_BothGoOnWhenItCan) {
  Receive({Proved(Fact(1))});
  ASSERT_EQ(KnownOfAsia(), 1u);
  bool fails = true;
  const auto store = storage::MakeUnreadableStore(
      *away_, [&](const storage::Read&) { return fails ? storage::ReadFault::kFails : storage::ReadFault::kNone; });
  FactConsumer consumer(*store, away_signer_, kPool, kHome, options_, counters_);
  EXPECT_FALSE(consumer.Start().frame);
  EXPECT_FALSE(consumer.OnTick(now_).frame);
  // ap-south-1 has lost what it said.
  Window window(1 << 20);
  FactSupplier supplier(*store, away_signer_, kPool, kAsia, options_, window, counters_);
  const auto next = [&] { return supplier.Next([](const FactEntry&) { return false; }); };
  pb::FactsHave have;
  have.set_again(true);
  supplier.OnHave(have);
  EXPECT_FALSE(next());
  EXPECT_TRUE(supplier.failed());
  EXPECT_FALSE(supplier.PeerHas(*away_->MakeSnapshot()->Facts(kPool)));

  fails = false;
  const auto asked = consumer.OnTick(now_);
  ASSERT_TRUE(asked.frame);
  EXPECT_TRUE(asked.frame->facts_have().again());
  const auto sent = next();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->facts().entries_size(), 1);
  EXPECT_FALSE(supplier.failed());
}

TEST_F(FactExchangeTest, AForgedFactIsRefused_WhatWasSaidBeforeItAndByOthersIsTaken_AndItIsAskedForAgain) {
  FactEntry home = Fact(1);
  home.set_region(kHome.value());
  Receive({Proved(Fact(1)), Forged(Proved(Fact(2))), Proved(Fact(3)), home});
  EXPECT_EQ(KnownOfAsia(), 1u);
  EXPECT_EQ(storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kHome.value(), kAsiaStore), 1u);
  EXPECT_EQ(counters_.signatures_refused, 1u);
  Receive({Proved(Fact(4))});
  EXPECT_EQ(KnownOfAsia(), 1u);
  EXPECT_EQ(counters_.signatures_refused, 1u);

  EXPECT_FALSE(Pass(options_.unsigned_limit - std::chrono::nanoseconds(1)));
  const auto asked = Pass(std::chrono::nanoseconds(1));
  ASSERT_TRUE(asked && asked->again());
  // This was under way.
  Receive({Proved(Fact(5))});
  EXPECT_EQ(KnownOfAsia(), 1u);
  Receive({Proved(Fact(2)), Proved(Fact(3)), Proved(Fact(4))});
  Receive({Proved(Fact(5))});
  EXPECT_EQ(KnownOfAsia(), 5u);
  EXPECT_EQ(counters_.signatures_refused, 1u);
  EXPECT_FALSE(Pass(2 * options_.unsigned_limit));
}

TEST_F(FactExchangeTest, AFactWithoutAProofIsTakenOnlyIfItIsOlderThanTheRegionsFirstKey) {
  asia_.unsigned_through[kAsiaStore] = 2;
  Receive({Fact(1), Fact(2), Fact(3)});
  EXPECT_EQ(KnownOfAsia(), 2u);
  EXPECT_EQ(counters_.signatures_refused, 1u);
}

TEST_F(FactExchangeTest, ASupplierDoesNotProveAFactOfItsOwn_ItIsRefusedHoweverOldItIs) {
  const Ed25519LogSigner home_signer(crypto::Ed25519Key::Generate());
  home_.log_keys = {home_signer.public_key()};
  home_.pinned = true;
  home_.unsigned_through[kAsiaStore] = 2;
  std::vector<FactEntry> facts{Fact(1)};
  facts[0].set_region(kHome.value());
  const auto known = [&] {
    return storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kHome.value(), kAsiaStore);
  };
  Receive(facts);
  EXPECT_EQ(known(), 0u);
  EXPECT_EQ(counters_.signatures_refused, 1u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  ProveFacts(home_signer, kPool, kHome, facts);
  Receive(facts);
  EXPECT_EQ(known(), 1u);
}

TEST_F(FactExchangeTest, TheRegionItselfIsAsked_NobodyElseIsBelievedWithoutAProof) {
  asia_.unsigned_through[kAsiaStore] = 2;
  asia_.asked_itself = true;
  Receive({Fact(1)});
  EXPECT_EQ(KnownOfAsia(), 0u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  Receive({Nothing(1)});
  EXPECT_EQ(KnownOfAsia(), 0u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  FactEntry behind_a_gap = Proved(Fact(2));
  behind_a_gap.set_forgotten_before(1);
  Receive({behind_a_gap});
  EXPECT_EQ(KnownOfAsia(), 0u);
  EXPECT_EQ(counters_.signatures_refused, 0u) << "an honest Region says such things too";

  asia_.asked_itself = false;
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  Receive({behind_a_gap, Nothing(3)});
  EXPECT_EQ(KnownOfAsia(), 3u);
}

TEST_F(FactExchangeTest, ASupplierOfAnEarlierReleaseLosesProofs_ThatIsNoForgery) {
  asia_.proofs_lost = true;
  Receive({Fact(1)});
  EXPECT_EQ(KnownOfAsia(), 0u);
  EXPECT_EQ(counters_.signatures_refused, 0u);
}

TEST_F(FactExchangeTest, OnlyARegionThatIsGoneIsBelievedWithoutAKey_AndItsProofIsNotPassedOnUnchecked) {
  asia_ = FactOrigin();
  asia_.key_may_come = true;
  Receive({Fact(1)});
  EXPECT_EQ(KnownOfAsia(), 0u) << "by its key, or by itself, it can still be had";
  EXPECT_EQ(counters_.signatures_refused, 0u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));

  asia_.key_may_come = false;
  Receive({Forged(Proved(Fact(1)))});
  EXPECT_EQ(KnownOfAsia(), 1u);
  EXPECT_FALSE(away_->ReadFacts(kPool, kAsia, kAsiaStore, 1, 1 << 20)->front().has_proof());
}

// A primary that cannot prove a fact does not send it, and waits until a new member has it from elsewhere.
TEST_F(FactExchangeTest, FactsCameFromAnotherRegion_TheSupplierIsToldOnceInAHeartbeat) {
  away_->MergeFacts(kPool, {Proved(Fact(1))}, [](auto result) { EXPECT_TRUE(result); });
  while (away_->Step()) {
  }
  EXPECT_FALSE(Pass(options_.heartbeat_interval)) << "nobody said so";
  consumer_.OnMergedElsewhere();
  const auto told = Pass(std::chrono::milliseconds(50));
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->again());
  EXPECT_EQ(storage::ProgressOf(told->vector(), kAsia.value(), kAsiaStore), 1u);
  EXPECT_FALSE(Pass(options_.heartbeat_interval));
  consumer_.OnMergedElsewhere();
  EXPECT_TRUE(Pass(std::chrono::milliseconds(50)));
  consumer_.OnMergedElsewhere();
  EXPECT_FALSE(Pass(std::chrono::milliseconds(50)));
  EXPECT_TRUE(Pass(options_.heartbeat_interval));
}

// As a Region that is new gets it from one whose clock was ahead for a while.
TEST_F(FactExchangeTest, TheSupplierHasForgottenFacts_TheConsumerHearsUpToWhen) {
  const Ed25519LogSigner home_signer(crypto::Ed25519Key::Generate());
  home_.log_keys = {home_signer.public_key()};
  const auto home =
      *storage::LocalStore::Open(storage::MakeMemoryEngine(), {.region = kHome, .clock = &clock_, .random = &random_});
  const auto say = [&](const Bytes& id, std::int64_t expires_at_micros) {
    storage::Commit commit;
    commit.pool = kPool;
    commit.facts.push_back({{storage::Space::kFact, kPool, 1, id}, {}});
    commit.facts.back().value.set_expires_at_micros(expires_at_micros);
    home->Submit(std::move(commit), [](const auto& result) { EXPECT_TRUE(result); });
    while (home->Step()) {
    }
  };
  say("revoked", 1'000);
  say("ever", 0);
  ASSERT_EQ(*home->ForgetExpiredFacts(FromMicros(2'000), 100), 1u);
  Window window(1 << 20);
  FactSupplier supplier(*home, home_signer, kPool, kAway, options_, window, counters_);
  pb::FactsHave have;
  have.set_again(true);
  have.set_takes_proofs(true);
  supplier.OnHave(have);
  const auto sent = supplier.Next([](const FactEntry&) { return true; });
  ASSERT_TRUE(sent && sent->facts().entries_size() == 1);
  ASSERT_EQ(sent->facts().entries(0).forgotten_before(), 1u);
  const auto known = [&] {
    return storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kHome.value(), home->incarnation());
  };

  // Nobody else says it in the supplier's name, nor an entry by itself.
  pb::Facts forged = sent->facts();
  forged.mutable_forgotten()->set_until_micros(ToMicros(clock_.Now() + std::chrono::years(10)));
  Receive(forged);
  EXPECT_EQ(known(), 0u);
  EXPECT_EQ(counters_.signatures_refused, 1u);
  ASSERT_TRUE(Pass(options_.unsigned_limit)->again());
  pb::Facts with_entry = sent->facts();
  with_entry.mutable_entries(0)->set_forgotten_until_micros(ToMicros(clock_.Now()));
  Receive(with_entry);
  EXPECT_EQ(known(), 2u);
  EXPECT_EQ(HorizonMicros(), 1'001);
}

TEST_F(FactExchangeTest, TheSupplierDoesNotTellHowFarItHasForgotten_ItsFactsAreTakenAllTheSame) {
  Receive({Nothing(2)});
  EXPECT_EQ(KnownOfAsia(), 2u);
  EXPECT_EQ(HorizonMicros(), 0);
}

// It is the same word whoever said the facts that are forgotten.
TEST_F(FactExchangeTest, TheSupplierHasForgottenWhatAnotherSaid_ItsOwnKeySignsHowFar) {
  const Ed25519LogSigner home_signer(crypto::Ed25519Key::Generate());
  home_.log_keys = {home_signer.public_key()};
  pb::Facts facts;
  *facts.add_entries() = Nothing(2);
  *facts.mutable_forgotten() = SignForgotten(asia_signer_, kPool, kAsia, 5'000);
  Receive(facts);
  EXPECT_EQ(KnownOfAsia(), 0u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  *facts.mutable_forgotten() = SignForgotten(home_signer, kPool, kHome, 5'000);
  Receive(facts);
  EXPECT_EQ(KnownOfAsia(), 2u);
  EXPECT_EQ(HorizonMicros(), 5'000);
}

// As a Region does that had heard them before this store was put back from a backup, and nobody said so.
TEST_F(FactExchangeTest, TheSupplierHoldsFactsInThisStoresNameThatItNeverAccepted_WhatOthersSaidIsTaken) {
  FactEntry own = Fact(1);
  own.set_region(kAway.value());
  own.set_incarnation(away_->incarnation());
  FactEntry home = Fact(1);
  home.set_region(kHome.value());
  Receive({own, home});
  EXPECT_EQ(KnownOfHome(), 1u);
  EXPECT_EQ(storage::ProgressOf(*away_->MakeSnapshot()->Facts(kPool), kAway.value(), away_->incarnation()), 0u);
  EXPECT_EQ(consumer_.own_facts(), FactConsumer::OwnFacts::kClaimed) << "nobody proved it";

  // What comes later is not held up either, in frames of their own and behind the log that is refused.
  own.set_number(2);
  Receive({own});
  home.set_number(2);
  home.set_key("kk2");
  Receive({home});
  EXPECT_EQ(KnownOfHome(), 2u);
  EXPECT_TRUE(Pass(options_.unsigned_limit)->again());
}

TEST_F(FactExchangeTest, ThisStoreSignedFactsThatItNeverAccepted_ThatIsKnownFromAnEmptyClaim) {
  home_.log_keys = {away_signer_.public_key()};
  std::vector<FactEntry> own{Fact(1)};
  own[0].set_region(kAway.value());
  own[0].set_incarnation(away_->incarnation());
  ProveFacts(away_signer_, kPool, kAway, own);
  Receive(own);
  EXPECT_EQ(consumer_.own_facts(), FactConsumer::OwnFacts::kProved);
}

TEST_F(FactExchangeTest, OneLogIsMalformedOrHasAGap_TheOthersAreTaken) {
  const auto of_home = [](std::uint64_t number) {
    FactEntry entry = Fact(number);
    entry.set_region(kHome.value());
    return entry;
  };
  Receive({Proved(Fact(3)), of_home(1)});
  EXPECT_EQ(KnownOfAsia(), 0u);
  EXPECT_EQ(KnownOfHome(), 1u);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  FactEntry malformed = Nothing(1);
  malformed.set_forgotten_before(1);
  FactEntry endless = Nothing(std::numeric_limits<std::uint64_t>::max());
  endless.set_incarnation("another store");
  FactEntry nameless = Fact(1);
  nameless.set_incarnation(Bytes(10'000, 'x'));
  nameless.set_region(kHome.value());
  Receive({malformed, endless, nameless, of_home(2)});
  EXPECT_EQ(KnownOfHome(), 2u);
  EXPECT_EQ(away_->MakeSnapshot()->Facts(kPool)->progress_size(), 1);
  EXPECT_EQ(consumer_.own_facts(), FactConsumer::OwnFacts::kNone);
  ASSERT_TRUE(Pass(options_.unsigned_limit));
  Receive({Proved(Fact(1)), Proved(Fact(2)), Proved(Fact(3))});
  EXPECT_EQ(KnownOfAsia(), 3u);
}

// It goes on about it for as long as its window allows.
TEST_F(FactExchangeTest, NothingIsTakenOfOneLog_TheSupplierSendsOthersBeforeItsWindowIsFull) {
  const auto home =
      *storage::LocalStore::Open(storage::MakeMemoryEngine(), {.region = kHome, .clock = &clock_, .random = &random_});
  const auto merge = [&](const Region& region, std::uint64_t count) {
    std::vector<FactEntry> entries;
    for (std::uint64_t number = 1; number <= count; ++number) {
      entries.push_back(Fact(number));
      entries.back().set_region(region.value());
      entries.back().mutable_value()->add_elements(Bytes(1'000, 'x'));
    }
    home->MergeFacts(kPool, std::move(entries), [](auto result) { EXPECT_TRUE(result); });
    while (home->Step()) {
    }
  };
  // The names are in this order.
  merge(kAsia, 100);
  merge(kAway, 1);
  Options options;
  options.frame_limit_bytes = 10'000;
  options.pool_window_bytes = 50'000;
  Window window(1 << 20);
  FactSupplier supplier(*home, asia_signer_, kPool, Region("sa-east-1"), options, window, counters_);
  pb::FactsHave have;
  have.set_again(true);
  have.set_takes_proofs(true);
  std::set<std::string> sent;
  supplier.OnHave(have);
  while (const auto frame = supplier.Next([](const FactEntry&) { return false; })) {
    for (const FactEntry& entry : frame->facts().entries()) sent.insert(entry.region());
  }
  EXPECT_EQ(sent, (std::set<std::string>{kAsia.value(), kAway.value()}));
}

TEST_F(FactExchangeTest, ASupplierThatForgesAllItSaysIsNotListenedTo) {
  std::vector<FactEntry> forged;
  for (int i = 0; i < 1'000; ++i) {
    forged.push_back(Forged(Proved(Fact(1))));
    forged.back().set_incarnation("store " + std::to_string(i));
  }
  Receive(forged);
  EXPECT_LT(counters_.signatures_refused, 100u);
  const std::uint64_t refused = counters_.signatures_refused;
  Receive(forged);
  EXPECT_EQ(counters_.signatures_refused, refused);
  ASSERT_TRUE(Pass(options_.unsigned_limit)->again());
  Receive({Proved(Fact(1))});
  EXPECT_EQ(KnownOfAsia(), 1u);
}

}  // namespace
}  // namespace symbolon::replication
