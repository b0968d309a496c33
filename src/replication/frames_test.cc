// What the machine makes of frames that a peer of another version, or a faulty one, sends.
#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <set>

#include "base/log.h"
#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "replication/machine.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "storage/plausible_epochs.h"

namespace symbolon::replication {
namespace {

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const PoolId kPool("us-east-1_Pool00001");
constexpr LinkId kLink = 2;

class QuietHost final : public MachineHost {
 public:
  void Dial(const Region&, LinkId link) override { dialled = link; }
  void Close(LinkId link) override { closed.insert(link); }
  void Submit(storage::Commit commit, Done<storage::Committed> done) override {
    submitted.emplace_back(std::move(commit), std::move(done));
  }
  void Apply(storage::AppliedEntries, Done<storage::pb::Head>) override {}
  void MergeFacts(PoolId, std::vector<storage::pb::FactEntry>, Done<void>) override {}
  void RunBlocking(std::move_only_function<storage::StoreResult<void>()>, Done<void>) override {}

  LinkId dialled = 0;
  std::set<LinkId> closed;
  std::deque<std::pair<storage::Commit, Done<storage::Committed>>> submitted;
};

class NoArchive final : public SuffixArchive {
 public:
  storage::StoreResult<std::optional<storage::pb::Head>> Keep(storage::Store&, const PoolId&, std::uint64_t) override {
    return std::nullopt;
  }
};

class FramesTest : public testing::Test {
 protected:
  // The peer has dialled and said Hello.
  FramesTest() {
    log::SetLevel(log::Level::kOff);
    machine_.Start(now_);
    machine_.OnAccepted(kLink, kAway, now_);
    Receive(Hello());
    while (machine_.NextFrame(kLink, now_)) {
    }
  }
  static pb::Frame Hello() {
    pb::Frame hello;
    hello.mutable_hello()->set_region(kAway.value());
    hello.mutable_hello()->set_incarnation("theirs");
    hello.mutable_hello()->set_oldest_version(1);
    hello.mutable_hello()->set_newest_version(1);
    return hello;
  }
  void Receive(pb::Frame frame) {
    frame.set_number(++number_);
    machine_.OnFrame(kLink, std::move(frame), now_);
  }
  // The connection that this Region dialled last stands.
  void BeDialled() {
    machine_.OnConnected(host_.dialled, now_);
    told_ = 0;
    Tell(Hello());
  }
  void Tell(pb::Frame frame) {
    frame.set_number(++told_);
    machine_.OnFrame(host_.dialled, std::move(frame), now_);
  }
  // It leads this pool, and this Region is a new member.
  static pb::PoolState PoolOf(int serial) {
    pb::PoolState state;
    state.set_pool("us-east-1_Pool" + std::to_string(serial));
    state.set_primary(kAway.value());
    state.mutable_receiver()->set_region(kHome.value());
    state.mutable_receiver()->set_state(pb::CREATING);
    *state.mutable_head()->mutable_epoch() = MakeEpoch(1, kAway, "theirs");
    *state.mutable_standing()->mutable_epoch() = MakeEpoch(1, kAway, "theirs");
    return state;
  }
  void NamePools(int first, int count) {
    pb::Frame frame;
    for (int i = 0; i < count; ++i) *frame.mutable_pools()->add_pools() = PoolOf(first + i);
    Tell(std::move(frame));
  }
  // kPool is here, led by the peer.
  void MakePool() {
    pb::RoleRecord role = NewRoleRecord(kAway);
    role.add_members()->set_region(kHome.value());
    role.mutable_members(0)->set_state(pb::ACTIVE);
    storage::Commit commit;
    commit.pool = kPool;
    commit.start_epoch_counter = 1;
    commit.directory.push_back({{storage::Space::kDirectory, kPool, kRoleRecordType, Bytes()}, SerializeRole(role)});
    store_->Submit(std::move(commit), [](const auto& result) { ASSERT_TRUE(result); });
    while (store_->Step()) {
    }
    News news;
    news[kPool].head = **store_->MakeSnapshot()->Head(kPool);
    news[kPool].roles = true;
    machine_.OnNews(news, now_);
  }
  void AskForPromise(std::uint64_t counter, const Bytes& incarnation = "theirs") {
    pb::Frame frame;
    frame.mutable_promise_request()->set_pool(kPool.value());
    *frame.mutable_promise_request()->mutable_epoch() = MakeEpoch(counter, kAway, incarnation);
    Receive(std::move(frame));
  }
  void Pass(std::chrono::nanoseconds time) {
    now_.since_boot += time;
    machine_.OnTick(now_);
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
  std::uint64_t told_ = 0;
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

TEST_F(FramesTest, ANameThatNoStoreHasIsNoGreeting) {
  ASSERT_NE(host_.dialled, 0u);
  machine_.OnConnected(host_.dialled, now_);
  pb::Frame hello = Hello();
  hello.mutable_hello()->set_incarnation(Bytes(1 << 20, 'x'));
  Tell(std::move(hello));
  EXPECT_TRUE(host_.closed.contains(host_.dialled));
}

TEST_F(FramesTest, WhatIsSaidOfAPoolIsBounded) {
  BeDialled();
  NamePools(1, 1);
  EXPECT_FALSE(host_.closed.contains(host_.dialled));
  pb::Frame frame;
  pb::PoolState& state = *frame.mutable_pools()->add_pools();
  state = PoolOf(2);
  state.mutable_standing()->mutable_promised()->set_incarnation(Bytes(1 << 20, 'x'));
  Tell(std::move(frame));
  EXPECT_TRUE(host_.closed.contains(host_.dialled));
}

TEST_F(FramesTest, APeerNamesPoolsWithoutEnd_TheyAreBoundedAndGoneWhenItConnectsAnew) {
  BeDialled();
  for (int i = 0; i < 100'000; i += 1'000) NamePools(i, 1'000);
  EXPECT_EQ(machine_.Statuses(now_).size(), 20'000u);
  const LinkId first = host_.dialled;
  machine_.OnClosed(first, now_);
  Pass(options_.backoff_limit);
  ASSERT_NE(host_.dialled, first);
  BeDialled();
  EXPECT_EQ(machine_.Statuses(now_).size(), 0u);
  NamePools(200'000, 1'000);
  EXPECT_EQ(machine_.Statuses(now_).size(), 1'000u);
}

TEST_F(FramesTest, APeerNamesMorePoolsThanAreKept_WhenItHasThemNoMoreItIsAskedAnew) {
  BeDialled();
  for (int i = 0; i < 30'000; i += 1'000) NamePools(i, 1'000);
  Pass(std::chrono::milliseconds(50));
  EXPECT_FALSE(host_.closed.contains(host_.dialled));
  for (int i = 0; i < 15'000; ++i) {
    pb::Frame frame;
    frame.mutable_outcome()->set_pool(PoolOf(i).pool());
    frame.mutable_outcome()->set_refused(pb::UNKNOWN_POOL);
    Tell(std::move(frame));
  }
  EXPECT_EQ(machine_.Statuses(now_).size(), 5'000u);
  Pass(std::chrono::milliseconds(50));
  EXPECT_TRUE(host_.closed.contains(host_.dialled));
}

TEST_F(FramesTest, APeerAsksAndDoesNotRead_NothingMoreIsReadFromIt) {
  ASSERT_TRUE(machine_.TakesFrames(kLink));
  pb::Frame open;
  open.mutable_open()->set_pool("eu-central-1_Pool00001");
  int asked = 0;
  for (; machine_.TakesFrames(kLink) && asked < 1'000'000; ++asked) Receive(open);
  EXPECT_LE(asked, 2'000);
  // It reads again.
  ASSERT_TRUE(machine_.NextFrame(kLink, now_));
  EXPECT_TRUE(machine_.TakesFrames(kLink));
  // Time alone makes it no more: frames that wait are sign of life enough.
  const int before = asked;
  Receive(open);
  for (int i = 0; i < 100; ++i) Pass(std::chrono::milliseconds(50));
  int waiting = 0;
  while (machine_.NextFrame(kLink, now_)) ++waiting;
  EXPECT_EQ(waiting, before);
}

TEST_F(FramesTest, APeerDoesNotReadWhatItIsAsked_TheConnectionIsGivenUp) {
  BeDialled();
  const LinkId link = host_.dialled;
  NamePools(1, 1);
  for (int i = 0; i < 100'000; ++i) {
    // It says that it has more to offer, and ends each stream.
    pb::Frame end;
    end.mutable_end()->set_pool(PoolOf(1).pool());
    end.mutable_end()->set_stream(static_cast<std::uint64_t>(i) + 1);
    end.mutable_end()->set_reason(pb::STORE);
    Tell(std::move(end));
    NamePools(1, 1);
  }
  Pass(std::chrono::milliseconds(50));
  EXPECT_TRUE(host_.closed.contains(link));
}

TEST_F(FramesTest, AnEpochToWhichNobodyCanHaveCome_IsNotPromised) {
  MakePool();
  AskForPromise(std::numeric_limits<std::uint64_t>::max());
  AskForPromise(2 + storage::kEpochLeapMax);
  AskForPromise(2, Bytes(storage::kNameBytesMax + 1, 'x'));
  EXPECT_TRUE(host_.submitted.empty());
  AskForPromise(2);
  ASSERT_EQ(host_.submitted.size(), 1u);
  EXPECT_EQ(host_.submitted.front().first.promise->counter(), 2u);
}

TEST_F(FramesTest, APeerKnowsOfAnEpochToWhichNobodyCanHaveCome_ThePoolIsTakenOverInTheNext) {
  MakePool();
  BeDialled();
  pb::Frame frame;
  pb::PoolState& state = *frame.mutable_pools()->add_pools();
  state = PoolOf(1);
  state.set_pool(kPool.value());
  *state.mutable_standing()->mutable_promised() = MakeEpoch(std::numeric_limits<std::uint64_t>::max(), kAway, "theirs");
  Tell(std::move(frame));
  machine_.TakeOver(kPool, /*accept_loss=*/true, [](const auto&) {}, now_);
  ASSERT_EQ(host_.submitted.size(), 1u);
  EXPECT_EQ(host_.submitted.front().first.promise->counter(), 2u);
}

TEST_F(FramesTest, APeerAsksForPromiseAfterPromise_AFewWait) {
  MakePool();
  for (std::uint64_t counter = 2; counter < 1'000; ++counter) AskForPromise(counter);
  int promised = 0;
  for (; !host_.submitted.empty(); ++promised) {
    auto done = std::move(host_.submitted.front().second);
    host_.submitted.pop_front();
    done(storage::Committed{}, now_);
  }
  EXPECT_EQ(promised, 8);
}

}  // namespace
}  // namespace symbolon::replication
