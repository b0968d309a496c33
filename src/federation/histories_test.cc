// First sign-ins in three Regions, in histories that a seed makes up: cuts, promotions that set the last writes aside,
// deletions, statements that come late and again. What must hold afterwards, and a planted bug that has to be found.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "auth/external_users.h"
#include "auth/fact_types.h"
#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "directory/identity_providers.h"
#include "directory/test_store.h"
#include "federation/absorb.h"
#include "federation/sign_in.h"
#include "federation/test_provider.h"

namespace symbolon::federation {
namespace {

constexpr std::array kNames{"eu-central-1", "us-east-1", "ap-south-1"};
constexpr std::array kSubjects{"ann", "ben", "cat"};
constexpr int kSteps = 50;
constexpr auto kFactType = static_cast<std::uint16_t>(auth::FactType::kFirstSeen);

enum class Plant { kNone, kAbsorbOverwrites, kForgetsDeletions };

class History {
 public:
  History(std::uint64_t seed, Plant plant) : dice_(seed), plant_(plant) {
    for (const char* name : kNames) regions_.push_back(std::make_unique<directory::TestStore>(name, clock_, 7));
    Primary().Change(pool_id_, [&](directory::Transaction& tx) {
      tx.Put<directory::IdentityProviderKind>(directory::IdentityProviderKeyOf(tx, "Partner"), provider_.Record());
    });
    for (const char* name : {"email", "email_verified", "name"}) {
      auto& schema = *pool_.add_schema();
      schema.set_name(name);
      schema.set_data_type("String");
      schema.set_mutable_(true);
    }
    Replicate(1);
    Replicate(2);
  }

  // Empty, or what is wrong.
  std::string Run() {
    for (int step = 0; step < kSteps && problem_.empty(); ++step) Step();
    for (int round = 0; round < 2 && problem_.empty(); ++round) Converge();
    if (problem_.empty()) CheckAtEnd();
    return problem_;
  }

 private:
  struct Said {
    std::uint32_t deletions = 0;
    std::string sub;
  };

  std::size_t Below(std::size_t bound) { return static_cast<unsigned char>(dice_.Octets(1)[0]) % bound; }
  directory::TestStore& Primary() { return *regions_[primary_]; }
  std::string AnySubject() { return kSubjects[Below(kSubjects.size())]; }
  void Replicate(std::size_t region) {
    if (region != primary_) regions_[region]->CopyDirectory(Primary(), pool_id_);
  }
  void Exchange(std::size_t a, std::size_t b) { regions_[a]->MergeFacts(*regions_[b], pool_id_); }

  void Step() {
    clock_.Advance(std::chrono::seconds(7));
    const std::size_t what = Below(100);
    if (what < 35) return SignIn(Below(regions_.size()));
    if (what < 50) return Exchange(Below(regions_.size()), Below(regions_.size()));
    if (what < 65) return Replicate(Below(regions_.size()));
    if (what < 80) return Absorb();
    if (what < 88) return Rename();
    if (what < 95) return Delete();
    // By force: what the former primary had beyond goes with the next copy.
    primary_ = Below(regions_.size());
  }

  void SignIn(std::size_t where) {
    const std::string subject = AnySubject();
    boost::json::object claims = provider_.Claims(subject, clock_.Now());
    claims["name"] = std::string(kNames[where]) + std::to_string(++serial_);
    const Assertion assertion{.subject = subject,
                              .attributes = MapClaims(provider_.Record(), claims, {}),
                              .id_token = provider_.Sign(claims),
                              .jwk = boost::json::serialize(provider_.JwkOf("first"))};
    // A primary that may not write at present says a fact as well.
    const bool can_write = where == primary_ && Below(2) == 0;
    directory::RegionSettings settings;
    settings.region = Region(kNames[where]);
    directory::Env env(clock_.Now(), regions_[where]->random(), settings);
    const auto tx = regions_[where]->Begin(pool_id_);
    const auto user = federation::SignIn({.tx = *tx, .env = env, .pool = pool_, .signer = signer_}, client_,
                                         provider_.Record(), assertion, "nonce", can_write);
    if (!user) return Fail("a sign-in of " + subject + " was refused: " + user.error().message);
    if (!can_write && tx->changes_directory()) return Fail("a sign-in changed the directory of a secondary");
    if (!tx->has_changes()) return;
    const bool is_fact = !tx->changes_directory();
    if (!regions_[where]->Commit(*tx)) return Fail("a sign-in was not committed");
    if (is_fact) said_[subject].push_back({user->record.external().deletions(), user->record.sub()});
  }

  void Absorb() {
    std::vector<Bytes> subjects;
    const storage::KeyRange facts{.space = storage::Space::kFact, .pool = pool_id_, .type = kFactType, .id_prefix = {}};
    for (auto& record : Primary().store().MakeSnapshot()->Scan(facts, std::nullopt, 100)->records)
      subjects.push_back(std::move(record.id));
    for (const Bytes& subject : subjects) AbsorbOne(subject);
  }

  void AbsorbOne(const Bytes& subject) {
    const auto before = Records(Primary());
    const auto tx = Primary().Begin(pool_id_);
    if (plant_ != Plant::kNone) Sabotage(*tx, subject);
    const Absorbed absorbed = AbsorbFirstSeen(*tx, pool_, subject, clock_.Now(),
                                              [](const auto&, const ProviderKey& key) { return std::optional(key); });
    if (absorbed == Absorbed::kRefused && plant_ == Plant::kNone && !MayBeRefused(*tx, subject))
      return Fail("what the provider signed was refused");
    if (tx->has_changes() && !Primary().Commit(*tx)) return Fail("an absorption was not committed");
    for (const auto& [name, octets] : before) {
      const auto after = Records(Primary());
      const auto now = after.find(name);
      if (now == after.end() || now->second != octets) return Fail("an absorption changed the record of " + name);
    }
  }

  // Only a statement that counts deletions which a promotion set aside.
  bool MayBeRefused(directory::Transaction& tx, const Bytes& subject) {
    const auto fact = auth::OpenFirstSeen(tx, subject);
    if (!fact || !fact->seen) return false;
    const Bytes key = directory::UserKeyOf(tx, pool_, fact->seen->username());
    if (fact->seen->identity().deletions() <= auth::DeletionsOf(tx, key)) return false;
    set_aside_.insert(fact->seen->identity().subject());
    return true;
  }

  void Sabotage(directory::Transaction& tx, const Bytes& subject) {
    const auto fact = auth::OpenFirstSeen(tx, subject);
    if (!fact || !fact->seen) return;
    const Bytes key = directory::UserKeyOf(tx, pool_, fact->seen->username());
    if (plant_ == Plant::kForgetsDeletions) tx.Delete<directory::FormerIdentityKind>(key);
    const auto user = directory::GetUser(tx, key);
    if (!user || plant_ != Plant::kAbsorbOverwrites) return;
    tx.Delete<directory::UserKind>(key);
    tx.Delete<directory::UniqueIndexKind>(directory::UserKeyOf(tx, pool_, user->record.sub()));
  }

  void Rename() {
    Primary().Change(pool_id_, [&](directory::Transaction& tx) {
      auto user = directory::FindUser(tx, pool_, "Partner_" + AnySubject());
      if (!user) return;
      const auto before = user->record;
      (*user->record.mutable_attributes())["name"] = "renamed " + std::to_string(++serial_);
      (void)directory::UpdateUser(tx, pool_, before, *user, directory::OnAliasConflict::kRefuse);
    });
  }
  void Delete() {
    Primary().Change(pool_id_, [&](directory::Transaction& tx) {
      if (auto user = directory::FindUser(tx, pool_, "Partner_" + AnySubject())) DeleteUser(tx, pool_, *user);
    });
  }

  void Converge() {
    for (std::size_t a = 0; a < regions_.size(); ++a) {
      for (std::size_t b = 0; b < regions_.size(); ++b) Exchange(a, b);
    }
    Absorb();
    for (std::size_t region = 0; region < regions_.size(); ++region) Replicate(region);
  }

  // By user name, as octets.
  std::map<std::string, std::string> Records(directory::TestStore& store) {
    return store.See(pool_id_, [&](directory::Transaction& tx) {
      std::map<std::string, std::string> records;
      for (const char* subject : kSubjects) {
        const auto user = directory::FindUser(tx, pool_, std::string("Partner_") + subject);
        if (!user) continue;
        const std::map attributes(user->record.attributes().begin(), user->record.attributes().end());
        std::string text = user->record.sub();
        for (const auto& [name, value] : attributes) text += "\n" + name + "=" + value;
        records.emplace(user->record.username(), std::move(text));
      }
      return records;
    });
  }

  void CheckAtEnd() {
    const auto records = Records(Primary());
    for (auto& region : regions_) {
      if (Records(*region) != records) return Fail("Regions differ");
    }
    Primary().See(pool_id_, [&](directory::Transaction& tx) {
      for (const auto& [subject, statements] : said_) CheckPerson(tx, subject, statements);
      return 0;
    });
  }

  void CheckPerson(directory::Transaction& tx, const std::string& subject, const std::vector<Said>& statements) {
    const Bytes key = directory::UserKeyOf(tx, pool_, "Partner_" + subject);
    const auto user = directory::GetUser(tx, key);
    const std::uint32_t deletions = auth::DeletionsOf(tx, key);
    if (user && user->record.external().deletions() != deletions) Fail(subject + " is here in a life that has ended");
    for (const Said& said : statements) {
      directory::pb::ExternalIdentity identity;
      identity.set_provider("Partner");
      identity.set_subject(subject);
      identity.set_deletions(said.deletions);
      if (auth::DerivedSub(tx.keys(), identity) != said.sub) Fail(subject + " was given a sub of their own");
      if (said.deletions == deletions && !user && !set_aside_.contains(subject))
        Fail(subject + ", who was said, has no record");
      if (said.deletions == deletions && user && user->record.sub() != said.sub) Fail(subject + " has another sub");
    }
  }

  void Fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  ManualClock clock_;
  SeededRandom dice_;
  const Plant plant_;
  const PoolId pool_id_{"eu-central-1_Histories1"};
  directory::pb::PoolRecord pool_;
  directory::pb::ClientRecord client_;
  TestProvider provider_;
  auth::TokenSigner signer_;
  std::vector<std::unique_ptr<directory::TestStore>> regions_;
  std::size_t primary_ = 0;
  int serial_ = 0;
  // Facts that were acknowledged, by subject.
  std::map<std::string, std::vector<Said>> said_;
  // People of whom something was said in a life that a promotion took back.
  std::set<std::string> set_aside_;
  std::string problem_;
};

TEST(HistoriesTest, WhateverHappensEverybodyIsOnePerson) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) EXPECT_EQ(History(seed, Plant::kNone).Run(), "") << "seed " << seed;
}

bool IsFound(Plant plant) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    if (!History(seed, plant).Run().empty()) return true;
  }
  return false;
}

TEST(HistoriesTest, PlantedBugsAreFound) {
  EXPECT_TRUE(IsFound(Plant::kAbsorbOverwrites));
  EXPECT_TRUE(IsFound(Plant::kForgetsDeletions));
}

}  // namespace
}  // namespace symbolon::federation
