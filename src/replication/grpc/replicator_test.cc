// Two Regions in this process, over real gRPC with mutual TLS on loopback: copy, follow, facts, roles, and the restart
// of either side while it works.
#include "replication/replicator.h"

#include <grpc/grpc.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "base/seeded_random.h"
#include "base/temporary_directory.h"
#include "replication/grpc/grpc_transport.h"
#include "replication/grpc/test_certificates.h"
#include "replication/log_signatures.h"
#include "replication/suffix_file.h"
#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::replication::grpc_link {
namespace {

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const PoolId kPool("eu-central-1_Pool00001");
constexpr std::uint16_t kType = 7;
// Only a failure waits so long.
constexpr std::chrono::seconds kPatience{120};

storage::Key RoleKey() { return {storage::Space::kDirectory, kPool, kRoleRecordType, Bytes()}; }
storage::Key UserKey(std::size_t number) {
  return {storage::Space::kDirectory, kPool, kType, "user" + std::to_string(number)};
}
storage::Key FactKeyOf(const Bytes& subject) { return {storage::Space::kFact, kPool, kType, subject}; }

// gRPC's own threads end before the process does: what OpenSSL keeps for each of them would be a leak otherwise.
class GrpcEndsFirst : public testing::Environment {
 public:
  void SetUp() override { ::grpc_init(); }
  void TearDown() override { ::grpc_shutdown_blocking(); }
};
const testing::Environment* const kGrpcEndsFirst = testing::AddGlobalTestEnvironment(new GrpcEndsFirst);

// Wakes whoever waits for something to become true.
class Bell {
 public:
  void Ring() {
    {
      const std::lock_guard lock(mutex_);
      ++rung_;
    }
    ringing_.notify_all();
  }
  // Asks again after each ring, and now and then for what nobody rings for.
  bool Await(const std::function<bool()>& happened) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    std::uint64_t heard = 0;
    while (!happened()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::unique_lock lock(mutex_);
      ringing_.wait_for(lock, std::chrono::milliseconds(50), [&] { return rung_ != heard; });
      heard = rung_;
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ringing_;
  std::uint64_t rung_ = 0;
};

// A Region whose process comes and goes, on a disk that stays.
class TestRegion {
 public:
  TestRegion(Region name, Region peer, const TestAuthority& authority, Bell& bell)
      : name_(std::move(name)),
        peer_(std::move(peer)),
        authority_(authority),
        issued_(authority.Of(name_.value())),
        bell_(bell) {
    // Of many pieces even with few records.
    options_.frame_limit_bytes = 4 << 10;
    options_.pool_window_bytes = 16 << 10;
    options_.copy_window_bytes = 16 << 10;
    options_.staging_bytes = 8 << 10;
    options_.backoff_initial = std::chrono::milliseconds(10);
    options_.backoff_limit = std::chrono::milliseconds(200);
    options_.heartbeat_interval = std::chrono::milliseconds(200);
  }
  ~TestRegion() { Stop(); }

  void Start() {
    auto store = storage::LocalStore::Open(storage::MakeMemoryEngine(disk_),
                                           {.region = name_, .clock = &SystemClock(), .random = &random_});
    ASSERT_TRUE(store) << store.error().detail;
    store_ = *std::move(store);
    committer_ = std::make_unique<storage::CommitterThread>(*store_);
    subscription_ = store_->Subscribe([this](const storage::Notice&) { bell_.Ring(); });
    TransportOptions options{.listen = "127.0.0.1:0",
                             .peers = {{peer_, "127.0.0.1:1"}},
                             .ca_pem = authority_.ca_pem(),
                             .certificate_pem = issued_.certificate_pem,
                             .key_pem = issued_.key_pem};
    auto transport = std::make_unique<GrpcTransport>(std::move(options));
    transport_ = transport.get();
    replicator_ = std::make_unique<Replicator>(
        *store_, SystemClock(), random_, signer_, std::vector<Region>{peer_}, options_, std::move(transport), suffixes_,
        [](const Region& from, const pb::ControlRequest& request) -> ControlResult<Bytes> {
          if (request.has_import_replica_key()) return Err(ControlError{ControlErrorCode::kRefused, "not that key"});
          return from.value() + " asks for " + request.get_transport_key();
        });
    if (answer_forwarded_) {
      replicator_->ServeForwarded([this](const Region& from, pb::ControlRequest::Forward request, auto answer) {
        answer_forwarded_(from, std::move(request), std::move(answer));
      });
    }
    const auto started = replicator_->Start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  void Stop() {
    replicator_.reset();
    transport_ = nullptr;
    subscription_.reset();
    committer_.reset();
    store_.reset();
  }
  void PointTo(const TestRegion& other) const {
    if (transport_ != nullptr && other.transport_ != nullptr) {
      transport_->SetPeerAddress(peer_, "127.0.0.1:" + std::to_string(other.transport_->port()));
    }
  }

  static void Echo(const Region& from, const pb::ControlRequest::Forward& request,
                   const std::function<void(ControlResult<Bytes>)>& answer) {
    answer(from.value() + " asks about " + request.pool() + ": " + request.request());
  }
  // Not while requests are under way; nobody from the next start on.
  void AnswerForwardedBy(Replicator::AnswerForwarded answer) { answer_forwarded_ = std::move(answer); }

  // Take effect with the next start.
  Options& options() { return options_; }
  storage::LocalStore& store() { return *store_; }
  Replicator& replicator() { return *replicator_; }

 private:
  const Region name_;
  const Region peer_;
  const TestAuthority& authority_;
  const TestAuthority::Issued issued_;
  Bell& bell_;
  Options options_;
  SeededRandom random_{11};
  const std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>();
  std::unique_ptr<storage::LocalStore> store_;
  std::unique_ptr<storage::CommitterThread> committer_;
  std::unique_ptr<storage::Subscription> subscription_;
  TemporaryDirectory folder_;
  SuffixFolder suffixes_{folder_.path(), 2};
  GrpcTransport* transport_ = nullptr;
  Replicator::AnswerForwarded answer_forwarded_ = Echo;
  const Ed25519LogSigner signer_{crypto::Ed25519Key::Generate()};
  std::unique_ptr<Replicator> replicator_;
};

class ReplicatorTest : public testing::Test {
 protected:
  ReplicatorTest() : home_(kHome, kAway, authority_, bell_), away_(kAway, kHome, authority_, bell_) {}

  void SetUp() override {
    home_.Start();
    away_.Start();
    Connect();
  }
  void Connect() {
    home_.PointTo(away_);
    away_.PointTo(home_);
  }
  void Restart(TestRegion& region) {
    region.Stop();
    region.Start();
    Connect();
  }

  void MakePool(std::size_t users) {
    storage::Commit commit;
    commit.pool = kPool;
    commit.start_epoch_counter = 1;
    commit.directory.push_back({RoleKey(), SerializeRole(NewRoleRecord(kHome))});
    for (std::size_t user = 0; user < users; ++user) commit.directory.push_back({UserKey(user), Bytes(100, 'x')});
    ASSERT_TRUE(storage::SubmitAndWait(home_.store(), std::move(commit)));
  }
  void ChangeRole(const std::function<RoleResult<pb::RoleRecord>(pb::RoleRecord)>& change) {
    const auto role = RoleAt(home_);
    ASSERT_TRUE(role);
    const auto changed = change(*role);
    ASSERT_TRUE(changed);
    ASSERT_TRUE(
        storage::SubmitAndWait(home_.store(), storage::DirectoryCommit({{RoleKey(), SerializeRole(*changed)}}, kPool)));
  }
  void AddAway() {
    ChangeRole([](pb::RoleRecord role) { return AddMember(std::move(role), kAway, SystemClock().Now()); });
  }
  void Write(std::size_t user, const Bytes& value) {
    ASSERT_TRUE(storage::SubmitAndWait(home_.store(), storage::DirectoryCommit({{UserKey(user), value}}, kPool)));
  }
  void Accept(TestRegion& region, const Bytes& subject, const Bytes& element) {
    storage::Commit commit;
    commit.pool = kPool;
    storage::FactChange& fact = commit.facts.emplace_back();
    fact.key = FactKeyOf(subject);
    fact.value.add_elements(element);
    ASSERT_TRUE(storage::SubmitAndWait(region.store(), std::move(commit)));
  }

  // From the secondary's side.
  Forwarded ForwardOnce(const Bytes& request, std::chrono::milliseconds timeout = kPatience) {
    std::promise<Forwarded> ended;
    away_.replicator().Forward(kPool, kHome, request, timeout, [&](Forwarded end) { ended.set_value(std::move(end)); });
    return ended.get_future().get();
  }
  // When the Regions are connected.
  Forwarded Forward(const Bytes& request) {
    Forwarded end;
    EXPECT_TRUE(bell_.Await([&] {
      end = ForwardOnce(request);
      return end.outcome != ForwardOutcome::kNotReached && end.outcome != ForwardOutcome::kUnknown;
    }));
    return end;
  }

  static std::optional<pb::RoleRecord> RoleAt(TestRegion& region) {
    const auto stored = storage::ReadNow(region.store(), RoleKey());
    return stored ? ParseRole(*stored) : std::nullopt;
  }
  static std::optional<storage::pb::Head> HeadAt(TestRegion& region) {
    return *region.store().MakeSnapshot()->Head(kPool);
  }
  static std::set<Bytes> ElementsAt(TestRegion& region, const Bytes& subject) {
    const auto stored = storage::ReadNow(region.store(), FactKeyOf(subject));
    storage::pb::FactValue value;
    if (stored) value.ParseFromString(*stored);
    return {value.elements().begin(), value.elements().end()};
  }
  // Every record, with its type.
  static std::map<Bytes, Bytes> DirectoryAt(TestRegion& region) {
    std::map<Bytes, Bytes> directory;
    auto source = region.store().OpenCopy(kPool);
    if (!source) return directory;
    Bytes cursor;
    for (;;) {
      const auto records = (*source)->Next(cursor, 1 << 20);
      EXPECT_TRUE(records);
      if (!records || records->empty()) return directory;
      for (const storage::Record& record : *records) directory[record.id] = record.value;
      cursor = records->back().id;
    }
  }
  // With both keys pinned the primary writes nothing of its own accord: a look at each Region sees the same log.
  bool AwaitEqualHeads() {
    return bell_.Await([&] {
      const auto role = RoleAt(home_);
      if (!role || LogKeyOf(*role, kHome) == nullptr || LogKeyOf(*role, kAway) == nullptr) return false;
      const auto home = HeadAt(home_);
      const auto away = HeadAt(away_);
      return home && away && home->digest() == away->digest();
    });
  }
  bool AwaitState(pb::MemberState state) {
    return bell_.Await([&] {
      const auto role = RoleAt(away_);
      return role && RoleOf(*role, kAway) == (Role{Role::Kind::kSecondary, state});
    });
  }
  bool AwaitFact(TestRegion& region, const Bytes& subject, const Bytes& element) {
    return bell_.Await([&] { return ElementsAt(region, subject).contains(element); });
  }

  Bell bell_;
  const TestAuthority authority_;
  TestRegion home_;
  TestRegion away_;
};

TEST_F(ReplicatorTest, NewMemberTakesACopyThenFollows) {
  MakePool(1'000);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  for (std::size_t user = 990; user < 1'040; ++user) Write(user, "new");
  ASSERT_TRUE(AwaitEqualHeads());
  EXPECT_EQ(DirectoryAt(away_), DirectoryAt(home_));
  EXPECT_EQ(DirectoryAt(away_).size(), 1'041);

  ASSERT_TRUE(bell_.Await([&] {
    const auto status = home_.replicator().Status(kPool);
    return status && status->members.at(0).lag_entries == 0 &&
           status->members.at(0).lag_time == std::chrono::microseconds(0);
  }));
  const auto primary = home_.replicator().Status(kPool);
  EXPECT_EQ(primary->role.kind, Role::Kind::kPrimary);
  EXPECT_TRUE(primary->members.at(0).connected);
  const auto secondary = away_.replicator().Status(kPool);
  ASSERT_TRUE(secondary);
  EXPECT_EQ(secondary->primary, kHome);
  EXPECT_TRUE(secondary->streaming);
  EXPECT_EQ(secondary->problem, "");
  EXPECT_EQ(secondary->head->sequence(), primary->head->sequence());
  EXPECT_EQ(away_.replicator().Counters().copies_taken, 1);
}

class ShortLogTest : public ReplicatorTest {
 protected:
  // The secondary is away while the log is trimmed past where it stood, as `shorten` has it.
  void ComeBackTooLate(const std::function<void(Options&)>& shorten) {
    home_.options().trim_interval = std::chrono::milliseconds(20);
    home_.options().kept_entries_min = 5;
    home_.options().copy_bytes_per_second = 1 << 20;
    shorten(home_.options());
    Restart(home_);
    MakePool(500);
    AddAway();
    ASSERT_TRUE(AwaitState(pb::INACTIVE));
    ASSERT_TRUE(AwaitEqualHeads());
    const std::uint64_t stood_at = HeadAt(away_)->sequence();
    away_.Stop();
    for (std::size_t user = 0; user < 100; ++user) Write(user, Bytes(200, 'y'));
    ASSERT_TRUE(bell_.Await([&] { return !home_.store().ReadLog(kPool, stood_at + 1, 1); }));

    away_.Start();
    Connect();
    // Until all is there, what was there is served.
    ASSERT_TRUE(bell_.Await([&] {
      const auto snapshot = away_.store().MakeSnapshot();
      const auto head = *snapshot->Head(kPool);
      const auto user = *snapshot->Get(UserKey(7));
      EXPECT_TRUE(head && user);
      if (!head || !user) return true;
      EXPECT_EQ(*user, head->sequence() == stood_at ? Bytes(100, 'x') : Bytes(200, 'y'));
      return head->digest() == HeadAt(home_)->digest();
    }));
    // The store shows the copy a moment before it is counted.
    EXPECT_TRUE(bell_.Await([&] { return away_.replicator().Counters().copies_taken == 1; }));
    EXPECT_EQ(DirectoryAt(away_), DirectoryAt(home_));
  }
};

TEST_F(ShortLogTest, ReplicaAwayForMoreEntriesThanAreKept_TakesANewCopyByItself) {
  ComeBackTooLate([](Options& options) { options.kept_entries_max = 20; });
}

TEST_F(ShortLogTest, ReplicaAwayForMoreOctetsThanAreKept_TakesANewCopyByItself) {
  ComeBackTooLate([](Options& options) { options.kept_bytes_max = 8 << 10; });
}

TEST_F(ReplicatorTest, FactsGoBothWays) {
  MakePool(3);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  Accept(home_, "family", "revoked at home");
  Accept(away_, "family", "revoked away");
  EXPECT_TRUE(AwaitFact(away_, "family", "revoked at home"));
  EXPECT_TRUE(AwaitFact(home_, "family", "revoked away"));
}

TEST_F(ReplicatorTest, FactsAcceptedBeforeTheCopyAreThereWhenItEnds) {
  MakePool(3);
  for (int i = 0; i < 100; ++i) Accept(home_, "family" + std::to_string(i), "revoked");
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(ElementsAt(away_, "family" + std::to_string(i)).contains("revoked"));
}

// As nodes ask that are older than requests that are passed on whole.
TEST_F(ReplicatorTest, SecondaryHasThePrimaryChangeItsState) {
  MakePool(3);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  const auto propose = [&](pb::MemberState state) {
    pb::ControlRequest request;
    request.mutable_propose_member_state()->set_pool(kPool.value());
    request.mutable_propose_member_state()->set_region(kAway.value());
    request.mutable_propose_member_state()->set_state(state);
    return away_.replicator().Ask(kHome, request);
  };
  ASSERT_TRUE(propose(pb::ACTIVE));
  EXPECT_TRUE(AwaitState(pb::ACTIVE));
  const auto refused = propose(pb::CREATING);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ControlErrorCode::kWrongState);
}

// ---- clients' requests that are passed on ----

TEST_F(ReplicatorTest, RequestReachesThePrimarysHandlerAndItsAnswerComesBack) {
  Forwarded end = Forward("request");
  ASSERT_EQ(end.outcome, ForwardOutcome::kAnswered) << end.detail;
  EXPECT_EQ(end.region, kHome);
  EXPECT_EQ(end.answer, "us-east-1 asks about eu-central-1_Pool00001: request");
}

TEST_F(ReplicatorTest, RegionThatTakesNoRequest_IsARefusalThatDidNothing) {
  home_.AnswerForwardedBy(
      [](auto, auto, const auto& answer) { answer(Err(ControlError{ControlErrorCode::kNotMember, "not you"})); });
  EXPECT_EQ(Forward("request").outcome, ForwardOutcome::kRefused);
  home_.AnswerForwardedBy(
      [](auto, auto, const auto& answer) { answer(Err(ControlError{ControlErrorCode::kNotPrimary, kAway.value()})); });
  EXPECT_EQ(Forward("request").outcome, ForwardOutcome::kIsHere);
  home_.AnswerForwardedBy(nullptr);
  Restart(home_);
  EXPECT_EQ(Forward("request").outcome, ForwardOutcome::kRefused);
}

TEST_F(ReplicatorTest, PrimaryThatIsGone_IsNotReached) {
  ASSERT_EQ(Forward("request").outcome, ForwardOutcome::kAnswered);
  home_.Stop();
  // Until the broken connection has been noticed the outcome is not known.
  ForwardOutcome outcome = ForwardOutcome::kAnswered;
  ASSERT_TRUE(bell_.Await([&] { return (outcome = ForwardOnce("request").outcome) != ForwardOutcome::kUnknown; }));
  EXPECT_EQ(outcome, ForwardOutcome::kNotReached);
}

TEST_F(ReplicatorTest, NoAnswerInTimeOrADroppedOne_IsAnUnknownOutcome) {
  ASSERT_EQ(Forward("request").outcome, ForwardOutcome::kAnswered);
  std::promise<std::function<void(ControlResult<Bytes>)>> late;
  home_.AnswerForwardedBy([&](auto, auto, const auto& answer) { late.set_value(answer); });
  EXPECT_EQ(ForwardOnce("request", std::chrono::milliseconds(50)).outcome, ForwardOutcome::kUnknown);
  late.get_future().get()(Bytes("too late"));
  home_.AnswerForwardedBy([](auto, auto, auto) {});
  EXPECT_EQ(ForwardOnce("request").outcome, ForwardOutcome::kUnknown);
}

TEST_F(ReplicatorTest, SoManyUnderWay_TheNextIsNotSent) {
  ASSERT_EQ(Forward("request").outcome, ForwardOutcome::kAnswered);
  std::mutex mutex;
  std::vector<std::function<void(ControlResult<Bytes>)>> held;
  home_.AnswerForwardedBy([&](auto, auto, const auto& answer) {
    const std::lock_guard lock(mutex);
    held.push_back(answer);
    bell_.Ring();
  });
  std::atomic<int> answered = 0;
  for (int i = 0; i < kForwardsMax; ++i) {
    away_.replicator().Forward(kPool, kHome, "request", kPatience, [&](const Forwarded& end) {
      EXPECT_EQ(end.outcome, ForwardOutcome::kAnswered);
      ++answered;
      bell_.Ring();
    });
  }
  ASSERT_TRUE(bell_.Await([&] {
    const std::lock_guard lock(mutex);
    return held.size() == kForwardsMax;
  }));
  EXPECT_EQ(ForwardOnce("one more").outcome, ForwardOutcome::kBusy);
  for (const auto& answer : held) answer(Bytes("yes"));
  held.clear();
  ASSERT_TRUE(bell_.Await([&] { return answered == kForwardsMax; }));
  home_.AnswerForwardedBy(TestRegion::Echo);
  EXPECT_EQ(ForwardOnce("request").outcome, ForwardOutcome::kAnswered);
}

TEST_F(ReplicatorTest, StopWhileARequestIsUnderWay_TellsItsEnd) {
  ASSERT_EQ(Forward("request").outcome, ForwardOutcome::kAnswered);
  std::promise<std::function<void(ControlResult<Bytes>)>> held;
  home_.AnswerForwardedBy([&](auto, auto, const auto& answer) { held.set_value(answer); });
  std::promise<Forwarded> ended;
  away_.replicator().Forward(kPool, kHome, "request", kPatience, [&](const Forwarded& end) { ended.set_value(end); });
  const auto answer = held.get_future().get();
  away_.Stop();
  EXPECT_EQ(ended.get_future().get().outcome, ForwardOutcome::kUnknown);
}

TEST_F(ReplicatorTest, KeyRequestsReachTheOtherRegionsHandler) {
  pb::ControlRequest request;
  request.set_get_transport_key("a key");
  // Before a connection stands a call may fail.
  ControlResult<Bytes> answer = Err(ControlError{ControlErrorCode::kUnavailable, ""});
  ASSERT_TRUE(bell_.Await([&] { return (answer = home_.replicator().Ask(kAway, request)).has_value(); }));
  EXPECT_EQ(*answer, "eu-central-1 asks for a key");
  request.set_import_replica_key("sealed");
  EXPECT_EQ(home_.replicator().Ask(kAway, request).error().code, ControlErrorCode::kRefused);
  EXPECT_EQ(home_.replicator().Ask(Region("mars-north-1"), request).error().code, ControlErrorCode::kNotMember);
}

TEST_F(ReplicatorTest, SecondaryThatRestartsInTheMiddleOfACopyGoesOn) {
  MakePool(3'000);
  AddAway();
  ASSERT_TRUE(bell_.Await([&] {
    const auto staging = away_.store().FindStaging(kPool);
    return (staging && *staging && (*staging)->records > 0) || HeadAt(away_);
  }));
  Restart(away_);
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  ASSERT_TRUE(AwaitEqualHeads());
  EXPECT_EQ(DirectoryAt(away_), DirectoryAt(home_));
}

TEST_F(ReplicatorTest, EitherSideRestartsUnderWritesAndNothingIsLostOrDoubled) {
  MakePool(50);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t user = 0; user < 40; ++user) Write(user, "round " + std::to_string(round));
    Accept(home_, "home", std::to_string(round));
    Accept(away_, "away", std::to_string(round));
    Restart(round % 2 == 0 ? away_ : home_);
    for (std::size_t user = 20; user < 60; ++user) Write(user, "after round " + std::to_string(round));
    Restart(round % 2 == 0 ? home_ : away_);
  }
  ASSERT_TRUE(AwaitEqualHeads());
  EXPECT_EQ(DirectoryAt(away_), DirectoryAt(home_));
  for (const char* round : {"0", "1", "2"}) {
    EXPECT_TRUE(AwaitFact(away_, "home", round));
    EXPECT_TRUE(AwaitFact(home_, "away", round));
  }
}

TEST_F(ReplicatorTest, SecondaryServesOnAndSaysWhyWhilePrimaryIsGone) {
  MakePool(3);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  home_.Stop();
  ASSERT_TRUE(bell_.Await([&] {
    const auto status = away_.replicator().Status(kPool);
    return status && status->problem == "no connection to the primary";
  }));
  EXPECT_EQ(DirectoryAt(away_).size(), 4);
  Accept(away_, "family", "revoked meanwhile");
  home_.Start();
  Connect();
  EXPECT_TRUE(AwaitFact(home_, "family", "revoked meanwhile"));
}

TEST_F(ReplicatorTest, MemberThatIsRemovedDropsThePoolAndLeavesTheRecord) {
  MakePool(20);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  ChangeRole([](pb::RoleRecord role) { return BeginRemoval(std::move(role), kAway); });
  ASSERT_TRUE(bell_.Await([&] { return !HeadAt(away_) && RoleAt(home_)->members().empty(); }));
  EXPECT_TRUE(DirectoryAt(away_).empty());
  EXPECT_EQ(DirectoryAt(home_).size(), 21);
}

TEST_F(ReplicatorTest, DeletedPoolGoesFromEveryRegion) {
  MakePool(20);
  AddAway();
  ASSERT_TRUE(AwaitState(pb::INACTIVE));
  ChangeRole([](pb::RoleRecord role) -> RoleResult<pb::RoleRecord> { return MarkDeleted(std::move(role)); });
  EXPECT_TRUE(bell_.Await([&] { return !HeadAt(away_) && !HeadAt(home_); }));
}

}  // namespace
}  // namespace symbolon::replication::grpc_link
