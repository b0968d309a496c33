// What a consumer takes from a supplier that has to sign, and what it refuses.
#include <gtest/gtest.h>

#include <optional>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "replication/consumer.h"
#include "replication/roles.h"
#include "replication/supplier.h"
#include "storage/local_store.h"
#include "storage/log.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const PoolId kPool("eu-central-1_Pool00001");
const Region kHome("eu-central-1");
const Region kAway("us-east-1");

class SignaturesTest : public testing::Test {
 protected:
  SignaturesTest() {
    log::SetLevel(log::Level::kOff);
    options_.copy_bytes_per_second = 0;
    options_.frame_limit_bytes = 600;
    consumer_.SetSupplier(kHome, home_signer_.public_key());
    Write("first", 1);
  }

  std::unique_ptr<storage::LocalStore> OpenStore(const Region& region) {
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(),
                                           {.region = region, .clock = &clock_, .random = &random_});
    SYMBOLON_CHECK(store);
    return *std::move(store);
  }
  void WriteRole() { Write({storage::Space::kDirectory, kPool, kRoleRecordType, Bytes()}); }
  void Write(const Bytes& id, std::optional<std::uint64_t> epoch = std::nullopt) {
    Write(storage::Key{storage::Space::kDirectory, kPool, 7, id}, epoch);
  }
  void Write(storage::Key key, std::optional<std::uint64_t> epoch = std::nullopt) {
    storage::Commit commit;
    commit.pool = kPool;
    commit.start_epoch_counter = epoch;
    commit.directory.push_back({std::move(key), Bytes(200, 'v')});
    home_->Submit(std::move(commit), [](const auto& result) { ASSERT_TRUE(result); });
    while (home_->Step()) {
    }
    supplier_.OnHead(*home_->MakeSnapshot()->Head(kPool).value());
  }

  void Open(const pb::Open& open, Supplier& supplier) {
    pb::Member member;
    member.set_region(kAway.value());
    member.set_state(pb::ACTIVE);
    Supplier::Terms terms;
    terms.consumer = kAway;
    terms.member = &member;
    terms.supplies = true;
    terms.may_copy = true;
    *terms.standing.mutable_epoch() = home_->MakeSnapshot()->Head(kPool).value()->epoch();
    supplier.OnOpen(open, terms, now_);
  }
  // What the consumer wants of its store is done, and what it says goes to the supplier.
  void CarryOut(Consumer::Step step) {
    while (true) {
      for (const pb::Frame& frame : step.frames) {
        if (frame.has_open()) Open(frame.open(), supplier_);
        if (frame.has_ack()) supplier_.OnAck(frame.ack(), now_);
        if (frame.has_copy_ack()) supplier_.OnCopyAck(frame.copy_ack(), now_);
        if (frame.has_end()) ended_ = frame.end().reason();
      }
      if (!step.call) return;
      step = consumer_.OnCallDone(Do(std::move(*step.call)), now_);
    }
  }
  storage::StoreResult<std::optional<storage::pb::Head>> Do(StoreCall call) {
    std::optional<storage::pb::Head> head;
    if (auto* apply = std::get_if<ApplyEntries>(&call)) {
      storage::StoreResult<storage::pb::Head> applied = Err(storage::StoreError{});
      away_->Apply({kPool, std::move(apply->entries)}, [&](auto result) { applied = std::move(result); });
      while (away_->Step()) {
      }
      SYMBOLON_TRY(head, std::move(applied));
    } else if (auto* begin = std::get_if<BeginStaging>(&call)) {
      SYMBOLON_TRY_VOID(away_->BeginStaging(kPool, begin->head, begin->history));
    } else if (auto* write = std::get_if<WriteStaging>(&call)) {
      SYMBOLON_TRY_VOID(away_->WritePackedStaging(kPool, write->pieces));
    } else if (std::holds_alternative<FlipStaging>(call)) {
      SYMBOLON_TRY_VOID(away_->FlipStaging(kPool));
    } else {
      ADD_FAILURE() << "nothing is set aside or dropped here";
    }
    return head;
  }
  void Deliver(pb::Frame frame) {
    if (frame.has_outcome()) CarryOut(consumer_.OnOutcome(frame.outcome(), now_));
    if (frame.has_batch()) CarryOut(consumer_.OnBatch(std::move(*frame.mutable_batch()), now_));
    if (frame.has_copy_piece()) CarryOut(consumer_.OnCopyPiece(std::move(*frame.mutable_copy_piece()), now_));
  }
  // All that the supplier has to say arrives.
  void Run() {
    while (auto frame = supplier_.Next(now_)) Deliver(*std::move(frame));
  }
  void Pass(std::chrono::nanoseconds time) {
    now_.since_boot += time;
    supplier_.OnTick(now_);
    CarryOut(consumer_.OnTick(now_));
  }
  // The consumer follows and has all, signed.
  void Follow() {
    CarryOut(consumer_.OnConnected(now_));
    Run();
    Pass(milliseconds(1));
    Run();
    ASSERT_EQ(consumer_.state(), Consumer::State::kFollowing);
    ASSERT_EQ(consumer_.signed_sequence(), HeadAway());
  }
  std::uint64_t HeadAway() {
    const auto head = away_->MakeSnapshot()->Head(kPool).value();
    return head ? head->sequence() : 0;
  }
  void ExpectRefused(Consumer::Problem problem) {
    EXPECT_EQ(consumer_.state(), Consumer::State::kIdle);
    EXPECT_EQ(consumer_.problem(), problem);
    EXPECT_EQ(ended_, pb::UNPROVEN);
  }

  ManualClock clock_;
  SeededRandom random_{1};
  Options options_;
  Instant now_;
  ReplicationCounters counters_;
  const std::unique_ptr<storage::LocalStore> home_ = OpenStore(kHome);
  const std::unique_ptr<storage::LocalStore> away_ = OpenStore(kAway);
  const Ed25519LogSigner home_signer_{crypto::Ed25519Key::Generate()};
  const Ed25519LogSigner away_signer_{crypto::Ed25519Key::Generate()};
  Window link_window_{options_.link_window_bytes};
  Pacer pacer_{0};
  Supplier supplier_{*home_, home_signer_, kPool, options_, link_window_, pacer_, counters_};
  Consumer consumer_{*away_, random_, away_signer_, kPool, options_, counters_};
  std::optional<pb::EndReason> ended_;
};

TEST_F(SignaturesTest, CopyThenEntriesThenSignature_AllIsConfirmed) {
  for (int i = 0; i < 10; ++i) Write("user" + std::to_string(i));
  Follow();
  Write("later");
  Run();
  EXPECT_EQ(HeadAway(), 12u);
  EXPECT_EQ(consumer_.signed_sequence(), 11u) << "entries do not wait for signatures";
  Pass(options_.sign_interval);
  Run();
  EXPECT_EQ(consumer_.signed_sequence(), 12u);
  EXPECT_TRUE(VerifyHead(away_signer_, home_signer_.public_key(), kPool, *consumer_.proven()));
  EXPECT_EQ(counters_.signatures_refused, 0u);
}

TEST_F(SignaturesTest, SupplierSignsWithAnotherKey_NothingIsTaken) {
  consumer_.SetSupplier(kHome, away_signer_.public_key());
  CarryOut(consumer_.OnConnected(now_));
  Run();
  ExpectRefused(Consumer::Problem::kUnproven);
  EXPECT_TRUE(consumer_.TakeUnproven());
  EXPECT_EQ(counters_.signatures_refused, 1u);
  EXPECT_FALSE(away_->FindStaging(kPool).value());
}

TEST_F(SignaturesTest, SupplierOfAnEarlierReleaseSignsNothing_ItIsRefusedOnlyWhereItsKeyIsKnown) {
  const Consumer::Step opened = consumer_.OnConnected(now_);
  pb::Open open = opened.frames.at(0).open();
  open.clear_nonce();
  Open(open, supplier_);
  const pb::Frame answer = *supplier_.Next(now_);
  EXPECT_TRUE(answer.outcome().signature().empty());
  Deliver(answer);
  ExpectRefused(Consumer::Problem::kUnproven);

  consumer_.SetSupplier(kHome, Bytes());
  now_.since_boot += seconds(60);
  CarryOut(consumer_.OnTick(now_));
  Run();
  EXPECT_EQ(consumer_.state(), Consumer::State::kFollowing);
  EXPECT_EQ(consumer_.signed_sequence(), std::nullopt);
  EXPECT_EQ(HeadAway(), 1u);
}

TEST_F(SignaturesTest, AnAnswerToAnotherOpenComesAgain_ItIsRefused) {
  const pb::Frame first = consumer_.OnConnected(now_).frames.at(0);
  Open(first.open(), supplier_);
  pb::Frame recorded = *supplier_.Next(now_);
  consumer_.OnDisconnected();
  now_.since_boot += seconds(60);
  const pb::Frame second = consumer_.OnConnected(now_).frames.at(0);
  recorded.mutable_outcome()->set_stream(second.open().stream());
  Deliver(recorded);
  ExpectRefused(Consumer::Problem::kUnproven);
}

TEST_F(SignaturesTest, APieceOfACopyIsChangedLeftOutOrCutShort_TheCopyIsRefused) {
  for (int i = 0; i < 10; ++i) Write("user" + std::to_string(i));
  using Change = void (*)(std::vector<pb::Frame>&);
  const Change changes[] = {
      [](std::vector<pb::Frame>& frames) { frames[1].mutable_copy_piece()->mutable_packed_records()->back() ^= 1; },
      [](std::vector<pb::Frame>& frames) { frames.erase(frames.begin() + 1); },
      [](std::vector<pb::Frame>& frames) { frames.erase(frames.end() - 2); },
      [](std::vector<pb::Frame>& frames) { frames[1].mutable_copy_piece()->clear_signature(); },
      [](std::vector<pb::Frame>& frames) { frames[2].mutable_copy_piece()->set_last(true); },
  };
  for (const Change& change : changes) {
    now_.since_boot += seconds(60);
    CarryOut(consumer_.OnConnected(now_));
    std::vector<pb::Frame> frames;
    while (auto frame = supplier_.Next(now_)) frames.push_back(*std::move(frame));
    ASSERT_GE(frames.size(), 4u);
    change(frames);
    ended_.reset();
    for (pb::Frame& frame : frames) {
      if (!ended_) Deliver(std::move(frame));
    }
    ExpectRefused(Consumer::Problem::kUnproven);
    EXPECT_EQ(HeadAway(), 0u) << "nothing was made the directory";
    consumer_.OnDisconnected();
  }
}

TEST_F(SignaturesTest, AHeadIsSignedBySomebodyElse_TheStreamEnds) {
  Follow();
  Write("later");
  Pass(options_.sign_interval);
  std::optional<pb::Frame> entries = supplier_.Next(now_);
  pb::SignedHead forged = SignHead(away_signer_, kPool, entries->batch().head().epoch(), 2, Bytes(32, 'd'));
  *entries->mutable_batch()->mutable_signed_head() = std::move(forged);
  Deliver(*std::move(entries));
  ExpectRefused(Consumer::Problem::kUnproven);
  EXPECT_EQ(HeadAway(), 1u) << "the entries came with it";
}

TEST_F(SignaturesTest, EntriesAreNotThoseThatWereSigned_TheStreamEndsAndSaysSo) {
  Follow();
  Write("later");
  std::optional<pb::Frame> frame = supplier_.Next(now_);
  storage::pb::LogEntry entry;
  ASSERT_TRUE(entry.ParseFromString(frame->batch().entries(0)));
  entry.mutable_changes(0)->set_value("forged");
  entry.mutable_changes(0)->set_value_digest(storage::ValueDigest("forged"));
  frame->mutable_batch()->set_entries(0, entry.SerializeAsString());
  Deliver(*std::move(frame));
  Pass(options_.sign_interval);
  Run();
  ExpectRefused(Consumer::Problem::kNotSigned);
}

TEST_F(SignaturesTest, AChangeOfRolesEndsItsBatchAndIsSigned_OtherwiseItIsNotApplied) {
  options_.frame_limit_bytes = 10'000;
  Follow();
  using Change = void (*)(pb::Batch&);
  const Change changes[] = {
      [](pb::Batch& batch) { batch.clear_signed_head(); },
      [](pb::Batch& batch) { batch.mutable_signed_head()->set_sequence(batch.signed_head().sequence() - 1); },
      [](pb::Batch& batch) { *batch.add_entries() = batch.entries(0); },
      [](pb::Batch& batch) {
        storage::pb::LogEntry entry;
        ASSERT_TRUE(entry.ParseFromString(*batch.entries().rbegin()));
        entry.mutable_changes(0)->set_value_digest(storage::ValueDigest("forged"));
        batch.set_entries(batch.entries_size() - 1, entry.SerializeAsString());
      },
  };
  for (const Change& change : changes) {
    Write("before");
    WriteRole();
    Write("after");
    const std::uint64_t before = HeadAway();
    pb::Frame frame = *supplier_.Next(now_);
    ASSERT_EQ(frame.batch().signed_head().sequence(),
              before + static_cast<std::uint64_t>(frame.batch().entries_size()));
    change(*frame.mutable_batch());
    Deliver(std::move(frame));
    ExpectRefused(Consumer::Problem::kUnproven);
    EXPECT_EQ(HeadAway(), before);
    // The next answer vouches for all that is here, and what comes then is not changed.
    consumer_.OnDisconnected();
    now_.since_boot += seconds(60);
    CarryOut(consumer_.OnConnected(now_));
    Run();
    Pass(options_.sign_interval);
    Run();
    ASSERT_EQ(HeadAway(), before + 3);
    ASSERT_EQ(consumer_.signed_sequence(), HeadAway());
  }
}

TEST_F(SignaturesTest, NoSignatureComesForSoLong_TheStreamEnds) {
  Follow();
  Write("later");
  Run();
  now_.since_boot += options_.unsigned_limit - milliseconds(1);
  CarryOut(consumer_.OnTick(now_));
  EXPECT_EQ(consumer_.state(), Consumer::State::kFollowing);
  now_.since_boot += milliseconds(1);
  CarryOut(consumer_.OnTick(now_));
  ExpectRefused(Consumer::Problem::kNotSigned);
}

TEST_F(SignaturesTest, ThePrimaryLacksWhatItWrote_NothingIsSetAside) {
  Follow();
  consumer_.OnDisconnected();
  now_.since_boot += seconds(60);
  const pb::Frame opened = consumer_.OnConnected(now_).frames.at(0);
  // The supplier's store is as if it were set back.
  pb::Open beyond = opened.open();
  beyond.mutable_head()->set_sequence(5);
  beyond.mutable_head()->set_digest(Bytes(32, 'd'));
  Open(beyond, supplier_);
  pb::Outcome outcome = supplier_.Next(now_)->outcome();
  ASSERT_TRUE(outcome.has_diverged());
  outcome.set_signature(home_signer_.Sign(OutcomeStatement(kHome, kAway, opened.open(), outcome)));
  CarryOut(consumer_.OnOutcome(outcome, now_));
  ExpectRefused(Consumer::Problem::kRolledBack);
  EXPECT_EQ(counters_.rollbacks_found, 1u);
  EXPECT_EQ(HeadAway(), 1u);
}

}  // namespace
}  // namespace symbolon::replication
