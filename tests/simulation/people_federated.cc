// People who come from an identity provider, also where no record of them can be made (promise 6): they are the same
// everywhere, and what is said of them lasts until every member has their record. What the primary makes of it is
// looked at here as federation/absorption.cc and node/federation.cc do it.
#include <algorithm>

#include "auth/authorization_code.h"
#include "auth/external_users.h"
#include "auth/first_seen.h"
#include "directory/identity_providers.h"
#include "directory/users.h"
#include "federation/absorb.h"
#include "federation/mapping.h"
#include "federation/sign_in.h"
#include "federation/test_provider.h"
#include "people.h"
#include "people_plans.h"
#include "replication/status.h"
#include "storage/keys.h"
#include "storage/log.h"

namespace symbolon::simulation {
namespace {

constexpr auto kFirstSeenType = static_cast<std::uint16_t>(auth::FactType::kFirstSeen);
constexpr std::size_t kStrangersMax = 8;
constexpr const char* kNonce = "nonce";
constexpr const char* kRedirectUri = "https://app.example/callback";
// Shorter than in production, so that promotions do not wait for it.
constexpr nanoseconds kRetryInterval = std::chrono::seconds(2);
constexpr std::size_t kFactsMax = 100;

// Made once for all runs, as the pools' own keys.
const federation::TestProvider& Provider() {
  static const federation::TestProvider provider;
  return provider;
}

const std::string& ProviderJwk() {
  static const std::string jwk = federation::ParseProviderKey(boost::json::serialize(Provider().JwkOf("first")))->jwk;
  return jwk;
}

}  // namespace

void PutProvider(directory::Transaction& tx) {
  tx.Put<directory::IdentityProviderKind>(directory::IdentityProviderKeyOf(tx, kProvider),
                                          Provider().Record(kProvider));
}

std::size_t People::NewStranger(SimRegion& region) {
  const std::string subject = fmt::format("{}-stranger-{}", kPlainText, people_.size());
  const directory::pb::PoolRecord pool_record = MakePoolRecord();
  const std::string name = auth::ExternalUsername(pool_record, kProvider, subject);
  directory::Transaction tx(nullptr, pool_.id, region.plans().KeysOf(pool_.id), world_.dice.random());
  people_.push_back({.name = name, .key = directory::UserKeyOf(tx, pool_record, name), .subject = subject});
  const std::size_t person = people_.size() - 1;
  const Bytes about = auth::FirstSeenSubject(tx, people_[person].key, 0);
  strangers_[storage::keys::TypeAndId(kFirstSeenType, about)] = person;
  return person;
}

bool People::Leads(SimRegion& region, const auth::Context& context) const {
  if (!region.machine().write_gate().IsOpen(pool_.id)) return false;
  const auto stored = context.tx.GetClear(directory::RecordType::kRole, "");
  const auto role = stored ? replication::ParseRole(*stored) : std::nullopt;
  return role && replication::RoleOf(*role, region.name()).kind == replication::Role::Kind::kPrimary;
}

// ---- sign-in: the way of a browser, from what the provider signed to tokens ----

void People::SignInAtProvider(SimRegion& region) {
  const std::size_t strangers = people_.size() - kOwnPeople;
  const bool is_new = strangers == 0 || (strangers < kStrangersMax && world_.dice.Chance(0.35));
  const std::size_t person = is_new ? NewStranger(region) : kOwnPeople + world_.dice.Below(strangers);
  const std::string subject = people_[person].subject;
  const auto claims = Provider().Claims(subject, region.Now().wall, kNonce);
  boost::json::object answered;
  if (world_.dice.Chance(0.5)) answered["name"] = subject;
  const federation::Assertion assertion{
      .subject = subject,
      .attributes = federation::MapClaims(Provider().Record(kProvider), claims, answered),
      .id_token = Provider().Sign(claims),
      .jwk = ProviderJwk()};
  const auto code = std::make_shared<Session>(Session{{.what = "an authorization code"}});
  code->person = person;
  code->client = world_.dice.Chance(0.5) ? kClient : kRotatingClient;
  const auto answer = MakeAnswer<directory::User>();
  region.plans().Run(
      pool_.id,
      [this, &region, answer, assertion, code](const auth::Context& context) {
        const directory::pb::ClientRecord client = ClientOf(context, code->client);
        *answer = federation::SignIn(context, client, Provider().Record(kProvider), assertion, kNonce,
                                     Leads(region, context));
        if (!**answer) return Commits(**answer);
        const directory::User& user = ***answer;
        Person& known = people_[code->person];
        if (known.sub.empty()) known.sub = user.record.sub();
        if (known.sub != user.record.sub()) Fail("{}: {} got another sub", region.name().value(), known.name);
        auth::CodeRequest wanted;
        wanted.redirect_uri = kRedirectUri;
        code->text = auth::IssueAuthorizationCode(context, client, user, wanted);
        const auto opened = context.tx.keys().OpenToken(keys::TokenPurpose::kAuthorizationCode, client.client_id(),
                                                        *Base64UrlDecode(code->text));
        auth::pb::AuthorizationCode sealed;
        SYMBOLON_CHECK(opened && sealed.ParseFromString(*opened));
        code->id = sealed.id();
        code->expires_at = FromMicros(sealed.expires_micros());
        code->token_generation = sealed.token_generation();
        code->sign_outs = auth::SignOuts(sealed.sign_outs().begin(), sealed.sign_outs().end());
        return true;
      },
      [this, &region, answer, code](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const Person& person = people_[code->person];
        const auth::AuthResult<directory::User>& said = **answer;
        const auto known = StrangerAt(region, served->saw, code->person);
        directory::pb::UserRecord named;
        named.set_sub(person.sub);
        const bool disabled = DisabledAt(region, served->saw.facts, known.value_or(named));
        const bool is_said = std::ranges::any_of(
            served->facts, [](const storage::FactChange& fact) { return fact.key.type == kFirstSeenType; });
        world_.trace.Say("{} at {}, by the identity provider, {}{}: {}", person.name, region.name().value(),
                         known ? "known" : "new", disabled ? ", disabled" : "",
                         !said              ? said.error().message
                         : is_said          ? "said"
                         : served->position ? "written"
                                            : "signed in");
        if (said.has_value() == disabled) {
          Fail("{}: somebody from the identity provider who is {}{} was {}", region.name().value(),
               known ? "known" : "new", disabled ? " and disabled" : "", said ? "signed in" : "refused");
        }
        if (!said) return;
        if (!known && !is_said && !served->position) {
          Fail("{}: {} was signed in for the first time, and nothing is said of them", region.name().value(),
               person.name);
        }
        if (is_said) ++first_sign_ins_said_;
        codes_.push_back(code);
        once_.push_back(code);
      });
}

void People::UseCode(SimRegion& region) {
  if (codes_.empty()) return SignInAtProvider(region);
  const auto code = world_.dice.Chance(0.7) ? codes_.back() : world_.dice.Pick(codes_);
  UseSomewhere(region, [this, code](SimRegion& where) { UseCodeAt(where, code); });
}

void People::UseCodeAt(SimRegion& region, const std::shared_ptr<Session>& code) {
  const auto answer = MakeAnswer<auth::Tokens>();
  region.plans().Run(
      pool_.id,
      [answer, code](const auth::Context& context) {
        *answer = auth::RedeemAuthorizationCode(context, ClientOf(context, code->client), code->text, kRedirectUri, "");
        return Commits(**answer);
      },
      [this, &region, answer, code](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const auth::AuthResult<auth::Tokens>& said = **answer;
        const bool used = FamilyAt(region, served->saw.facts, code->id).used;
        const bool current = IsCurrent(region, *served, *code);
        world_.trace.Say("code {} at {}, {}{}: {}", code->id, region.name().value(), used ? "used" : "new",
                         current ? "" : ", out of date", said ? "tokens" : said.error().message);
        if (said.has_value() != (!used && current)) {
          Fail("{}: an authorization code that is {}{} was {}", region.name().value(), used ? "used" : "new",
               current ? "" : " and out of date", said ? "honoured" : "refused");
        }
        if (!said) return;
        Honoured(region, *code);
        Keep(code->person, code->client, *said, region);
      });
}

// ---- what the primary makes of it ----

void People::OnNotice(const SimRegion& region, const storage::Notice& notice) {
  const bool speaks_of_somebody = std::ranges::any_of(notice.keys, [](const storage::Key& key) {
    return key.space == storage::Space::kFact && key.type == kFirstSeenType;
  });
  if (speaks_of_somebody) visits_[region.name()].changed = true;
}

void People::Absorb(SimRegion& region) {
  Visit& visit = visits_[region.name()];
  const nanoseconds now = world_.scheduler.now();
  if (visit.life == region.life() && !visit.changed && now < visit.at + kRetryInterval) return;
  if (visit.life != region.life()) visit.settled_at.clear();
  visit.life = region.life();
  visit.at = now;
  visit.changed = false;
  if (!region.machine().write_gate().IsOpen(pool_.id) || !region.Opens(pool_.id)) {
    visit.settled_at.clear();
    return;
  }
  const storage::KeyRange facts{
      .space = storage::Space::kFact, .pool = pool_.id, .type = kFirstSeenType, .id_prefix = {}};
  const auto said = region.store().MakeSnapshot()->Scan(facts, std::nullopt, kFactsMax);
  SYMBOLON_CHECK(said);
  for (const storage::Record& record : said->records) AbsorbOne(region, record.id);
}

// As federation/absorption.cc does.
bool People::EverybodyHas(SimRegion& region, const directory::Transaction& tx, const Bytes& subject) {
  if (world_.plant == Plant::kEndFirstSeenEarly) return true;
  const auto head = tx.snapshot().Head(pool_.id);
  SYMBOLON_CHECK(head && *head);
  Visit& visit = visits_[region.name()];
  if (!storage::SameEpoch(visit.epoch, (*head)->epoch())) visit.settled_at.clear();
  visit.epoch = (*head)->epoch();
  const std::uint64_t settled = visit.settled_at.try_emplace(subject, (*head)->sequence()).first->second;
  const auto status = region.machine().Status(pool_.id, region.Now());
  const auto held = status ? replication::HeldByAll(*status, visit.epoch) : std::nullopt;
  return held && *held >= settled;
}

void People::AbsorbOne(SimRegion& region, const Bytes& subject) {
  const auto outcome = std::make_shared<federation::Absorbed>();
  // The provider does not answer every time.
  const bool is_reached = world_.dice.Chance(0.9);
  region.plans().Run(
      pool_.id,
      [this, &region, outcome, subject, is_reached](const auth::Context& context) {
        *outcome = federation::Absorbed::kNothing;
        if (!Leads(region, context)) return false;
        *outcome = federation::AbsorbFirstSeen(
            context.tx, context.pool, subject, context.now(), [&](const auto&, const federation::ProviderKey& key) {
              return is_reached && key.jwk == ProviderJwk() ? std::optional(key) : std::nullopt;
            });
        if (*outcome == federation::Absorbed::kSettled && EverybodyHas(region, context.tx, subject)) {
          auth::EndFirstSeen(context.tx, subject, context.now());
        }
        return true;
      },
      [this, &region, outcome](const std::optional<Served>& served) {
        if (!served) return;
        OnCommitted(region, *served);
        if (*outcome == federation::Absorbed::kRecord) ++absorbed_;
      });
}

// ---- what must come of it ----

bool People::HasRecord(const Region& region, std::size_t person) const {
  const auto digest = world_.durable_head(region);
  const Bytes key =
      storage::keys::TypeAndId(static_cast<std::uint16_t>(directory::RecordType::kUser), people_[person].key);
  return digest && pool_.RecordAt(*digest, key) != nullptr;
}

// Their record; or what is said of them, as long as there is none.
std::optional<directory::pb::UserRecord> People::StrangerAt(SimRegion& region, const Sight& saw, std::size_t person) {
  const Person& stranger = people_[person];
  const storage::Key key{storage::Space::kDirectory, pool_.id, static_cast<std::uint16_t>(directory::RecordType::kUser),
                         stranger.key};
  directory::pb::UserRecord user;
  if (const Bytes* sealed = pool_.RecordAt(saw.head->digest(), storage::keys::TypeAndId(key.type, key.id))) {
    const auto opened = region.plans().KeysOf(pool_.id)->Open(key, *sealed);
    SYMBOLON_CHECK(opened && user.ParseFromString(*opened));
    if (user.sub() != stranger.sub) Fail("{}: the record of {} has another sub", region.name().value(), stranger.name);
    return user;
  }
  const auto fact = FactAt(region, saw.facts, auth::FactType::kFirstSeen, FirstSeenAbout(person));
  if (!fact || fact->elements().empty()) return std::nullopt;
  user.set_sub(stranger.sub);
  return user;
}

// Nobody who signs in at the provider was ever deleted here.
Bytes People::FirstSeenAbout(std::size_t person) const {
  Bytes about = people_[person].key;
  AppendBigEndian32(about, 0);
  return about;
}

void People::OnFirstSeen(const Region& at, const storage::pb::FactEntry& entry) {
  const auto found = strangers_.find(entry.key());
  if (found == strangers_.end()) return;
  Person& person = people_[found->second];
  if (entry.value().maximum() > 0) {
    Fail("{}: what the identity provider signed of {} is refused", at.value(), person.name);
  }
  if (entry.value().expires_at_micros() == 0 || person.said_ends) return;
  person.said_ends = true;
  ++first_seen_ended_;
  // What was on a lost disk may have been the record.
  if (!pool_.lost_heads.empty()) return;
  const auto stored = world_.region(at).store().MakeSnapshot()->Get(
      {storage::Space::kDirectory, pool_.id, replication::kRoleRecordType, Bytes()});
  SYMBOLON_CHECK(stored && *stored);
  const auto role = replication::ParseRole(**stored);
  SYMBOLON_CHECK(role);
  std::vector<Region> members{at};
  for (const auto& member : role->members()) {
    // One that was added at the same time has nothing yet, and one that leaves may have nothing any more.
    const bool stays = member.state() == replication::pb::ACTIVE || member.state() == replication::pb::INACTIVE;
    if (stays) members.emplace_back(member.region());
  }
  for (const Region& member : members) {
    if (HasRecord(member, found->second)) continue;
    Fail("{}: what is said of {} ends, and {} has no record of them", at.value(), person.name, member.value());
  }
}

std::string People::Unabsorbed(SimRegion& region) {
  const auto facts = region.store().MakeSnapshot()->Facts(pool_.id);
  SYMBOLON_CHECK(facts);
  for (const auto& [key, person] : strangers_) {
    const auto fact = FactAt(region, *facts, auth::FactType::kFirstSeen, FirstSeenAbout(person));
    if (!fact || fact->elements().empty() || HasRecord(region.name(), person)) continue;
    // See OnFirstSeen.
    if (people_[person].said_ends && !pool_.lost_heads.empty()) continue;
    return fmt::format("{} has no record of {}, who was seen first elsewhere", region.name().value(),
                       people_[person].name);
  }
  return "";
}

}  // namespace symbolon::simulation
