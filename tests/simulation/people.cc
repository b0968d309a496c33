// What must come of what people do.
#include "people.h"

#include <algorithm>
#include <set>

#include "auth/password.h"
#include "auth/signing_keys.h"
#include "base/secret.h"
#include "directory/users.h"
#include "people_plans.h"
#include "storage/keys.h"
#include "versions.h"

namespace symbolon::simulation {
namespace {

using directory::RecordType;

// Made once for all runs: they cost, and no run depends on them.
const std::vector<crypto::SigningKey>& SigningKeys() {
  static const std::vector keys{crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256),
                                crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256)};
  return keys;
}

Bytes VerifierOf(const directory::pb::UserRecord& user) { return user.password().salt() + user.password().verifier(); }

directory::pb::ClientRecord MakeClient(std::string_view id, bool rotates) {
  directory::pb::ClientRecord client;
  client.set_client_id(std::string(id));
  for (const char* flow : {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}) {
    client.add_explicit_auth_flows(flow);
  }
  client.set_enable_token_revocation(true);
  client.set_refresh_token_rotation(rotates);
  client.set_auth_session_validity_minutes(15);
  return client;
}

}  // namespace

People::People(PoolModel& pool, World world) : pool_(pool), world_(std::move(world)) {
  pool_.facts.on_said = [this](const Region& at, const storage::pb::FactEntry& entry) { OnFirstSeen(at, entry); };
}

std::size_t People::AnyOwn() { return world_.dice.Below(kOwnPeople); }

std::vector<storage::Change> People::MakeDirectory(SimRegion& region) {
  const auto keys = region.plans().KeysOf(pool_.id);
  directory::Transaction tx(region.store().MakeSnapshot(), pool_.id, keys, world_.dice.random());
  directory::Env env(region.Now().wall, world_.dice.random(), region.plans().settings());
  directory::pb::PublicRecord published;
  auth::PublishSigningKeys(tx, published, SigningKeys(), env.now());
  tx.Put<directory::PublicKind>("", published);
  for (const auto& client :
       {MakeClient(kClient, false), MakeClient(kRotatingClient, true), MakeClient(kMachine, false)}) {
    tx.Put<directory::ClientKind>(client.client_id(), client);
  }
  PutProvider(tx);
  const directory::pb::PoolRecord pool_record = MakePoolRecord();
  for (std::size_t i = 0; i < kOwnPeople; ++i) {
    const std::string name = fmt::format("{}-{}", kPlainText, i);
    Person& person = people_.emplace_back(Person{.name = name, .key = directory::UserKeyOf(tx, pool_record, name)});
    person.passwords.push_back(fmt::format("{}-password-0", kPlainText));
    directory::User user;
    user.key = person.key;
    user.record.set_username(person.name);
    user.record.set_sub(NewUuid(world_.dice.random()));
    user.record.set_status(directory::pb::CONFIRMED);
    user.record.set_enabled(true);
    (*user.record.mutable_attributes())["email"] = fmt::format("{}-{}@example.com", kPlainText, i);
    auth::SetPassword(env, pool_.id, user.record, person.passwords.back());
    passwords_[VerifierOf(user.record)] = person.passwords.back();
    if (i == kWithAuthenticator) {
      person.authenticators.push_back(fmt::format("{}-authenticator", kPlainText));
      user.record.mutable_software_token()->set_secret(person.authenticators.back());
      user.record.set_software_token_enabled(true);
    }
    SYMBOLON_CHECK(directory::InsertUser(tx, pool_record, user, directory::OnAliasConflict::kRefuse));
  }
  SYMBOLON_CHECK(!tx.failure());
  return tx.TakeCommit().directory;
}

bool People::Serves(SimRegion& region) const {
  if (!region.up() || people_.empty()) return false;
  const auto stored =
      region.store().MakeSnapshot()->Get({storage::Space::kDirectory, pool_.id, replication::kRoleRecordType, Bytes()});
  SYMBOLON_CHECK(stored);
  const auto role = *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!role || role->deleted()) return false;
  const replication::Role here = replication::RoleOf(*role, region.name());
  return here.kind == replication::Role::Kind::kPrimary || here.state == replication::pb::ACTIVE;
}

directory::pb::UserRecord People::UserAt(SimRegion& region, const Sight& saw, std::size_t person) {
  const storage::Key key{storage::Space::kDirectory, pool_.id, static_cast<std::uint16_t>(RecordType::kUser),
                         people_[person].key};
  const Bytes* sealed = pool_.RecordAt(saw.head->digest(), storage::keys::TypeAndId(key.type, key.id));
  SYMBOLON_CHECK(sealed != nullptr);
  const auto opened = region.plans().KeysOf(pool_.id)->Open(key, *sealed);
  SYMBOLON_CHECK(opened);
  directory::pb::UserRecord user;
  SYMBOLON_CHECK(user.ParseFromString(*opened));
  const bool marked = std::ranges::any_of(
      people_[person].marked_in, [&](const Bytes& entry) { return pool_.Contains(saw.head->digest(), entry); });
  if (marked && !HasUnknownField(user)) Fail("{}: a newer version's field of a user is gone", region.name().value());
  return user;
}

std::optional<directory::pb::UserRecord> People::KnownAt(SimRegion& region, const Sight& saw, std::size_t person) {
  if (people_[person].is_stranger()) return StrangerAt(region, saw, person);
  return UserAt(region, saw, person);
}

directory::pb::ClientRecord People::ClientAt(SimRegion& region, const Served& served, const std::string& id) {
  const storage::Key key{storage::Space::kDirectory, pool_.id, static_cast<std::uint16_t>(RecordType::kClient), id};
  const Bytes* sealed = pool_.RecordAt(served.saw.head->digest(), storage::keys::TypeAndId(key.type, key.id));
  SYMBOLON_CHECK(sealed != nullptr);
  const auto opened = region.plans().KeysOf(pool_.id)->Open(key, *sealed);
  SYMBOLON_CHECK(opened);
  directory::pb::ClientRecord client;
  SYMBOLON_CHECK(client.ParseFromString(*opened));
  return client;
}

std::optional<storage::pb::FactValue> People::FactAt(SimRegion& region, const storage::pb::FactVector& facts,
                                                     auth::FactType type, BytesView about) const {
  const directory::Transaction tx(nullptr, pool_.id, region.plans().KeysOf(pool_.id), world_.dice.random());
  return pool_.facts.Joined(
      facts, storage::keys::TypeAndId(static_cast<std::uint16_t>(type), auth::FactSubject(tx, type, about)));
}

People::FamilyFacts People::FamilyAt(SimRegion& region, const storage::pb::FactVector& facts,
                                     const std::string& family) const {
  const auto fact = FactAt(region, facts, auth::FactType::kFamily, family);
  if (!fact) return {};
  return {.used = true, .revoked = fact->maximum() > 0 || fact->region_maximum_size() > 1};
}

// As lockout.h has it: from the fifth failure of the highest series on, by all Regions together, the n-th locks for
// 2^(n-5) seconds, at most 15 minutes; a Region counts for 15 at the most.
bool People::LockedAt(SimRegion& region, const Served& served, std::size_t person) const {
  const auto fact = FactAt(region, served.saw.facts, auth::FactType::kFailedAttempts, people_[person].key);
  if (!fact) return false;
  std::uint64_t series = 0;
  for (const auto& [name, packed] : fact->region_maximum()) series = std::max(series, packed >> 32);
  std::uint64_t failures = 0;
  std::uint64_t last = 0;
  for (const auto& [name, packed] : fact->region_maximum()) {
    const std::uint64_t here = std::min<std::uint64_t>(packed >> 24 & 0xff, 15);
    if (packed >> 32 != series || here == 0) continue;
    failures += here;
    last = std::max(last, series + (packed & 0xff'ffff));
  }
  if (failures < 5) return false;
  const std::uint64_t seconds = std::min<std::uint64_t>(1ULL << std::min<std::uint64_t>(failures - 5, 20), 900);
  return served.now < FromSeconds(static_cast<std::int64_t>(last + seconds));
}

bool People::SignedOutAt(SimRegion& region, const storage::pb::FactVector& facts, std::size_t person,
                         const auth::SignOuts& known) const {
  const auto fact = FactAt(region, facts, auth::FactType::kSignOut, people_[person].key);
  return fact && std::ranges::any_of(fact->region_maximum(), [&](const auto& counter) {
           const auto at_issue = known.find(counter.first);
           return at_issue == known.end() || at_issue->second < counter.second;
         });
}

// As disabling.h has it: a Region's last disable holds until an enable names it.
bool People::DisabledAt(SimRegion& region, const storage::pb::FactVector& facts,
                        const directory::pb::UserRecord& user) const {
  const auto fact = FactAt(region, facts, auth::FactType::kDisabled, user.sub());
  return fact && std::ranges::any_of(fact->region_maximum(), [&](const auto& disable) {
           if (disable.first.starts_with('-')) return false;
           const auto lifted = fact->region_maximum().find("-" + disable.first);
           return lifted == fact->region_maximum().end() || lifted->second < disable.second;
         });
}

void People::OnServed(SimRegion& region, const Served& served) {
  ++answers_;
  if (served.saw.locked) Fail("{} serves people, though its key is withdrawn there", region.name().value());
  OnCommitted(region, served);
}

void People::OnCommitted(SimRegion& region, const Served& served) {
  for (const storage::FactChange& fact : served.facts) {
    pool_.facts.OnAcknowledged(region.name(), storage::keys::TypeAndId(fact.key.type, fact.key.id), fact.value);
  }
  if (!region.plans().violation().empty()) world_.fail(region.plans().violation());
}

std::string People::Keep(std::size_t person, const std::string& client, const auth::Tokens& tokens, SimRegion& region) {
  SignedIn held{.person = person,
                .client = client,
                .access_token = tokens.access_token,
                .refresh_token = tokens.refresh_token.value_or(""),
                .refresh = {}};
  if (tokens.refresh_token) {
    directory::Transaction tx(nullptr, pool_.id, region.plans().KeysOf(pool_.id), world_.dice.random());
    directory::Env env(region.Now().wall, world_.dice.random(), region.plans().settings());
    const directory::pb::PoolRecord record = MakePoolRecord();
    auth::TokenSigner signer;
    const auto opened =
        auth::OpenRefreshToken({.tx = tx, .env = env, .pool = record, .signer = signer}, client, *tokens.refresh_token);
    SYMBOLON_CHECK(opened);
    held.refresh = *opened;
  }
  return signed_in_.emplace_back(std::move(held)).refresh.family();
}

// Whatever was used twice is revoked where both uses are known.
void People::CheckAtEnd(SimRegion& region, const std::vector<SimRegion*>& others) {
  if (!Serves(region)) return;
  const auto facts = region.store().MakeSnapshot()->Facts(pool_.id);
  SYMBOLON_CHECK(facts);
  for (const std::shared_ptr<Once>& thing : once_) {
    std::set<Region> used_in;
    for (const auto& [place, count] : thing->honoured) {
      const bool kept = std::ranges::any_of(others, [&](SimRegion* other) {
        return other->up() && other->name() == place.first && other->store().incarnation() == place.second;
      });
      if (kept) used_in.insert(place.first);
    }
    if (used_in.size() > 1 && !FamilyAt(region, *facts, thing->id).revoked) {
      Fail("{} that was honoured in {} Regions is not revoked in {}", thing->what, used_in.size(),
           region.name().value());
    }
  }
  Sight saw;
  saw.head = HeadOf(region.store(), pool_.id);
  saw.facts = *facts;
  for (std::size_t person = 0; person < people_.size(); ++person) KnownAt(region, saw, person);
  // Some of them: a signature takes longer to verify than everything else here.
  for (std::size_t i = 0; i < std::min<std::size_t>(signed_in_.size(), 4); ++i) {
    CheckIssued(region, world_.dice.Pick(signed_in_).access_token);
  }
}

}  // namespace symbolon::simulation
