// What the machine makes of frames that a peer of another version, or a faulty one, sends.
#include <gtest/gtest.h>

#include <set>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "replication/machine.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::replication {
namespace {

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
constexpr LinkId kLink = 2;

class QuietHost final : public MachineHost {
 public:
  void Dial(const Region&, LinkId) override {}
  void Close(LinkId link) override { closed.insert(link); }
  void Submit(storage::Commit, Done<storage::Committed>) override {}
  void Apply(storage::AppliedEntries, Done<storage::pb::Head>) override {}
  void MergeFacts(PoolId, std::vector<storage::pb::FactEntry>, Done<void>) override {}
  void RunBlocking(std::move_only_function<storage::StoreResult<void>()>, Done<void>) override {}

  std::set<LinkId> closed;
};

class NoArchive final : public SuffixArchive {
 public:
  storage::StoreResult<void> Keep(storage::Store&, const PoolId&, std::uint64_t) override { return {}; }
};

class FramesTest : public testing::Test {
 protected:
  // The peer has dialled and said Hello.
  FramesTest() {
    machine_.Start(now_);
    machine_.OnAccepted(kLink, kAway, now_);
    pb::Frame hello;
    hello.mutable_hello()->set_region(kAway.value());
    hello.mutable_hello()->set_incarnation("theirs");
    hello.mutable_hello()->set_oldest_version(1);
    hello.mutable_hello()->set_newest_version(1);
    Receive(hello);
    while (machine_.NextFrame(kLink, now_)) {
    }
  }
  void Receive(pb::Frame frame) {
    frame.set_number(++number_);
    machine_.OnFrame(kLink, std::move(frame), now_);
  }
  bool closed() const { return host_.closed.contains(kLink); }

  ManualClock clock_;
  SeededRandom random_{1};
  Options options_;
  Instant now_;
  QuietHost host_;
  NoArchive archive_;
  const std::unique_ptr<storage::LocalStore> store_ =
      *storage::LocalStore::Open(storage::MakeMemoryEngine(), {.region = kHome, .clock = &clock_, .random = &random_});
  const Ed25519LogSigner signer_{crypto::Ed25519Key::Generate()};
  WriteLease lease_{clock_, WriteLease::Others::kAdmitted};
  Machine machine_{*store_, random_, signer_, {kAway}, options_, host_, archive_, lease_};
  std::uint64_t number_ = 0;
};

TEST_F(FramesTest, FrameOfANewerVersionIsIgnoredAndTheConnectionGoesOn) {
  pb::Frame unknown;
  unknown.GetReflection()->MutableUnknownFields(&unknown)->AddLengthDelimited(200, "of a later release");
  ASSERT_EQ(unknown.body_case(), pb::Frame::BODY_NOT_SET);
  Receive(unknown);
  EXPECT_FALSE(closed());
  pb::Frame open;
  open.mutable_open()->set_pool("eu-central-1_Pool00001");
  open.mutable_open()->set_stream(1);
  Receive(open);
  const auto answer = machine_.NextFrame(kLink, now_);
  ASSERT_TRUE(answer && answer->has_outcome());
  EXPECT_EQ(answer->outcome().refused(), pb::UNKNOWN_POOL);
}

TEST_F(FramesTest, FrameThatOnlySuppliersSendEndsTheConnection) {
  pb::Frame batch;
  batch.mutable_batch()->set_pool("eu-central-1_Pool00001");
  Receive(batch);
  EXPECT_TRUE(closed());
}

TEST_F(FramesTest, FrameThatWasLostEndsTheConnection) {
  ++number_;
  pb::Frame heartbeat;
  heartbeat.mutable_heartbeat();
  Receive(heartbeat);
  EXPECT_TRUE(closed());
}

}  // namespace
}  // namespace symbolon::replication
