// For tests of erasures: two Regions without the replication machine, and users of one pool in both.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "directory/groups.h"
#include "directory/test_store.h"
#include "directory/users.h"
#include "erasure/begin.h"
#include "erasure/erasures.h"
#include "erasure/link.pb.h"
#include "key_life/commit.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::erasure {

using directory::ErasureKind;
using directory::RecordType;
using directory::Transaction;
using replication::ControlError;
using replication::ControlErrorCode;
using replication::ControlResult;
using replication::pb::RoleRecord;
using testing::HasSubstr;

inline const Region kHome("eu-central-1");
inline const Region kAway("us-east-1");
inline const PoolId kPool("eu-central-1_TestPool1");
inline constexpr const char* kLocked = "The KMS key of the user pool is disabled.";

// Keys made of the pool's id, which can be withdrawn.
class TestKeyService final : public keys::KeyService {
 public:
  explicit TestKeyService(const Region& here) : here_(here), keys_(directory::TestKeysOf(here, kPool)) {}

  bool locked = false;
  // They are withdrawn as soon as they were given out so often more; 0: not.
  int withdrawn_after = 0;

  keys::KeyServiceResult<std::shared_ptr<const keys::PoolKeys>> KeysOf(const storage::Snapshot&,
                                                                       const PoolId&) override {
    if (!locked) {
      auto given = keys_;
      if (withdrawn_after > 0 && --withdrawn_after == 0) {
        locked = true;
        keys_->Retire();
        keys_ = directory::TestKeysOf(here_, kPool);
      }
      return given;
    }
    return Err(keys::KeyServiceError{keys::KeyServiceErrorCode::kWithdrawn, kLocked});
  }
  keys::KeyServiceResult<NewKeys> MakeKeys(const PoolId&, const std::string&) override { return Err(None()); }
  keys::KeyServiceResult<std::vector<Region>> RegionsOfKey(const std::string&) override { return Err(None()); }
  keys::KeyServiceResult<keys::PoolKeyStatus> StatusOf(const storage::Snapshot&, const PoolId&) override {
    return Err(None());
  }
  keys::KeyServiceResult<Offer> OfferKeys(const storage::Snapshot&, const PoolId&,
                                          const std::optional<std::string>&) override {
    return Err(None());
  }
  keys::KeyServiceResult<Bytes> ConfirmOffer(const storage::Snapshot&, const PoolId&) override { return Err(None()); }
  bool FormerKeysInUse(const PoolId&) override { return false; }
  keys::KeyServiceResult<bool> LacksKeys(const storage::Snapshot&, const PoolId&) override { return false; }
  Bytes ReceivingKey() override { return {}; }
  keys::KeyServiceResult<Bytes> SealKeysFor(const storage::Snapshot&, const PoolId&, const Region&,
                                            BytesView) override {
    return Err(None());
  }
  keys::KeyServiceResult<Bytes> TakeKeys(const storage::Snapshot&, const PoolId&, const Region&, BytesView) override {
    return Err(None());
  }
  keys::KeyServiceResult<Bytes> WrapUnder(const storage::Snapshot&, const PoolId&, const std::string&) override {
    return Err(None());
  }
  keys::KeyServiceResult<void> CheckKey(const std::string&) override { return Err(None()); }
  keys::KeyServiceResult<Bytes> NoteChecks(const storage::Snapshot&, const PoolId&) override { return Err(None()); }

 private:
  static keys::KeyServiceError None() { return {keys::KeyServiceErrorCode::kNoKeys, "none"}; }
  const Region here_;
  std::shared_ptr<const keys::PoolKeys> keys_;
};

// One Region, without the replication machine: the test does what that would.
class Node {
 public:
  Node(const Region& region, Clock& clock)
      : region_(region), clock_(clock), keys_(region), store_(region.value(), clock) {
    Restart();
  }

  // As after kill -9: what is in memory only is gone.
  void Restart() {
    erasures_.reset();
    here_.reset();
    here_.emplace(services(), &suffixes_, key_);
    erasures_.emplace(services(), *here_, key_, trail, Erasures::Options{.gone = gone});
  }
  key_life::Services services() {
    return {.store = *read_store_,
            .keys = keys_,
            .commits = commits_,
            .clock = clock_,
            .random = store_.random(),
            .here = region_,
            .ask = [this](const Region& to, Bytes request) { return ask(to, std::move(request)); }};
  }

  storage::Store& store() { return store_.store(); }
  directory::TestStore& test_store() { return store_; }
  TestKeyService& keys() { return keys_; }
  RegionErasures& here() { return *here_; }
  Erasures& erasures() { return *erasures_; }
  const replication::SuffixFolder& suffixes() const { return suffixes_; }
  replication::SuffixFolder& suffixes() { return suffixes_; }
  Bytes public_key() const { return key_.PublicKey(); }

  RoleRecord Role() {
    return *store_.See(kPool,
                       [](Transaction& tx) { return replication::ParseRole(*tx.GetClear(RecordType::kRole, "")); });
  }
  void ChangeRole(const RoleRecord& role) {
    store_.Change(kPool,
                  [&](Transaction& tx) { tx.PutClear(RecordType::kRole, "", replication::SerializeRole(role)); });
  }
  // What is kept of it.
  std::vector<storage::pb::LogEntry> Log() {
    const auto head = store().MakeSnapshot()->Head(kPool).value();
    const std::uint64_t first = head->sequence() + 1 - store().MeasureLog(kPool)->entries;
    auto log = store().ReadLog(kPool, first, 64 << 20);
    EXPECT_TRUE(log) << log.error().detail;
    return log ? *std::move(log) : std::vector<storage::pb::LogEntry>();
  }
  // The bodies that the log holds of this record type and id.
  std::vector<Bytes> Bodies(RecordType type, const Bytes& id) {
    std::vector<Bytes> bodies;
    for (const auto& entry : Log()) {
      for (const auto& change : entry.changes()) {
        if (ReadBigEndian16(change.key()) != static_cast<std::uint16_t>(type) || change.key().substr(2) != id) continue;
        if (change.has_value()) bodies.push_back(change.value());
      }
    }
    return bodies;
  }
  // Whether any of these octets are in the log, a suffix or a record.
  bool HoldsAny(const std::vector<Bytes>& bodies) {
    Bytes everything;
    for (const auto& entry : Log()) everything += entry.SerializeAsString();
    for (const auto& [key, value] : store_.Contents(kPool)) everything += value;
    for (const auto& file : suffixes_.List().value()) {
      EXPECT_TRUE(suffixes_.Read(file.name, [&](const auto& item) { everything += item.SerializeAsString(); }));
    }
    return std::ranges::any_of(bodies, [&](const Bytes& body) { return everything.contains(body); });
  }
  void Send(const std::string& username) {
    store_.Change(kPool, [&](Transaction& tx) {
      directory::pb::OutboxRecord message;
      message.set_username(username);
      message.set_created_micros(ToMicros(clock_.Now()));
      tx.Put<directory::OutboxKind>(tx.random().Octets(16), message);
    });
  }
  std::vector<std::string> Receivers() {
    return store_.See(kPool, [](Transaction& tx) {
      std::vector<std::string> names;
      for (const auto& row : tx.Scan<directory::OutboxKind>("", std::nullopt, 100).rows)
        names.push_back(row.record.username());
      return names;
    });
  }

  bool lists_pools = true;
  // From the next start on.
  std::vector<Region> gone;
  audit::Trail* trail = nullptr;
  key_life::AskRegion ask = [](const Region&, const Bytes&) -> ControlResult<Bytes> {
    return Err(ControlError{ControlErrorCode::kUnavailable, "cut"});
  };

 private:
  const Region region_;
  Clock& clock_;
  TemporaryDirectory folder_;
  TestKeyService keys_;
  directory::TestStore store_;
  const std::unique_ptr<storage::Store> read_store_ =
      storage::MakeUnreadableStore(store_.store(), [this](const storage::Read& read) {
        const bool fails = !lists_pools && read.kind == storage::Read::Kind::kPools;
        return fails ? storage::ReadFault::kFails : storage::ReadFault::kNone;
      });
  replication::DurableCommits commits_{store_.store(), nullptr};
  replication::SuffixFolder suffixes_{folder_.path() / "set_aside", 2};
  const crypto::Ed25519Key key_ = crypto::Ed25519Key::Generate();
  std::optional<RegionErasures> here_;
  std::optional<Erasures> erasures_;
};

class ErasuresTest : public testing::Test {
 protected:
  ErasuresTest() {
    pool_.add_alias_attributes("email");
    RoleRecord role = replication::NewRoleRecord(kHome);
    role = *replication::MarkCopied(*replication::AddMember(role, kAway, clock_.Now()), kAway);
    role = *replication::SetMemberState(role, kAway, replication::pb::ACTIVE);
    home_.test_store().Change(kPool, [&](Transaction& tx) {
      tx.PutClear(RecordType::kRole, "", replication::SerializeRole(role));
      tx.Put<directory::PoolKind>("", pool_);
      directory::pb::GroupRecord group;
      group.set_name("staff");
      directory::PutGroup(tx, group);
    });
    home_.ask = [this](const Region&, const Bytes& request) { return Ask(away_, kHome, request); };
    away_.ask = [this](const Region&, const Bytes& request) { return Ask(home_, kAway, request); };
    for (const char* name : {"ann", "bob"}) AddUser(home_, name);
    for (const char* email : {"ann@b.c", "ann@d.e"}) SetEmail("ann", email);
    SetEmail("bob", "bob@b.c");
    home_.test_store().Change(kPool, [&](Transaction& tx) { directory::AddMember(tx, KeyOf("ann"), "staff"); });
    Replicate();
  }

  ControlResult<Bytes> Ask(Node& node, const Region& from, const Bytes& request) {
    ++asked_;
    if (cut_) return Err(ControlError{ControlErrorCode::kUnavailable, "cut"});
    if (old_version_) return Err(ControlError{ControlErrorCode::kRefused, "not a request about keys"});
    return node.here().Answer(from, request);
  }
  Bytes KeyOf(const std::string& name) {
    return home_.test_store().See(kPool, [&](Transaction& tx) { return directory::UserKeyOf(tx, pool_, name); });
  }
  static std::string SubOf(const std::string& name) { return "sub of " + name; }
  void AddUser(Node& node, const std::string& name, const std::string& sub = "") {
    node.test_store().Change(kPool, [&](Transaction& tx) {
      directory::User user{.key = directory::UserKeyOf(tx, pool_, name), .record = {}};
      user.record.set_username(name);
      user.record.set_sub(sub.empty() ? SubOf(name) : sub);
      EXPECT_TRUE(directory::InsertUser(tx, pool_, user, directory::OnAliasConflict::kRefuse));
    });
  }
  void SetEmail(const std::string& name, const std::string& email) {
    home_.test_store().Change(kPool, [&](Transaction& tx) {
      directory::User user = *directory::FindUser(tx, pool_, name);
      const directory::pb::UserRecord before = user.record;
      (*user.record.mutable_attributes())["email"] = email;
      (*user.record.mutable_attributes())["email_verified"] = "true";
      EXPECT_TRUE(directory::UpdateUser(tx, pool_, before, user, directory::OnAliasConflict::kRefuse));
    });
  }
  bool Exists(Node& node, const std::string& name) {
    return node.test_store().See(kPool,
                                 [&](Transaction& tx) { return directory::FindUser(tx, pool_, name).has_value(); });
  }
  void Replicate() { Replicate(home_, away_); }
  static void Replicate(Node& from, Node& to) {
    const auto head = to.store().MakeSnapshot()->Head(kPool).value();
    auto entries = from.store().ReadLogAsStored(kPool, head ? head->sequence() + 1 : 1, 64 << 20);
    ASSERT_TRUE(entries) << entries.error().detail;
    std::promise<bool> done;
    to.store().Apply({.pool = kPool, .entries = *std::move(entries)},
                     [&](auto result) { done.set_value(result.has_value()); });
    ASSERT_TRUE(done.get_future().get());
  }
  // The sealed records that the log has of the user: what must be in no copy in the end.
  std::vector<Bytes> BodiesOf(Node& node, const std::string& name) {
    std::vector<Bytes> bodies = node.Bodies(RecordType::kUser, KeyOf(name));
    EXPECT_FALSE(bodies.empty());
    for (const char* other : {"ann@b.c", "ann@d.e", "sub of ann"}) {
      if (name != "ann") break;
      for (Bytes& body : node.Bodies(RecordType::kUniqueIndex, KeyOf(other))) bodies.push_back(std::move(body));
    }
    return bodies;
  }

  void Erase(Node& node, const std::string& name, const std::optional<std::string>& sub = std::nullopt) {
    const auto begun = key_life::CommitPlan(node.services(), kPool, [&](Transaction& tx, const RoleRecord& role) {
      tx.SetKeys(directory::TestKeysOf(kHome, kPool));
      ErasureWish wish{.user = {}, .sub = sub.value_or(""), .asked_by = "arn:aws:iam::000000000000:root"};
      if (!sub) {
        wish.user = directory::FindUser(tx, pool_, name);
        wish.sub = wish.user->record.sub();
      }
      id_ = BeginErasure(tx, pool_, role, wish, kHome, clock_.Now());
      return true;
    });
    ASSERT_TRUE(begun) << begun.error().detail;
  }
  // What the Regions' threads do. False: the primary has no work.
  bool Turn(Node& primary) {
    const auto next = primary.erasures().RunDue();
    for (Node* node : {&home_, &away_}) {
      while (node->here().Step()) {
      }
    }
    clock_.Advance(std::chrono::seconds(3));
    return next.has_value();
  }
  void RunToTheEnd(Node& primary) {
    for (int i = 0; i < 20 && Turn(primary); ++i) {
      if (&primary == &home_) Replicate();
    }
  }
  directory::pb::ErasureRecord Record(Node& node) {
    return node.test_store().See(kPool, [&](Transaction& tx) { return *tx.Get<ErasureKind>(id_); });
  }
  std::string WaitsFor(const Region& region) {
    const auto waits = home_.erasures().WaitsFor(id_);
    return waits.contains(region) ? waits.at(region) : "";
  }
  // The certificate of what is final.
  certificate::Verified Certificate(Node& node) {
    const auto state = StateOf(Record(node));
    EXPECT_TRUE(state && state->ended);
    auto verified = certificate::Verify(state->certificate, {home_.public_key(), away_.public_key()});
    EXPECT_TRUE(verified) << verified.error().detail;
    EXPECT_TRUE(verified->good()) << testing::PrintToString(verified->problems);
    EXPECT_TRUE(verified->final);
    return *verified;
  }
  static std::uint64_t Done(const certificate::Verified& verified, const Region& region, const std::string& what) {
    for (const auto& signed_statement : verified.statements) {
      if (signed_statement.statement.region != region) continue;
      for (const auto& [name, count] : signed_statement.statement.done) {
        if (name == what) return count;
      }
    }
    ADD_FAILURE() << region.value() << " says nothing of " << what;
    return 0;
  }

  ManualClock clock_{FromSeconds(1'800'000'000)};
  Node home_{kHome, clock_}, away_{kAway, clock_};
  directory::pb::PoolRecord pool_;
  Bytes id_;
  bool cut_ = false;
  bool old_version_ = false;
  int asked_ = 0;
};

}  // namespace symbolon::erasure
