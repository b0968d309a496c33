#include "federation/absorption.h"

#include <gtest/gtest.h>

#include "auth/disabling.h"
#include "auth/external_users.h"
#include "auth/facts.h"
#include "base/manual_clock.h"
#include "directory/groups.h"
#include "directory/identity_providers.h"
#include "directory/test_store.h"
#include "federation/sign_in.h"
#include "federation/test_provider.h"
#include "replication/roles.h"

namespace symbolon::federation {
namespace {

namespace json = boost::json;
using auth::AuthErrorCode;

constexpr const char* kHere = "eu-central-1";
constexpr const char* kThere = "us-east-1";

// Opens every pool.
class TestKeyService final : public keys::KeyService {
 public:
  explicit TestKeyService(directory::TestStore& store) : store_(store) {}
  keys::KeyServiceResult<std::shared_ptr<const keys::PoolKeys>> KeysOf(const storage::Snapshot&,
                                                                       const PoolId& pool) override {
    return store_.KeysOf(pool);
  }
  keys::KeyServiceResult<NewKeys> MakeKeys(const PoolId&, const std::string&) override { return None(); }
  keys::KeyServiceResult<std::vector<Region>> RegionsOfKey(const std::string&) override { return None(); }
  keys::KeyServiceResult<keys::PoolKeyStatus> StatusOf(const storage::Snapshot&, const PoolId&) override {
    return None();
  }
  keys::KeyServiceResult<Offer> OfferKeys(const storage::Snapshot&, const PoolId&,
                                          const std::optional<std::string>&) override {
    return None();
  }
  keys::KeyServiceResult<Bytes> ConfirmOffer(const storage::Snapshot&, const PoolId&) override { return None(); }
  bool FormerKeysInUse(const PoolId&) override { return false; }
  keys::KeyServiceResult<bool> LacksKeys(const storage::Snapshot&, const PoolId&) override { return false; }
  Bytes ReceivingKey() override { return {}; }
  keys::KeyServiceResult<Bytes> SealKeysFor(const storage::Snapshot&, const PoolId&, const Region&,
                                            BytesView) override {
    return None();
  }
  keys::KeyServiceResult<Bytes> TakeKeys(const storage::Snapshot&, const PoolId&, const Region&, BytesView) override {
    return None();
  }
  keys::KeyServiceResult<Bytes> WrapUnder(const storage::Snapshot&, const PoolId&, const std::string&) override {
    return None();
  }
  keys::KeyServiceResult<void> CheckKey(const std::string&) override { return None(); }
  keys::KeyServiceResult<Bytes> NoteChecks(const storage::Snapshot&, const PoolId&) override { return None(); }

 private:
  static tl::unexpected<keys::KeyServiceError> None() {
    return Err(keys::KeyServiceError{keys::KeyServiceErrorCode::kUnavailable, "not in this test"});
  }
  directory::TestStore& store_;
};

// One Region that holds the pool; the primary absorbs.
class TestRegion {
 public:
  TestRegion(std::string_view name, ManualClock& clock, Fetcher& fetcher)
      : clock_(clock),
        store_(name, clock, 7),
        keys_(store_),
        commits_(store_.store(), nullptr),
        client_(fetcher, clock) {
    settings_.region = Region(std::string(name));
    Restart();
  }

  // What was in memory is gone.
  void Restart() {
    absorption_.reset();
    absorption_.emplace(Absorption::Services{
        .store = store_.store(),
        .keys = keys_,
        .records = records_,
        .region = settings_,
        .commits = commits_,
        .client = client_,
        .clock = clock_,
        .random = store_.random(),
        .everybody_has = [this](const PoolId&, const storage::pb::Epoch& epoch) { return everybody_has(epoch); }});
  }

  auth::AuthResult<directory::User> SignIn(const PoolId& pool, const Assertion& assertion, bool can_write) {
    directory::Env env(clock_.Now(), store_.random(), settings_);
    const auto tx = store_.Begin(pool);
    const auto record = *tx->Get<directory::PoolKind>("");
    const auto provider = *directory::GetIdentityProvider(*tx, "Partner");
    auto user = federation::SignIn({.tx = *tx, .env = env, .pool = record, .signer = signer_}, client_record, provider,
                                   assertion, "nonce", can_write);
    EXPECT_TRUE(can_write || !tx->changes_directory());
    if (user && tx->has_changes()) EXPECT_TRUE(store_.Commit(*tx));
    return user;
  }
  std::optional<directory::User> Record(const PoolId& pool, const std::string& username) {
    return store_.See(pool, [&](directory::Transaction& tx) {
      return directory::FindUser(tx, *tx.Get<directory::PoolKind>(""), username);
    });
  }
  std::optional<directory::User> Known(const PoolId& pool, const std::string& username) {
    return store_.See(pool, [&](directory::Transaction& tx) {
      return auth::FindKnownUser(tx, *tx.Get<directory::PoolKind>(""), username);
    });
  }
  Absorption::Counters Absorb() {
    absorption_->Tick();
    return absorption_->counters();
  }
  std::size_t FactCount(const PoolId& pool) {
    const auto page = store_.store().MakeSnapshot()->Scan(
        {.space = storage::Space::kFact, .pool = pool, .type = static_cast<std::uint16_t>(auth::FactType::kFirstSeen)},
        std::nullopt, 100);
    return page->records.size();
  }
  void Change(const PoolId& pool, const std::function<void(directory::Transaction&)>& change) {
    store_.Change(pool, change);
  }
  void ForgetExpired() { EXPECT_TRUE(store_.store().ForgetExpiredFacts(clock_.Now(), 1'000)); }

  directory::TestStore& store() { return store_; }
  directory::pb::ClientRecord client_record;
  // How far every member is.
  std::function<std::optional<std::uint64_t>(const storage::pb::Epoch&)> everybody_has = [](const storage::pb::Epoch&) {
    return std::nullopt;
  };

 private:
  ManualClock& clock_;
  directory::RegionSettings settings_;
  directory::TestStore store_;
  directory::RecordCache records_;
  TestKeyService keys_;
  replication::DurableCommits commits_;
  OidcClient client_;
  auth::TokenSigner signer_;
  std::optional<Absorption> absorption_;
};

class AbsorptionTest : public testing::Test {
 protected:
  AbsorptionTest() {
    here_.Change(pool_, [&](directory::Transaction& tx) {
      tx.StartEpoch(1);
      tx.PutClear(directory::RecordType::kRole, "",
                  replication::SerializeRole(replication::NewRoleRecord(Region(kHere))));
      directory::pb::PoolRecord pool;
      for (const char* name : {"email", "email_verified", "name"}) {
        auto& schema = *pool.add_schema();
        schema.set_name(name);
        schema.set_data_type(std::string(name) == "email_verified" ? "Boolean" : "String");
        schema.set_mutable_(true);
      }
      tx.Put<directory::PoolKind>("", pool);
      tx.Put<directory::IdentityProviderKind>(directory::IdentityProviderKeyOf(tx, "Partner"), provider_.Record());
      directory::pb::GroupRecord group;
      group.set_name(directory::GroupOfProvider(pool_, "Partner"));
      directory::PutGroup(tx, group);
    });
    Replicate();
  }

  void Replicate() { there_.store().CopyDirectory(here_.store(), pool_); }
  void Meet() {
    here_.store().MergeFacts(there_.store(), pool_);
    there_.store().MergeFacts(here_.store(), pool_);
  }
  ProviderKey Key(const std::string& kid = "first") { return *ParseProviderKey(json::serialize(provider_.JwkOf(kid))); }
  Assertion Assert(const std::string& subject, const std::string& name = "") {
    json::object claims = provider_.Claims(subject, clock_.Now());
    if (!name.empty()) claims["name"] = name;
    return AssertClaims(claims);
  }
  Assertion AssertClaims(const json::object& claims, const json::object& answered = {}) {
    return {.subject = std::string(claims.at("sub").as_string()),
            .attributes = MapClaims(provider_.Record(), claims, answered),
            .id_token = provider_.Sign(claims),
            .jwk = Key(signing_kid_).jwk};
  }
  // Signed in at the secondary, which says so.
  directory::User SeenThere(const Assertion& assertion) {
    auto user = there_.SignIn(pool_, assertion, false);
    EXPECT_TRUE(user) << user.error().message;
    return *std::move(user);
  }
  std::string AttributeOf(const directory::User& user, const std::string& name) {
    const auto found = user.record.attributes().find(name);
    return found == user.record.attributes().end() ? "" : found->second;
  }
  void EverybodyAcknowledges(std::uint64_t sequence = UINT64_MAX) {
    here_.everybody_has = [=](const storage::pb::Epoch&) { return sequence; };
  }
  std::uint64_t Head() { return (*here_.store().store().MakeSnapshot()->Head(pool_))->sequence(); }
  // `epoch`: begun by the same entry.
  void Write(std::optional<std::uint64_t> epoch = std::nullopt) {
    here_.Change(pool_, [&](directory::Transaction& tx) {
      if (epoch) tx.StartEpoch(*epoch);
      auto pool = *tx.Get<directory::PoolKind>("");
      pool.set_modified_micros(pool.modified_micros() + 1);
      tx.Put<directory::PoolKind>("", pool);
    });
  }
  Absorption::Counters LookAgain() {
    clock_.Advance(Absorption::kRetryInterval);
    return here_.Absorb();
  }
  // Their end was set before.
  bool FactsAreGone() {
    clock_.Advance(auth::kFactMargin + std::chrono::seconds(1));
    here_.ForgetExpired();
    return here_.FactCount(pool_) == 0;
  }

  const PoolId pool_{"eu-central-1_Federated"};
  ManualClock clock_;
  TestProvider provider_;
  std::string signing_kid_ = "first";
  TestRegion here_{kHere, clock_, provider_};
  TestRegion there_{kThere, clock_, provider_};
};

TEST_F(AbsorptionTest, AFirstSignInAtTheSecondaryBecomesARecordWithTheSameSub) {
  const directory::User seen = SeenThere(Assert("alice", "Alice"));
  EXPECT_TRUE(seen.record.first_seen());
  EXPECT_FALSE(there_.Record(pool_, "Partner_alice"));
  ASSERT_TRUE(there_.Known(pool_, "Partner_alice"));
  EXPECT_EQ(there_.Known(pool_, "Partner_alice")->record.sub(), seen.record.sub());
  EXPECT_FALSE(here_.Known(pool_, "Partner_alice")) << "not told yet";
  Meet();
  EXPECT_TRUE(here_.Known(pool_, "Partner_alice")) << "by the fact";
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
  const auto record = here_.Record(pool_, "Partner_alice");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->record.sub(), seen.record.sub());
  EXPECT_FALSE(record->record.first_seen());
  EXPECT_EQ(record->record.status(), directory::pb::EXTERNAL_PROVIDER);
  EXPECT_EQ(std::map(record->record.attributes().begin(), record->record.attributes().end()),
            std::map(seen.record.attributes().begin(), seen.record.attributes().end()));
  here_.store().See(pool_, [&](directory::Transaction& tx) {
    EXPECT_TRUE(directory::IsMember(tx, record->key, directory::GroupOfProvider(pool_, "Partner")));
    return 0;
  });
}

TEST_F(AbsorptionTest, RepetitionsRestartsAndLateFactsChangeNothing) {
  SeenThere(Assert("alice", "Alice"));
  Meet();
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
  // Changed by an administrator since.
  here_.Change(pool_, [&](directory::Transaction& tx) {
    const auto pool = *tx.Get<directory::PoolKind>("");
    auto user = *directory::FindUser(tx, pool, "Partner_alice");
    const auto before = user.record;
    (*user.record.mutable_attributes())["name"] = "Changed";
    ASSERT_TRUE(directory::UpdateUser(tx, pool, before, user, directory::OnAliasConflict::kRefuse));
  });
  SeenThere(Assert("alice", "Alice again"));
  Meet();
  here_.Restart();
  clock_.Advance(Absorption::kRetryInterval);
  EXPECT_EQ(here_.Absorb().absorbed, 0u);
  EXPECT_EQ(AttributeOf(*here_.Record(pool_, "Partner_alice"), "name"), "Changed");
}

TEST_F(AbsorptionTest, OfWhatTwoRegionsSaidTheLowestCounts) {
  const directory::User there = SeenThere(Assert("alice", "Seen there"));
  // The primary cannot write at present.
  const auto here = here_.SignIn(pool_, Assert("alice", "Seen here"), false);
  ASSERT_TRUE(here);
  EXPECT_EQ(here->record.sub(), there.record.sub());
  Meet();
  for (TestRegion* region : {&here_, &there_}) {
    EXPECT_EQ(AttributeOf(*region->Known(pool_, "Partner_alice"), "name"), "Seen here") << "eu is before us";
  }
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
  EXPECT_EQ(AttributeOf(*here_.Record(pool_, "Partner_alice"), "name"), "Seen here");
}

// A promotion may have taken the record back, and with it what was known of them; not that they are disabled.
TEST_F(AbsorptionTest, WhoIsDisabledAndNotKnownSignsInNowhere) {
  const directory::User seen = *here_.SignIn(pool_, Assert("alice"), true);
  there_.Change(pool_, [&](directory::Transaction& tx) {
    auth::DisableUser(tx, Region(kThere), seen.key, seen.record, clock_.Now());
  });
  ASSERT_FALSE(there_.Record(pool_, "Partner_alice"));
  const auto refused = there_.SignIn(pool_, Assert("alice"), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "User is disabled.");
  EXPECT_EQ(there_.FactCount(pool_), 0u);
}

TEST_F(AbsorptionTest, WhatThePrimarySawItselfStays) {
  const directory::User seen = SeenThere(Assert("alice", "Seen there"));
  ASSERT_TRUE(here_.SignIn(pool_, Assert("alice", "Seen here"), true));
  Meet();
  EXPECT_EQ(here_.Absorb().absorbed, 0u);
  const auto record = here_.Record(pool_, "Partner_alice");
  EXPECT_EQ(AttributeOf(*record, "name"), "Seen here");
  EXPECT_EQ(record->record.sub(), seen.record.sub());
}

TEST_F(AbsorptionTest, AFactGoesWhenEveryMemberHasTheRecord) {
  SeenThere(Assert("alice"));
  Meet();
  here_.Absorb();
  clock_.Advance(Absorption::kRetryInterval);
  here_.Absorb();
  clock_.Advance(std::chrono::days(400));
  here_.ForgetExpired();
  EXPECT_EQ(here_.FactCount(pool_), 1u) << "a member lacks the record";
  EverybodyAcknowledges();
  here_.Absorb();
  Replicate();
  Meet();
  clock_.Advance(auth::kFactMargin + std::chrono::seconds(1));
  here_.ForgetExpired();
  there_.ForgetExpired();
  EXPECT_EQ(here_.FactCount(pool_), 0u);
  EXPECT_EQ(there_.FactCount(pool_), 0u);
  EXPECT_TRUE(there_.Record(pool_, "Partner_alice"));
}

TEST_F(AbsorptionTest, WritesNeverCease_AFactGoesWhenEveryMemberHasTheRecord) {
  // Whenever somebody looks, the newest entry is not everywhere yet.
  here_.everybody_has = [&](const storage::pb::Epoch&) {
    const std::uint64_t head = Head();
    Write();
    return head;
  };
  SeenThere(Assert("alice"));
  Meet();
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
  EXPECT_EQ(LookAgain().kept, 1u);
  EXPECT_FALSE(FactsAreGone()) << "it is not known that every member has the record";
  LookAgain();
  EXPECT_EQ(LookAgain().kept, 0u);
  EXPECT_TRUE(FactsAreGone());
}

TEST_F(AbsorptionTest, SettledInAnEarlierEpoch_AFactWaitsForWhatThisOneHas) {
  SeenThere(Assert("alice"));
  Meet();
  here_.Absorb();
  EXPECT_EQ(LookAgain().kept, 1u);
  const std::uint64_t settled = Head();
  Write(/*epoch=*/2);
  EverybodyAcknowledges(settled);
  LookAgain();
  EXPECT_EQ(LookAgain().kept, 1u);
  EXPECT_FALSE(FactsAreGone()) << "what the earlier epoch had there may be set aside";
  EverybodyAcknowledges(Head());
  LookAgain();
  EXPECT_TRUE(FactsAreGone());
}

TEST_F(AbsorptionTest, APrimaryThatStartsAgainOrIsOneNoMore_RemembersNothingSettled) {
  SeenThere(Assert("alice"));
  Meet();
  here_.Absorb();
  LookAgain();
  const std::uint64_t settled = Head();
  Write();
  EverybodyAcknowledges(settled);
  here_.Restart();
  EXPECT_EQ(here_.Absorb().kept, 1u);
  EXPECT_FALSE(FactsAreGone()) << "it is settled as of now, for all that is known";
  here_.Change(pool_, [](directory::Transaction& tx) {
    tx.PutClear(directory::RecordType::kRole, "",
                replication::SerializeRole(replication::NewRoleRecord(Region(kThere))));
  });
  EXPECT_EQ(LookAgain().kept, 0u);
}

TEST_F(AbsorptionTest, ADeletedUserDoesNotComeBackAndIsSomebodyElseNextTime) {
  const directory::User seen = SeenThere(Assert("alice"));
  Meet();
  here_.Absorb();
  here_.Change(pool_, [&](directory::Transaction& tx) {
    const auto pool = *tx.Get<directory::PoolKind>("");
    directory::DeleteUser(tx, pool, *directory::FindUser(tx, pool, "Partner_alice"));
  });
  clock_.Advance(Absorption::kRetryInterval);
  EXPECT_EQ(here_.Absorb().absorbed, 1u) << "no more than before";
  EXPECT_FALSE(here_.Known(pool_, "Partner_alice"));
  Replicate();
  EXPECT_FALSE(there_.Known(pool_, "Partner_alice"));
  const directory::User again = SeenThere(Assert("alice"));
  EXPECT_NE(again.record.sub(), seen.record.sub());
  Meet();
  EXPECT_EQ(here_.Absorb().absorbed, 2u);
  EXPECT_EQ(here_.Record(pool_, "Partner_alice")->record.sub(), again.record.sub());
}

TEST_F(AbsorptionTest, WhatTheProviderDidNotSignVerifiesNoAddress) {
  json::object claims = provider_.Claims("alice", clock_.Now());
  claims.erase("email");
  claims.erase("email_verified");
  const directory::User seen =
      SeenThere(AssertClaims(claims, {{"email", "alice@idp.example"}, {"email_verified", true}, {"name", "Alice"}}));
  EXPECT_EQ(AttributeOf(seen, "email_verified"), "false");
  Meet();
  here_.Absorb();
  const auto record = here_.Record(pool_, "Partner_alice");
  ASSERT_TRUE(record);
  EXPECT_EQ(AttributeOf(*record, "email"), "alice@idp.example");
  EXPECT_EQ(AttributeOf(*record, "email_verified"), "false");
  EXPECT_EQ(AttributeOf(*record, "name"), "Alice");
}

// What somebody who has a Region in their hands might say.
TEST_F(AbsorptionTest, AnAssertionThatTheProviderDidNotMakeIsRefused) {
  Assertion altered = Assert("alice");
  altered.id_token[altered.id_token.size() / 2] ^= 1;
  SeenThere(altered);
  Assertion other_subject = Assert("mallory");
  other_subject.subject = "bob";
  SeenThere(other_subject);
  json::object old = provider_.Claims("carol", clock_.Now() - std::chrono::hours(24));
  SeenThere(AssertClaims(old));
  json::object other_audience = provider_.Claims("dan", clock_.Now());
  other_audience["aud"] = "another application";
  SeenThere(AssertClaims(other_audience));
  Meet();
  EXPECT_EQ(here_.Absorb().refused, 4u);
  Meet();
  for (const char* name : {"Partner_alice", "Partner_bob", "Partner_carol", "Partner_dan"}) {
    EXPECT_FALSE(here_.Record(pool_, name)) << name;
    EXPECT_FALSE(there_.Known(pool_, name)) << "nobody there either " << name;
  }
  const auto again = there_.SignIn(pool_, Assert("alice"), false);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_TRUE(here_.SignIn(pool_, Assert("alice"), true)) << "the primary sees for itself";
  clock_.Advance(auth::kRefusedMemory + auth::kFactMargin);
  here_.ForgetExpired();
  EXPECT_EQ(here_.FactCount(pool_), 0u);
}

TEST_F(AbsorptionTest, AKeyThatTheIssuerNeverHadIsRefusedInTheEnd) {
  provider_.AddKey("forged");
  provider_.DropKey("forged");
  signing_kid_ = "forged";
  SeenThere(Assert("alice"));
  Meet();
  EXPECT_EQ(here_.Absorb().waiting, 1u) << "the issuer may come to say that it is its key";
  EXPECT_FALSE(here_.Record(pool_, "Partner_alice"));
  clock_.Advance(kUnverifiableAfter + std::chrono::hours(1));
  EXPECT_EQ(here_.Absorb().refused, 1u);
}

TEST_F(AbsorptionTest, AKeyThatTheIssuerHadIsRemembered) {
  here_.Absorb();
  SeenThere(Assert("alice"));
  provider_.AddKey("second");
  provider_.DropKey("first");
  here_.Restart();
  Meet();
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
}

TEST_F(AbsorptionTest, WhileTheIssuerIsAwayANewKeyWaits) {
  here_.Absorb();
  provider_.AddKey("second");
  signing_kid_ = "second";
  SeenThere(Assert("alice"));
  Meet();
  provider_.is_gone = true;
  EXPECT_EQ(here_.Absorb().waiting, 1u);
  EXPECT_TRUE(here_.Known(pool_, "Partner_alice")) << "the fact serves meanwhile";
  provider_.is_gone = false;
  clock_.Advance(Absorption::kRetryInterval);
  EXPECT_EQ(here_.Absorb().absorbed, 1u);
}

TEST_F(AbsorptionTest, SomebodyElseIsSeenMeanwhile_WhatWaitsIsCountedOnce) {
  provider_.is_gone = true;
  for (const char* name : {"alice", "bob", "carol"}) {
    SeenThere(Assert(name));
    Meet();
    here_.Absorb();
  }
  EXPECT_EQ(here_.Absorb().waiting, 3u);
  EXPECT_EQ(LookAgain().waiting, 3u);
}

TEST_F(AbsorptionTest, ASubjectThatDiffersInCaseOnlyIsNobodyElse) {
  here_.Change(pool_, [&](directory::Transaction& tx) {
    auto pool = *tx.Get<directory::PoolKind>("");
    pool.set_case_sensitive(false);
    tx.Put<directory::PoolKind>("", pool);
  });
  Replicate();
  ASSERT_TRUE(here_.SignIn(pool_, Assert("alice"), true));
  const auto other = here_.SignIn(pool_, Assert("ALICE"), true);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, AuthErrorCode::kAliasExists);
  SeenThere(Assert("Alice"));
  Meet();
  EXPECT_EQ(here_.Absorb().refused, 1u);
}

TEST_F(AbsorptionTest, AProviderThatIsGoneVouchesForNobody) {
  SeenThere(Assert("alice"));
  here_.Change(pool_, [&](directory::Transaction& tx) {
    tx.Delete<directory::IdentityProviderKind>(directory::IdentityProviderKeyOf(tx, "Partner"));
  });
  Meet();
  EXPECT_EQ(here_.Absorb().refused, 1u);
}

TEST_F(AbsorptionTest, ASecondaryAbsorbsNothing) {
  SeenThere(Assert("alice"));
  EXPECT_EQ(there_.Absorb().absorbed, 0u);
  EXPECT_FALSE(there_.Record(pool_, "Partner_alice"));
}

}  // namespace
}  // namespace symbolon::federation
