#include "key_life/shredding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <random>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "crypto/hash.h"
#include "directory/test_store.h"
#include "key_life/commit.h"
#include "key_life/link.pb.h"
#include "key_life/member.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;
using replication::ControlError;
using replication::ControlErrorCode;
using replication::ControlResult;
using replication::pb::RoleRecord;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const PoolId kPool("eu-central-1_TestPool1");
constexpr const char* kAccount = "000000000000";

storage::Key KeyOf(RecordType type, const Bytes& id = "") {
  return {.space = storage::Space::kDirectory, .pool = kPool, .type = static_cast<std::uint16_t>(type), .id = id};
}

storage::StoreResult<storage::Committed> Submit(storage::Store& store, storage::Commit commit) {
  std::promise<storage::StoreResult<storage::Committed>> done;
  store.Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
  return done.get_future().get();
}

// One Region, without the replication machine: the test does what that would.
class Node {
 public:
  Node(const Region& region, Clock& clock)
      : region_(region), clock_(clock), store_(region.value(), clock), suffixes_(folder_.path() / "set_aside", 2) {}

  // As the process that starts.
  void Start() {
    if (faults) failing_ = storage::MakeUnreadableStore(store_.store(), faults);
    services_.emplace(Services{.store = failing_ ? *failing_ : store_.store(),
                               .keys = keyring_,
                               .commits = commits_,
                               .clock = clock_,
                               .random = store_.random(),
                               .here = region_,
                               .ask = ask});
    shredding_.emplace(*services_, key_, nullptr,
                       Shredding::Options{.regions = regions,
                                          .gone = gone,
                                          .suffixes = &suffixes_,
                                          .forget = [this](const PoolId& pool) { forgotten.push_back(pool); }});
    services_->shredding = &*shredding_;
  }
  void Stop() {
    shredding_.reset();
    services_.reset();
  }
  bool runs() const { return shredding_.has_value(); }

  storage::Store& store() { return store_.store(); }
  directory::TestStore& test_store() { return store_; }
  Services& services() { return *services_; }
  Shredding& shredding() { return *shredding_; }
  keys::Keyring& keyring() { return keyring_; }
  Bytes public_key() const { return key_.PublicKey(); }
  std::filesystem::path set_aside() const { return folder_.path() / "set_aside"; }

  std::optional<RoleRecord> Role() {
    const auto stored = store().MakeSnapshot()->Get(KeyOf(RecordType::kRole)).value();
    return stored ? replication::ParseRole(*stored) : std::nullopt;
  }
  void ChangeRole(const std::function<void(RoleRecord&)>& change) {
    storage::Commit commit{.pool = kPool};
    RoleRecord role = *Role();
    change(role);
    commit.directory.push_back({KeyOf(RecordType::kRole), replication::SerializeRole(role)});
    ASSERT_TRUE(Submit(store(), std::move(commit)));
  }
  void SetAside() {
    std::filesystem::create_directories(set_aside());
    for (const char* name : {".3-4.00aa.suffix", ".5-6.00bb.suffix.part"}) {
      std::ofstream(set_aside() / (kPool.value() + name)) << "wrapped keys";
    }
    std::ofstream(set_aside() / "eu-central-1_Other.1-1.00cc.suffix") << "of another pool";
  }
  // Files of the pool that were set aside.
  std::size_t SetAsideFiles() const {
    std::size_t count = 0;
    std::error_code none;
    for (const auto& file : std::filesystem::directory_iterator(set_aside(), none)) {
      count += file.path().filename().string().starts_with(kPool.value()) ? 1 : 0;
    }
    return count;
  }
  // Whether the octets are in a record or the log.
  bool Has(const Bytes& octets) {
    for (const auto& [key, value] : store_.Contents(kPool)) {
      if (value.contains(octets)) return true;
    }
    const auto log = store().ReadLog(kPool, 1, 1 << 20);
    for (const auto& entry : log.value_or(std::vector<storage::pb::LogEntry>())) {
      if (entry.SerializeAsString().contains(octets)) return true;
    }
    return false;
  }

  // What becomes of its reads; before Start.
  storage::ReadFaults faults;
  AskRegion ask;
  std::vector<PoolId> forgotten;
  std::vector<Region> regions;
  std::vector<Region> gone;

 private:
  const Region region_;
  Clock& clock_;
  TemporaryDirectory folder_;
  directory::TestStore store_;
  std::unique_ptr<storage::Store> failing_;
  std::unique_ptr<keys::local::LocalKeyProvider> provider_ =
      keys::local::LocalKeyProvider::Open(
          {.directory = folder_.path() / "keys", .region = region_, .account = kAccount}, clock_, store_.random())
          .value();
  keys::Keyring keyring_{
      *provider_,
      {.region = region_, .account = kAccount, .service_owned_key_arn = provider_->EnsureServiceOwnedKey().value()},
      clock_,
      store_.random()};
  replication::DurableCommits commits_{store_.store(), nullptr};
  replication::SuffixFolder suffixes_;
  const crypto::Ed25519Key key_ = crypto::Ed25519Key::Generate();
  std::optional<Services> services_;
  std::optional<Shredding> shredding_;
};

class ShreddingTest : public testing::Test {
 protected:
  void MakePool(bool replicated) {
    replicated_ = replicated;
    const auto made = home_.keyring().MakeKeys(kPool, "").value();
    wrapped_ = made.wrapped;
    storage::Commit commit{.pool = kPool};
    commit.start_epoch_counter = 1;
    RoleRecord role = replication::NewRoleRecord(kHome);
    if (replicated) {
      role = replication::MarkCopied(replication::AddMember(role, kAway, clock_.Now()).value(), kAway).value();
      role = replication::SetMemberState(role, kAway, replication::pb::ACTIVE).value();
    }
    commit.directory.push_back({KeyOf(RecordType::kRole), replication::SerializeRole(role)});
    commit.directory.push_back({KeyOf(RecordType::kWrappedKeys), wrapped_});
    const storage::Key user = KeyOf(RecordType::kUser, "user");
    commit.directory.push_back({user, made.opened->Seal(user, "ann", home_.test_store().random())});
    ASSERT_TRUE(Submit(home_.store(), std::move(commit)));
    if (replicated) {
      home_.regions = away_.regions = {kHome, kAway};
      home_.ask = [this](const Region&, const Bytes& request) { return Ask(away_, kHome, request); };
      away_.ask = [this](const Region&, const Bytes& request) { return Ask(home_, kAway, request); };
      Replicate();
      away_.Start();
    } else {
      home_.regions = {kHome};
    }
    home_.Start();
  }
  ControlResult<Bytes> Ask(Node& node, const Region& from, const Bytes& request) {
    if (cut_ || !node.runs()) return Err(ControlError{ControlErrorCode::kUnavailable, "cut"});
    return AnswerKeyRequest(node.services(), from, request);
  }
  void Replicate() {
    const auto head = away_.store().MakeSnapshot()->Head(kPool).value();
    const auto entries = home_.store().ReadLog(kPool, head ? head->sequence() + 1 : 1, 1 << 20).value();
    storage::AppliedEntries applied{.pool = kPool, .entries = {}};
    for (const auto& entry : entries) applied.entries.push_back(entry.SerializeAsString());
    std::promise<bool> done;
    away_.store().Apply(std::move(applied), [&](auto result) { done.set_value(result.has_value()); });
    ASSERT_TRUE(done.get_future().get());
  }
  void Shred() {
    const auto begun = CommitPlan(home_.services(), kPool, [&](directory::Transaction& tx, const RoleRecord& role) {
      BeginShredding(tx, role, home_.shredding().RequestOf("arn:ann"), kHome, clock_.Now());
      return true;
    });
    ASSERT_TRUE(begun) << begun.error().detail;
  }
  // A forced promotion, without what the former primary wrote last.
  void TakeOver() {
    storage::Commit commit{.pool = kPool};
    commit.start_epoch_counter = 2;
    const RoleRecord role = replication::TakeOver(*away_.Role(), kAway, 2, clock_.Now()).value();
    commit.directory.push_back({KeyOf(RecordType::kRole), replication::SerializeRole(role)});
    ASSERT_TRUE(Submit(away_.store(), std::move(commit)));
  }
  // What replication does of a deleted pool: a member that has the entry drops it and is removed.
  void DropMember() {
    if (!away_.Role() || !away_.Role()->deleted()) return;
    ASSERT_TRUE(away_.store().DropPool(kPool));
    RemoveMember();
  }
  void RemoveMember() {
    home_.ChangeRole([](RoleRecord& role) { role = replication::RemoveMember(role, kAway).value(); });
  }
  void DropAtPrimary() {
    const auto role = home_.Role();
    if (replicated_ && role && role->deleted() && role->members().empty()) ASSERT_TRUE(home_.store().DropPool(kPool));
  }
  void RunAll(int steps = 60) {
    for (int i = 0; i < steps; ++i) {
      if (away_.runs()) away_.shredding().RunDue();
      home_.shredding().RunDue();
      DropAtPrimary();
      clock_.Advance(std::chrono::seconds(1));
    }
  }
  std::string StateOf(Node& node) {
    const auto view = node.shredding().Describe(kPool);
    if (!view) return "none";
    std::string said = view->final ? "FINAL" : "PENDING";
    for (const RegionShredding& region : view->regions) {
      if (region.state == RegionShredding::State::kDone) continue;
      const bool destroyed = region.state == RegionShredding::State::kKeysDestroyed;
      const bool removed = region.state == RegionShredding::State::kRemoved;
      said += "; " + region.region.value() +
              (destroyed ? " (keys destroyed): "
               : removed ? " (removed): "
                         : ": ") +
              region.reason;
    }
    return said;
  }
  certificate::Verified Certificate(Node& node) {
    const auto view = node.shredding().Describe(kPool);
    EXPECT_TRUE(view);
    std::vector<Bytes> keys{home_.public_key()};
    if (replicated_) keys.push_back(away_.public_key());
    const auto verified = certificate::Verify(view->certificate, keys);
    EXPECT_TRUE(verified) << view->certificate;
    EXPECT_THAT(verified->problems, IsEmpty());
    return *verified;
  }
  // The octets by which a wrapped data key is recognised wherever it is.
  Bytes WrappedKey() const { return wrapped_.substr(wrapped_.size() / 2, 64); }

  ManualClock clock_;
  Node home_{kHome, clock_}, away_{kAway, clock_};
  Bytes wrapped_;
  bool replicated_ = false;
  bool cut_ = false;
};

TEST_F(ShreddingTest, OneRegion_NothingIsLeftAndTheCertificateIsFinal) {
  MakePool(false);
  home_.SetAside();
  ASSERT_TRUE(home_.Has(WrappedKey()));
  Shred();
  EXPECT_EQ(home_.store().MakeSnapshot()->Get(KeyOf(RecordType::kWrappedKeys)).value(), std::nullopt);
  EXPECT_TRUE(home_.Role()->deleted());
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
  EXPECT_EQ(home_.forgotten, std::vector{kPool});
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_THAT(home_.test_store().Contents(kPool), IsEmpty());
  EXPECT_EQ(home_.SetAsideFiles(), 0u);
  EXPECT_TRUE(std::filesystem::exists(home_.set_aside() / "eu-central-1_Other.1-1.00cc.suffix"));

  const certificate::Verified verified = Certificate(home_);
  EXPECT_TRUE(verified.final);
  EXPECT_EQ(verified.order.asked_by, "arn:ann");
  const auto contents = keys::ContentsOfPoolKeys(wrapped_).value();
  ASSERT_EQ(verified.order.data_keys.size(), 1u);
  EXPECT_EQ(verified.order.data_keys[0].generation, contents.generations[0].name);
  EXPECT_EQ(verified.order.data_keys[0].wrapped_sha256, contents.generations[0].wrapped_sha256);
  EXPECT_EQ(verified.order.kms_key_arns, std::vector{contents.cmk_arn});
  ASSERT_EQ(verified.statements.size(), 1u);
  const certificate::Statement& said = verified.statements[0].statement;
  EXPECT_THAT(said.done, Contains(std::pair<std::string, std::uint64_t>("setAsideFilesRemoved", 2)));
  EXPECT_THAT(said.done, Contains(std::pair<std::string, std::uint64_t>("logBodiesErased", 1)));
  EXPECT_THAT(said.position, StartsWith("2@1.eu-central-1."));
  EXPECT_THAT(said.remains, Contains(HasSubstr(contents.cmk_arn)));
}

class ReadsFailTest : public ShreddingTest, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ReadsFailTest, testing::Range(1, 13));

TEST_P(ReadsFailTest, NothingIsLeftOutOfTheWorkOrOfTheCertificate) {
  int reads = 0;
  bool fails = false;
  std::mt19937 chance(static_cast<unsigned>(GetParam()));
  home_.faults = [&](const storage::Read&) {
    ++reads;
    return fails && chance() % 3 == 0 ? storage::ReadFault::kFails : storage::ReadFault::kNone;
  };
  MakePool(false);
  home_.SetAside();
  Shred();
  fails = true;
  RunAll(600);
  fails = false;
  EXPECT_EQ(StateOf(home_), "FINAL") << "after " << reads << " reads";
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_THAT(home_.test_store().Contents(kPool), IsEmpty());
  EXPECT_EQ(home_.SetAsideFiles(), 0u);
  const certificate::Verified verified = Certificate(home_);
  ASSERT_EQ(verified.statements.size(), 1u);
  EXPECT_THAT(verified.statements[0].statement.position, StartsWith("2@1.eu-central-1."));
}

TEST_F(ShreddingTest, TwoRegions_BothSignAndBothHaveTheCertificate) {
  MakePool(true);
  away_.SetAside();
  Shred();
  Replicate();
  DropMember();
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
  EXPECT_EQ(StateOf(away_), "FINAL");
  for (Node* node : {&home_, &away_}) {
    EXPECT_FALSE(node->Has(WrappedKey()));
    EXPECT_THAT(node->test_store().Contents(kPool), IsEmpty());
    EXPECT_EQ(Certificate(*node).statements.size(), 2u);
  }
  EXPECT_EQ(away_.SetAsideFiles(), 0u);
}

TEST_F(ShreddingTest, KeysAreDestroyedBeforeEveryMemberHasDroppedThePool) {
  MakePool(true);
  Shred();
  Replicate();
  RunAll();
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_FALSE(away_.Has(WrappedKey()));
  EXPECT_EQ(
      StateOf(home_),
      "PENDING; eu-central-1 (keys destroyed): Its keys are destroyed; its records go when us-east-1 has heard that "
      "it is to remove them.; us-east-1 (keys destroyed): Its records are being removed.");
  DropMember();
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
}

TEST_F(ShreddingTest, AWrappedKeyThatIsARegionsOwnGoesWithTheOthers) {
  MakePool(true);
  storage::Commit commit{.pool = kPool};
  storage::Key own = KeyOf(RecordType::kRegionalKeys);
  own.space = storage::Space::kRegional;
  commit.regional.push_back({own, WrappedKey()});
  commit.directory.push_back(
      {KeyOf(RecordType::kRegionKey, kAway.value()), keys::SerializeRegionKey("arn:of-its-own")});
  ASSERT_TRUE(Submit(home_.store(), std::move(commit)));
  Shred();
  home_.shredding().RunDue();
  EXPECT_EQ(home_.store().MakeSnapshot()->Get(own).value(), std::nullopt);
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_THAT(home_.shredding().Describe(kPool)->order.kms_key_arns, Contains("arn:of-its-own"));
}

TEST_F(ShreddingTest, ARegionIsAway_PendingNamesIt_FinalAfterItsReturn) {
  MakePool(true);
  away_.Stop();
  Shred();
  RunAll();
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_THAT(StateOf(home_), HasSubstr("us-east-1: The Region is not in reach."));
  const certificate::Verified pending = Certificate(home_);
  EXPECT_FALSE(pending.final);
  EXPECT_EQ(pending.pending.back().region, kAway);
  EXPECT_TRUE(away_.Has(WrappedKey()));

  // Replication tells it to drop the pool, whose log it could not follow.
  away_.Start();
  ASSERT_TRUE(away_.store().DropPool(kPool));
  RemoveMember();
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
  EXPECT_EQ(StateOf(away_), "FINAL");
  const certificate::Verified final = Certificate(home_);
  ASSERT_EQ(final.statements.size(), 2u);
  EXPECT_EQ(final.statements[1].statement.position, "") << "it never had the entry";
}

TEST_F(ShreddingTest, ARegionIsGoneForGood_FinalNamesItAndNeverSaysThatItConfirmed) {
  MakePool(true);
  away_.Stop();
  Shred();
  RunAll();
  home_.Stop();
  home_.gone = {kAway};
  home_.Start();
  RunAll();
  EXPECT_THAT(StateOf(home_), StartsWith("PENDING; eu-central-1 (keys destroyed)"));
  EXPECT_THAT(StateOf(home_), HasSubstr("us-east-1 (removed): Region eu-central-1 counts it as gone"));
  EXPECT_FALSE(Certificate(home_).final);

  // What the node does of a member that is gone (node/gone_members.h).
  RemoveMember();
  RunAll();
  EXPECT_THAT(StateOf(home_), StartsWith("FINAL; us-east-1 (removed): "));
  const certificate::Verified verified = Certificate(home_);
  EXPECT_TRUE(verified.final);
  EXPECT_EQ(verified.statements.size(), 1u);
  ASSERT_EQ(verified.removed.size(), 1u);
  EXPECT_EQ(verified.removed[0].region, kAway);
  EXPECT_THAT(verified.removed[0].reason, HasSubstr("It has not confirmed anything"));
  EXPECT_THAT(verified.removed[0].reason, HasSubstr(verified.order.kms_key_arns[0]));
  // It stays what was certified, whatever the configuration says later.
  home_.Stop();
  home_.gone = {};
  home_.Start();
  EXPECT_THAT(StateOf(home_), StartsWith("FINAL; us-east-1 (removed): "));
}

TEST_F(ShreddingTest, ARegionThatHasConfirmedAndIsGoneSince_HasConfirmed) {
  MakePool(true);
  Shred();
  Replicate();
  DropMember();
  for (int i = 0; i < 10; ++i) {
    away_.shredding().RunDue();
    clock_.Advance(std::chrono::seconds(1));
  }
  home_.shredding().RunDue();
  home_.shredding().RunDue();
  away_.Stop();
  home_.Stop();
  home_.gone = {kAway};
  home_.Start();
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
}

TEST_F(ShreddingTest, ARegionTookOverUnawares_ItsPoolStaysAndTheCertificateIsPending) {
  MakePool(true);
  Shred();
  TakeOver();
  RunAll();
  EXPECT_TRUE(away_.Has(WrappedKey()));
  EXPECT_THAT(StateOf(home_), HasSubstr("us-east-1: It has the user pool, with Region us-east-1 as its primary"));
  EXPECT_EQ(StateOf(away_), "none");
}

TEST_F(ShreddingTest, ThePoolCameBackFromARegionThatTookOver_NothingOfItIsTouched) {
  MakePool(true);
  Shred();
  TakeOver();
  home_.shredding().RunDue();
  // The former primary takes a copy of the pool as the new one has it.
  home_.test_store().CopyDirectory(away_.test_store(), kPool);
  RunAll();
  EXPECT_TRUE(home_.Has(WrappedKey()));
  EXPECT_TRUE(away_.Has(WrappedKey()));
  EXPECT_THAT(StateOf(home_), StartsWith("PENDING; eu-central-1"));
}

TEST_F(ShreddingTest, ProcessesThatEndAfterEveryStep_ComeToTheSameEnd) {
  MakePool(true);
  home_.SetAside();
  Shred();
  Replicate();
  const auto restart = [](Node& node) {
    node.Stop();
    node.Start();
  };
  for (int i = 0; i < 30; ++i) {
    restart(away_);
    away_.shredding().RunDue();
    restart(home_);
    home_.shredding().RunDue();
    if (i == 5) DropMember();
    DropAtPrimary();
    clock_.Advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(StateOf(home_), "FINAL");
  EXPECT_EQ(StateOf(away_), "FINAL");
  EXPECT_FALSE(home_.Has(WrappedKey()));
  EXPECT_FALSE(away_.Has(WrappedKey()));
  EXPECT_EQ(Certificate(home_).statements.size(), 2u);
}

TEST_F(ShreddingTest, AnEntryWhoseRecordACrashPrevented_IsFoundAtTheStart) {
  MakePool(true);
  Shred();
  away_.Stop();
  Replicate();
  away_.Start();
  away_.shredding().RunDue();
  EXPECT_NE(StateOf(away_), "none");
  EXPECT_FALSE(away_.Has(WrappedKey()));
}

// Whichever write the store refuses.
TEST_F(ShreddingTest, TheDiskTakesNoWrite_ItIsDoneAgain) {
  MakePool(true);
  Shred();
  Replicate();
  DropMember();
  for (std::uint64_t i = 0; i < 12; ++i) {
    home_.test_store().disk().PlanFault(storage::WriteFault::kFull, i % 3);
    away_.test_store().disk().PlanFault(storage::WriteFault::kFull, (i + 1) % 3);
    away_.shredding().RunDue();
    home_.shredding().RunDue();
    clock_.Advance(std::chrono::seconds(1));
  }
  home_.test_store().disk().PlanFault(storage::WriteFault::kNone);
  away_.test_store().disk().PlanFault(storage::WriteFault::kNone);
  RunAll();
  EXPECT_EQ(StateOf(home_), "FINAL");
  EXPECT_EQ(StateOf(away_), "FINAL");
}

TEST_F(ShreddingTest, OthersMayAskOnlyAboutOrdersThatNameThem) {
  MakePool(true);
  Shred();
  const std::string order = certificate::FormatOrder(home_.shredding().Describe(kPool)->order);
  const Region stranger("sa-east-1");
  EXPECT_FALSE(away_.shredding().Answer(stranger, kPool, order));
  EXPECT_FALSE(away_.shredding().Answer(kHome, PoolId("eu-central-1_Other"), order));
  EXPECT_FALSE(away_.shredding().Answer(kHome, kPool, "{}"));
  // A Region that has the pool lets nobody take it away so.
  EXPECT_TRUE(away_.shredding().Answer(kHome, kPool, order));
  RunAll();
  EXPECT_TRUE(away_.Has(WrappedKey()));
}

TEST_F(ShreddingTest, APoolThatNobodyAskedFor_HasNone) {
  MakePool(false);
  EXPECT_FALSE(home_.shredding().Describe(kPool));
  EXPECT_EQ(home_.shredding().RunDue(), std::nullopt);
}

}  // namespace
}  // namespace symbolon::key_life
