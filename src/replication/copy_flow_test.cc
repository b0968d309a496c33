// How much of a copy is under way, and when a consumer makes it durable.
#include <gtest/gtest.h>

#include <optional>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "replication/consumer.h"
#include "replication/supplier.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::replication {
namespace {

const PoolId kPool("eu-central-1_Pool00001");
const Region kHome("eu-central-1");
const Region kAway("us-east-1");
constexpr std::size_t kMiB = 1 << 20;

class CopyFlowTest : public testing::Test {
 protected:
  CopyFlowTest() { options_.copy_bytes_per_second = 0; }

  std::unique_ptr<storage::LocalStore> OpenStore(const Region& region) {
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(),
                                           {.region = region, .clock = &clock_, .random = &random_});
    SYMBOLON_CHECK(store);
    return *std::move(store);
  }
  // A pool of so many records of 10 KiB at home.
  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      storage::Commit commit;
      commit.pool = kPool;
      if (i == 0) commit.start_epoch_counter = 1;
      commit.directory.push_back(
          {{storage::Space::kDirectory, kPool, 7, "user" + std::to_string(1'000 + i)}, Bytes(10 << 10, 'v')});
      home_->Submit(std::move(commit), [](const auto& result) { ASSERT_TRUE(result); });
      while (home_->Step()) {
      }
    }
  }
  // The supplier's answer to this Open.
  pb::Outcome AnswerTo(const pb::Frame& opened) {
    pb::Member member;
    member.set_region(kAway.value());
    member.set_state(pb::CREATING);
    Supplier::Terms terms;
    terms.member = &member;
    terms.consumer = kAway;
    terms.supplies = true;
    terms.may_copy = true;
    supplier_.OnOpen(opened.open(), terms, now_);
    return supplier_.Next(now_)->outcome();
  }
  // Pieces that come before an acknowledgement does.
  std::vector<pb::CopyPiece> PiecesUnderWay() {
    std::vector<pb::CopyPiece> pieces;
    while (auto frame = supplier_.Next(now_)) pieces.push_back(std::move(*frame->mutable_copy_piece()));
    return pieces;
  }
  static std::size_t BytesOf(const std::vector<pb::CopyPiece>& pieces) {
    std::size_t size_bytes = 0;
    for (const pb::CopyPiece& piece : pieces) size_bytes += piece.ByteSizeLong();
    return size_bytes;
  }
  static pb::Frame OpenOf(Consumer::Step step) { return std::move(step.frames.at(0)); }

  ManualClock clock_;
  SeededRandom random_{1};
  Options options_;
  Instant now_;
  ReplicationCounters counters_;
  const std::unique_ptr<storage::LocalStore> home_ = OpenStore(kHome);
  const std::unique_ptr<storage::LocalStore> away_ = OpenStore(kAway);
  const Ed25519LogSigner signer_{crypto::Ed25519Key::Generate()};
  Window link_window_{options_.link_window_bytes};
  Pacer pacer_{0};
  Supplier supplier_{*home_, signer_, kPool, options_, link_window_, pacer_, counters_};
  Consumer consumer_{*away_, random_, signer_, kPool, options_, counters_};
};

TEST_F(CopyFlowTest, ConsumerThatTellsNoWindowIsGivenTwoMebibytes) {
  Fill(1'000);
  pb::Frame opened = OpenOf(consumer_.OnConnected(now_));
  opened.mutable_open()->clear_copy_window_bytes();
  ASSERT_TRUE(AnswerTo(opened).has_copy());
  const std::vector<pb::CopyPiece> pieces = PiecesUnderWay();
  EXPECT_GE(BytesOf(pieces), 2 * kMiB - (64 << 10));
  EXPECT_LE(BytesOf(pieces), 2 * kMiB + options_.frame_limit_bytes + (64 << 10));
  EXPECT_EQ(link_window_.used_bytes(), 0u) << "entries of other pools are not kept waiting";
}

TEST_F(CopyFlowTest, SupplierSendsWhatTheConsumerTakesAndMoreWhenThatIsDurable) {
  Fill(1'000);
  const pb::Frame opened = OpenOf(consumer_.OnConnected(now_));
  EXPECT_EQ(opened.open().copy_window_bytes(), options_.copy_window_bytes);
  const pb::Outcome answer = AnswerTo(opened);
  ASSERT_TRUE(answer.has_copy());
  std::vector<pb::CopyPiece> pieces = PiecesUnderWay();
  EXPECT_GE(BytesOf(pieces), options_.copy_window_bytes - (64 << 10));
  EXPECT_LE(BytesOf(pieces), options_.copy_window_bytes + options_.frame_limit_bytes + (64 << 10));

  Consumer::Step begun = consumer_.OnOutcome(answer, now_);
  ASSERT_TRUE(begun.call && std::holds_alternative<BeginStaging>(*begun.call));
  for (pb::CopyPiece& piece : pieces) EXPECT_FALSE(consumer_.OnCopyPiece(piece, now_).call);
  Consumer::Step written = consumer_.OnCallDone(std::nullopt, now_);
  ASSERT_TRUE(written.call && std::holds_alternative<WriteStaging>(*written.call)) << "all that is there, at once";
  EXPECT_EQ(std::get<WriteStaging>(*written.call).pieces.back().octets(), pieces.back().packed_records());
  const Consumer::Step acknowledged = consumer_.OnCallDone(std::nullopt, now_);
  ASSERT_EQ(acknowledged.frames.size(), 1u);
  ASSERT_TRUE(acknowledged.frames[0].has_copy_ack());
  supplier_.OnCopyAck(acknowledged.frames[0].copy_ack(), now_);
  EXPECT_TRUE(supplier_.Next(now_)->has_copy_piece());
}

TEST_F(CopyFlowTest, RecordsWaitForMoreUntilATickOrTheEnd) {
  Fill(60);
  options_.frame_limit_bytes = 100 << 10;
  const pb::Outcome answer = AnswerTo(OpenOf(consumer_.OnConnected(now_)));
  std::vector<pb::CopyPiece> pieces = PiecesUnderWay();
  ASSERT_GT(pieces.size(), 3u);
  ASSERT_TRUE(pieces.back().last());
  (void)consumer_.OnOutcome(answer, now_);
  EXPECT_FALSE(consumer_.OnCallDone(std::nullopt, now_).call);

  EXPECT_FALSE(consumer_.OnCopyPiece(pieces[0], now_).call);
  EXPECT_FALSE(consumer_.OnCopyPiece(pieces[1], now_).call);
  const Consumer::Step ticked = consumer_.OnTick(now_);
  ASSERT_TRUE(ticked.call && std::holds_alternative<WriteStaging>(*ticked.call));
  const auto& waited = std::get<WriteStaging>(*ticked.call).pieces;
  ASSERT_EQ(waited.size(), 2u);
  EXPECT_EQ(waited[0].octets(), pieces[0].packed_records());
  EXPECT_EQ(waited[1].octets(), pieces[1].packed_records());
  EXPECT_FALSE(consumer_.OnTick(now_).call) << "one call at a time";
  EXPECT_FALSE(consumer_.OnCallDone(std::nullopt, now_).call);

  Consumer::Step last;
  for (std::size_t i = 2; i < pieces.size(); ++i) {
    EXPECT_FALSE(last.call);
    last = consumer_.OnCopyPiece(pieces[i], now_);
  }
  ASSERT_TRUE(last.call && std::holds_alternative<WriteStaging>(*last.call));
  const Consumer::Step flipped = consumer_.OnCallDone(std::nullopt, now_);
  ASSERT_TRUE(flipped.call && std::holds_alternative<FlipStaging>(*flipped.call));
}

TEST_F(CopyFlowTest, ConsumerThatTakesNoPackedRecordsGetsThemOneByOneAndEitherWayTheSame) {
  Fill(40);
  pb::Frame opened = OpenOf(consumer_.OnConnected(now_));
  ASSERT_TRUE(opened.open().takes_packed_records());
  const pb::Outcome answer = AnswerTo(opened);
  const std::vector<pb::CopyPiece> packed = PiecesUnderWay();
  opened.mutable_open()->clear_takes_packed_records();
  ASSERT_TRUE(AnswerTo(opened).has_copy());
  const std::vector<pb::CopyPiece> plain = PiecesUnderWay();
  ASSERT_EQ(packed.size(), plain.size());
  ASSERT_GT(packed.size(), 2u);
  EXPECT_EQ(packed[0].records_size(), 0);
  EXPECT_GT(plain[0].records_size(), 1);
  EXPECT_TRUE(plain[0].packed_records().empty());

  (void)consumer_.OnOutcome(answer, now_);
  (void)consumer_.OnCallDone(std::nullopt, now_);
  (void)consumer_.OnCopyPiece(plain[0], now_);
  const Consumer::Step ticked = consumer_.OnTick(now_);
  ASSERT_TRUE(ticked.call && std::holds_alternative<WriteStaging>(*ticked.call));
  EXPECT_EQ(std::get<WriteStaging>(*ticked.call).pieces.at(0).octets(), packed[0].packed_records());
}

TEST_F(CopyFlowTest, SupplierWhosePackedRecordsAreCutIsLeft) {
  Fill(20);
  const pb::Outcome answer = AnswerTo(OpenOf(consumer_.OnConnected(now_)));
  pb::CopyPiece piece = PiecesUnderWay()[0];
  (void)consumer_.OnOutcome(answer, now_);
  piece.mutable_packed_records()->pop_back();
  const Consumer::Step left = consumer_.OnCopyPiece(piece, now_);
  ASSERT_EQ(left.frames.size(), 1u);
  EXPECT_EQ(left.frames[0].end().reason(), pb::PROTOCOL);
}

TEST_F(CopyFlowTest, SupplierThatOverrunsTheWindowIsLeft) {
  Fill(20);
  const pb::Outcome answer = AnswerTo(OpenOf(consumer_.OnConnected(now_)));
  std::vector<pb::CopyPiece> pieces = PiecesUnderWay();
  options_.copy_window_bytes = 50 << 10;
  (void)consumer_.OnOutcome(answer, now_);
  pb::CopyPiece piece = pieces[0];
  piece.set_last(false);
  EXPECT_TRUE(consumer_.OnCopyPiece(piece, now_).frames.empty());
  const Consumer::Step left = consumer_.OnCopyPiece(piece, now_);
  ASSERT_EQ(left.frames.size(), 1u);
  EXPECT_EQ(left.frames[0].end().reason(), pb::PROTOCOL);
}

}  // namespace
}  // namespace symbolon::replication
