// What people do, and whether they are answered as they must be.
#include <algorithm>
#include <utility>

#include "auth/disabling.h"
#include "auth/external_users.h"
#include "auth/password.h"
#include "auth/refresh.h"
#include "auth/session.h"
#include "directory/users.h"
#include "people.h"
#include "people_plans.h"
#include "versions.h"

namespace symbolon::simulation {
namespace {

using auth::AuthErrorCode;

// A type that nothing else uses.
constexpr std::uint16_t kNoteType = 61;

}  // namespace

void People::Act(SimRegion& region) {
  const std::uint64_t what = world_.dice.Below(132);
  if (what < 12) return ChangePassword();
  if (what < 15) return ChangeSecret();
  if (what < 18) return NewAuthenticator();
  if (!Serves(region)) return;
  region.Post(nanoseconds(0), [this, &region, what] {
    if (!Serves(region)) return;
    if (what < 38) return SignIn(region);
    if (what < 48) return SignInFromPosition(region);
    if (what < 53) return ProveSecret(region);
    if (what < 68) return Refresh(region);
    if (what < 71) return Revoke(region);
    if (what < 73) return SignOut(region);
    if (what < 75) return Disable(region);
    if (what < 78) return Enable(region);
    if (what < 82) return BeginSession(region);
    if (what < 95) return UseSession(region);
    if (what < 108) return AnswerCode(region);
    if (what < 117) return SignInAtProvider(region);
    if (what < 124) return UseCode(region);
    UseAccessToken(region);
  });
}

// ---- passwords and secrets (promise 4) ----

void People::SignIn(SimRegion& region) {
  const std::size_t person = AnyOwn();
  const std::vector<std::string>& passwords = people_[person].passwords;
  // Mostly the newest that was ever asked for, often an older one, sometimes nonsense.
  const std::string password = world_.dice.Chance(0.1)   ? fmt::format("{}-nonsense", kPlainText)
                               : world_.dice.Chance(0.6) ? passwords.back()
                                                         : world_.dice.Pick(passwords);
  TryPassword(region, person, password);
}

// A Region that is past a position refuses what the position refuses; one that can never be says so.
void People::SignInFromPosition(SimRegion& region) {
  if (changes_.empty()) return SignIn(region);
  const Change change = world_.dice.Pick(changes_);
  const std::size_t person = AnyOwn();
  const std::string password = world_.dice.Pick(people_[person].passwords);
  const nanoseconds until = region.Now().since_boot + std::chrono::milliseconds(500);
  region.machine().position_gate().Await(
      {pool_.id, change.position}, until, [this, &region, change, person, password](replication::Passage) {
        region.Post(nanoseconds(0), [this, &region, change, person, password] {
          // It may have gone to another history since.
          replication::Passage passage = replication::FindPassage(region.store(), {pool_.id, change.position});
          const auto head = HeadOf(region.store(), pool_.id);
          const bool has = head && pool_.Contains(head->digest(), change.digest);
          if (world_.plant == Plant::kPositionBySequence && head) {
            passage = head->sequence() >= change.position.sequence() ? replication::Passage::kPassed
                                                                     : replication::Passage::kAhead;
          }
          if (passage == replication::Passage::kPassed && !has) {
            Fail("{} is past {} of epoch {}, and does not have it", region.name().value(), change.position.sequence(),
                 change.position.epoch().counter());
          }
          if (passage == replication::Passage::kSetAside && has) {
            Fail("{} has {} of epoch {}, and says that it was set aside", region.name().value(),
                 change.position.sequence(), change.position.epoch().counter());
          }
          if (passage == replication::Passage::kPassed && Serves(region)) TryPassword(region, person, password);
        });
      });
}

void People::TryPassword(SimRegion& region, std::size_t person, const std::string& password) {
  const auto answer = MakeAnswer<auth::SignInStep>();
  const std::string client = world_.dice.Chance(0.5) ? kClient : kRotatingClient;
  const auto session = std::make_shared<Session>(Session{{.what = "a session that asks for a code"}});
  session->person = person;
  session->client = client;
  region.plans().Run(
      pool_.id,
      [this, answer, client, person, password, session](const auth::Context& context) {
        *answer = auth::StartSignIn(context, ClientOf(context, client), auth::Flow::kUserPassword, auth::Door::kPublic,
                                    {{"USERNAME", people_[person].name}, {"PASSWORD", password}});
        if (**answer && std::holds_alternative<auth::Challenge>(***answer)) {
          session->text = std::get<auth::Challenge>(***answer).session.value_or("");
          const auto opened = auth::OpenSession(context, ClientOf(context, client), session->text,
                                                auth::pb::Session::SOFTWARE_TOKEN_MFA);
          SYMBOLON_CHECK(opened);
          session->id = opened->id;
          session->expires_at = opened->expires_at;
          session->token_generation = opened->user.record.token_generation();
          session->sign_outs = auth::SignOutsOf(context.tx, opened->user.key);
        }
        return Commits(**answer);
      },
      [this, &region, answer, client, person, password, session](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const directory::pb::UserRecord user = UserAt(region, served->saw, person);
        const auto right = passwords_.find(user.password().salt() + user.password().verifier());
        SYMBOLON_CHECK(right != passwords_.end());
        const bool is_right = right->second == password;
        const bool locked = LockedAt(region, *served, person);
        const bool disabled = DisabledAt(region, served->saw.facts, user);
        const auth::AuthResult<auth::SignInStep>& said = **answer;
        world_.trace.Say("{} at {}: password {}, {}: {}", people_[person].name, region.name().value(),
                         is_right ? "right" : "wrong",
                         locked     ? "locked"
                         : disabled ? "disabled"
                                    : "free",
                         said ? "signed in" : said.error().message);
        if (said.has_value() != (is_right && !locked && !disabled)) {
          Fail("{}: a {} password of a user who is {} was {}, at {} of epoch {}", region.name().value(),
               is_right ? "right" : "wrong",
               locked     ? "locked"
               : disabled ? "disabled"
                          : "free",
               said ? "accepted" : "refused", served->saw.head->sequence(), served->saw.head->epoch().counter());
        }
        if (!said) return;
        const bool is_enough = std::holds_alternative<auth::Tokens>(*said);
        if (is_enough == user.software_token_enabled()) {
          Fail("{}: a password was {}enough of somebody with{} an authenticator", region.name().value(),
               is_enough ? "" : "not ", user.software_token_enabled() ? "" : "out");
        }
        if (is_enough) {
          Keep(person, client, std::get<auth::Tokens>(*said), region);
        } else {
          KeepChallenge(region, session);
        }
      });
}

void People::ChangePassword() {
  SimRegion* primary = world_.primary();
  if (primary == nullptr || people_.empty()) return;
  SimRegion& region = *primary;
  const std::size_t person = AnyOwn();
  const std::string password = fmt::format("{}-password-{}", kPlainText, ++serial_);
  const bool revokes = world_.dice.Chance(0.5);
  const bool plants = world_.plant == Plant::kPlainText;
  people_[person].passwords.push_back(password);
  region.Post(nanoseconds(0), [this, &region, person, password, revokes, plants] {
    region.plans().Run(
        pool_.id,
        [this, person, password, revokes, newer = region.newer(), plants](const auth::Context& context) {
          auto user = directory::FindUser(context.tx, context.pool, people_[person].name);
          SYMBOLON_CHECK(user);
          const directory::pb::UserRecord before = user->record;
          auth::SetPassword(context.env, pool_.id, user->record, password);
          if (revokes) user->record.set_token_generation(before.token_generation() + 1);
          passwords_[user->record.password().salt() + user->record.password().verifier()] = password;
          if (newer && !HasUnknownField(before)) AddUnknownField(user->record);
          if (plants) context.tx.PutClear(static_cast<directory::RecordType>(kNoteType), "", password);
          SYMBOLON_CHECK(
              directory::UpdateUser(context.tx, context.pool, before, *user, directory::OnAliasConflict::kRefuse));
          return true;
        },
        [this, &region, person](const std::optional<Served>& served) {
          if (!served) return;
          OnServed(region, *served);
          const auto digest = region.store().DigestAt(pool_.id, served->position->sequence());
          // It may have been trimmed, or copied over, before its client was told.
          if (!digest || !*digest) return;
          const bool is_it =
              replication::FindPassage(region.store(), {pool_.id, *served->position}) == replication::Passage::kPassed;
          if (!is_it) return;
          changes_.push_back({*served->position, **digest});
          if (region.newer()) people_[person].marked_in.push_back(**digest);
        });
  });
}

void People::ChangeSecret() {
  SimRegion* primary = world_.primary();
  if (primary == nullptr || people_.empty()) return;
  SimRegion& region = *primary;
  const std::string secret = fmt::format("{}-secret-{}", kPlainText, ++serial_);
  secrets_.push_back(secret);
  region.Post(nanoseconds(0), [this, &region, secret] {
    region.plans().Run(
        pool_.id,
        [secret](const auth::Context& context) {
          directory::pb::ClientRecord client = ClientOf(context, std::string(kMachine));
          client.clear_secrets();
          client.add_secrets(secret);
          context.tx.Put<directory::ClientKind>(kMachine, client);
          return true;
        },
        [this, &region](const std::optional<Served>& served) {
          if (served) OnServed(region, *served);
        });
  });
}

void People::ProveSecret(SimRegion& region) {
  if (secrets_.empty()) return;
  const std::string secret = world_.dice.Chance(0.5) ? secrets_.back() : world_.dice.Pick(secrets_);
  const auto proven = std::make_shared<bool>();
  region.plans().Run(
      pool_.id,
      [secret, proven](const auth::Context& context) {
        const auto client = auth::FindClient(context.tx, std::string(kMachine));
        *proven = client && auth::ProvesSecret(**client, secret);
        return false;
      },
      [this, &region, secret, proven](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const directory::pb::ClientRecord client = ClientAt(region, *served, std::string(kMachine));
        const bool right = client.secrets_size() == 1 && client.secrets(0) == secret;
        if (*proven != right) {
          Fail("{}: a {} client secret was {}", region.name().value(), right ? "right" : "former",
               *proven ? "accepted" : "refused");
        }
      });
}

// ---- tokens ----

void People::Refresh(SimRegion& region) {
  if (signed_in_.empty()) return;
  const SignedIn held = world_.dice.Pick(signed_in_);
  const auto answer = MakeAnswer<auth::Tokens>();
  region.plans().Run(
      pool_.id,
      [answer, held](const auth::Context& context) {
        *answer = auth::RefreshTokens(context, ClientOf(context, held.client), held.refresh_token);
        return Commits(**answer);
      },
      [this, &region, answer, held](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const auth::AuthResult<auth::Tokens>& said = **answer;
        const auto user = KnownAt(region, served->saw, held.person);
        const auth::SignOuts known(held.refresh.sign_outs().begin(), held.refresh.sign_outs().end());
        const bool live = user && user->token_generation() <= held.refresh.token_generation() &&
                          !DisabledAt(region, served->saw.facts, *user) &&
                          !SignedOutAt(region, served->saw.facts, held.person, known) &&
                          !FamilyAt(region, served->saw.facts, held.refresh.family()).revoked;
        const auto rotation = FactAt(region, served->saw.facts, auth::FactType::kRotation, held.refresh.family());
        const bool reused = rotation && held.refresh.generation() < rotation->maximum() >> 32;
        world_.trace.Say("{} at {}: refresh token {} of {}, {}{}: {}", people_[held.person].name, region.name().value(),
                         held.refresh.generation(), held.refresh.family(), live ? "live" : "revoked",
                         reused ? ", used before" : "", said ? "fresh tokens" : said.error().message);
        if (said.has_value() != (live && !reused)) {
          Fail("{}: a refresh token that is {}{} was {}", region.name().value(), live ? "live" : "revoked",
               reused ? " and used before" : "", said ? "accepted" : "refused");
        }
        if (!said) {
          if (said.error().code == AuthErrorCode::kRefreshTokenReuse) ++tokens_reused_;
          return;
        }
        if (held.client == kRotatingClient) {
          const int times = ++redeemed_[{held.refresh.family(), held.refresh.generation(), region.name(),
                                         region.store().incarnation()}];
          if (times > 1) Fail("{}: a refresh token was redeemed {} times", region.name().value(), times);
          Keep(held.person, held.client, *said, region);
        }
      });
}

void People::Revoke(SimRegion& region) {
  if (signed_in_.empty()) return;
  const SignedIn held = world_.dice.Pick(signed_in_);
  region.plans().Run(
      pool_.id,
      [held](const auth::Context& context) {
        SYMBOLON_CHECK(auth::RevokeRefreshToken(context, ClientOf(context, held.client), held.refresh_token));
        return true;
      },
      [this, &region](const std::optional<Served>& served) {
        if (served) OnServed(region, *served);
      });
}

void People::SignOut(SimRegion& region) {
  const std::size_t person = Anybody();
  region.plans().Run(
      pool_.id,
      [this, person](const auth::Context& context) {
        auth::SignOutUser(context.tx, context.region(), people_[person].key, context.now());
        return true;
      },
      [this, &region](const std::optional<Served>& served) {
        if (served) OnServed(region, *served);
      });
}

void People::Disable(SimRegion& region) {
  const std::size_t person = Anybody();
  region.plans().Run(
      pool_.id,
      [this, person](const auth::Context& context) {
        const auto user = auth::GetKnownUser(context.tx, people_[person].key);
        if (!user) return false;
        auth::DisableUser(context.tx, context.region(), user->key, user->record, context.now());
        return true;
      },
      [this, &region](const std::optional<Served>& served) {
        if (served) OnServed(region, *served);
      });
}

void People::Enable(SimRegion& region) {
  const std::size_t person = Anybody();
  region.plans().Run(
      pool_.id,
      [this, person](const auth::Context& context) {
        const auto user = auth::GetKnownUser(context.tx, people_[person].key);
        if (!user) return false;
        auth::EnableUser(context.tx, user->record, context.now());
        return true;
      },
      [this, &region](const std::optional<Served>& served) {
        if (served) OnServed(region, *served);
      });
}

void People::UseAccessToken(SimRegion& region) {
  if (signed_in_.empty()) return;
  const SignedIn held = world_.dice.Pick(signed_in_);
  auth::AccessTokenVerifier& verifier = region.plans().verifier();
  const auto presented = verifier.Present(held.access_token);
  SYMBOLON_CHECK(presented);
  struct Said {
    std::optional<auth::AccessTokenError> refused;
    std::shared_ptr<const auth::AccessTokenClaims> claims;
    bool signed_in = false;
  };
  const auto said = std::make_shared<Said>();
  const directory::RegionSettings& settings = region.plans().settings();
  region.plans().Run(
      pool_.id,
      [&verifier, &settings, said, token = *presented, held](const auth::Context& context) {
        const auto published = context.tx.Share<directory::PublicKind>("");
        const auto verified = verifier.Verify(token, *published, settings, context.now());
        if (!verified) {
          said->refused = verified.error();
          return false;
        }
        said->claims = *verified;
        said->signed_in = auth::CheckSignedIn(context.tx, context.pool, **verified).has_value();
        return false;
      },
      [this, &region, said, held](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        if (said->refused) {
          // An hour is longer than any run; clocks differ by minutes.
          return Fail("{}: a token of another Region does not verify", region.name().value());
        }
        const auto user = KnownAt(region, served->saw, held.person);
        const bool live = user && !DisabledAt(region, served->saw.facts, *user) &&
                          !SignedOutAt(region, served->saw.facts, held.person, said->claims->sign_outs) &&
                          !FamilyAt(region, served->saw.facts, said->claims->origin_jti).revoked;
        if (said->signed_in != live) {
          Fail("{}: an access token that is {} was {}", region.name().value(), live ? "live" : "revoked",
               said->signed_in ? "honoured" : "refused");
        }
      });
}

// Promise 8: whatever any Region issued verifies with this Region's JWKS.
void People::CheckIssued(SimRegion& region, const std::string& access_token) {
  const auto stored = region.store().MakeSnapshot()->Get(
      {storage::Space::kDirectory, pool_.id, static_cast<std::uint16_t>(directory::RecordType::kPublic), Bytes()});
  SYMBOLON_CHECK(stored && *stored);
  directory::pb::PublicRecord published;
  SYMBOLON_CHECK(published.ParseFromString(**stored));
  auth::AccessTokenVerifier& verifier = region.plans().verifier();
  const auto presented = verifier.Present(access_token);
  SYMBOLON_CHECK(presented);
  const auto verified = verifier.Verify(*presented, published, region.plans().settings(), region.Now().wall);
  if (!verified) Fail("{}: a token of another Region does not verify", region.name().value());
}

}  // namespace symbolon::simulation
