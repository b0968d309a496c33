// Authenticators' codes (promise 5): each step is good for one sign-in, in whichever Region, whoever is primary then.
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/proven_user.h"
#include "auth/session.h"
#include "auth/software_token.h"
#include "auth/tokens.h"
#include "crypto/totp.h"
#include "directory/users.h"
#include "people.h"
#include "people_plans.h"

namespace symbolon::simulation {
namespace {

// As RFC 6238 has it: the present step, and one before and after it.
constexpr std::uint64_t kWindow = 1;
constexpr std::uint64_t kFarAway = 1'000;

// What the planted bug does in place of AnswerSoftwareTokenMfa: the session is used up, and not the step.
auth::AuthResult<auth::SignInStep> MarkSessionInstead(const auth::Context& context,
                                                      const directory::pb::ClientRecord& client,
                                                      const std::string& session, const std::string& code) {
  SYMBOLON_TRY(const auth::OpenedSession opened,
               auth::OpenSession(context, client, session, auth::pb::Session::SOFTWARE_TOKEN_MFA));
  if (auth::IsLockedOut(context.tx, opened.user.key, context.now())) return Err(auth::InvalidSession());
  SYMBOLON_TRY(const auth::OneTime step, auth::RedeemTotp(context, opened.user.record, code));
  return auth::FinishSignIn(context, client, opened.user, auth::OneTime{opened.id, step.expires_at});
}

}  // namespace

// One code, given in one or two Regions.
struct People::CodeAnswer {
  std::shared_ptr<Session> session;
  std::string code;
};

std::vector<std::uint64_t> People::StepsOf(const Bytes& secret, const std::string& code, Timestamp now) {
  const std::uint64_t present = crypto::TotpStepAt(now);
  std::vector<std::uint64_t> steps;
  for (std::uint64_t step = present - kWindow; step <= present + kWindow; ++step) {
    if (crypto::HotpCode(secret, step) == code) steps.push_back(step);
  }
  return steps;
}

std::shared_ptr<People::Once> People::StepOf(const Bytes& secret, std::uint64_t step) {
  std::shared_ptr<Once>& known = steps_[{secret, step}];
  if (!known) {
    known = std::make_shared<Once>(Once{.what = "a step of an authenticator"});
    once_.push_back(known);
  }
  return known;
}

// At the primary: another secret takes the place of the former one. A promotion may take that back, and steps of the
// former one stay used.
void People::NewAuthenticator() {
  SimRegion* primary = world_.primary();
  if (primary == nullptr || people_.empty()) return;
  SimRegion& region = *primary;
  const auto proof = std::make_shared<std::shared_ptr<Once>>();
  region.Post(nanoseconds(0), [this, &region, proof] {
    region.plans().Run(
        pool_.id,
        [this, proof](const auth::Context& context) {
          Person& person = people_[kWithAuthenticator];
          auto user = directory::FindUser(context.tx, context.pool, person.name);
          SYMBOLON_CHECK(user && auth::AssociateSoftwareToken(context, *user));
          directory::pb::UserRecord proven = user->record;
          *proven.mutable_software_token() = user->record.pending_software_token();
          const Bytes& secret = proven.software_token().secret();
          const std::string code = crypto::HotpCode(secret, crypto::TotpStepAt(context.now()));
          const auto steps = StepsOf(secret, code, context.now());
          if (steps.size() != 1) return false;
          const auto step = auth::RedeemTotp(context, proven, code);
          SYMBOLON_CHECK(step);
          SYMBOLON_CHECK(auth::VerifySoftwareToken(context, *user, code, ""));
          SYMBOLON_CHECK(auth::PreferSoftwareToken(context, *user, true, true));
          person.authenticators.push_back(secret);
          *proof = StepOf(secret, steps.front());
          (*proof)->id = step->id;
          return true;
        },
        [this, &region, proof](const std::optional<Served>& served) {
          if (!served) return;
          OnServed(region, *served);
          if (!served->position) return;
          world_.trace.Say("{} has another authenticator", people_[kWithAuthenticator].name);
          Honoured(region, **proof);
        });
  });
}

void People::KeepChallenge(SimRegion& region, const std::shared_ptr<Session>& session) {
  challenges_.push_back(session);
  once_.push_back(session);
  if (world_.dice.Chance(0.5)) return;
  region.Post(world_.dice.Micros(0, 50'000), [this, &region] {
    if (Serves(region)) AnswerCode(region);
  });
}

void People::AnswerCode(SimRegion& region) {
  const Person& person = people_[kWithAuthenticator];
  if (challenges_.empty()) return TryPassword(region, kWithAuthenticator, person.passwords.back());
  const auto given = std::make_shared<CodeAnswer>();
  given->session = world_.dice.Chance(0.8) ? challenges_.back() : world_.dice.Pick(challenges_);
  // Seldom tried again: that it was used must not hide that the code was.
  if (world_.dice.Chance(0.9)) std::erase(challenges_, given->session);
  // Mostly a code that the app shows now, often one that was right before, sometimes nonsense.
  Bytes secret = world_.dice.Chance(0.8) ? person.authenticators.back() : world_.dice.Pick(person.authenticators);
  std::uint64_t step = crypto::TotpStepAt(region.Now().wall) + world_.dice.Below(2 * kWindow + 1) - kWindow;
  if (!steps_.empty() && world_.dice.Chance(0.4)) {
    std::tie(secret, step) =
        std::next(steps_.begin(), static_cast<std::ptrdiff_t>(world_.dice.Below(steps_.size())))->first;
  } else if (world_.dice.Chance(0.1)) {
    step += kFarAway;
  }
  given->code = crypto::HotpCode(secret, step);
  UseSomewhere(region, [this, given](SimRegion& where) { AnswerCodeAt(where, given); });
}

void People::AnswerCodeAt(SimRegion& region, const std::shared_ptr<CodeAnswer>& given) {
  const auto answer = MakeAnswer<auth::SignInStep>();
  region.plans().Run(
      pool_.id,
      [this, answer, given](const auth::Context& context) {
        const Session& session = *given->session;
        const directory::pb::ClientRecord client = ClientOf(context, session.client);
        const Person& person = people_[session.person];
        const auto user = directory::GetUser(context.tx, person.key);
        SYMBOLON_CHECK(user);
        *answer = world_.plant == Plant::kStepUnmarked
                      ? MarkSessionInstead(context, client, session.text, given->code)
                      : auth::AnswerChallenge(context, client, auth::ChallengeName::kSoftwareTokenMfa, session.text,
                                              {{"USERNAME", person.name}, {"SOFTWARE_TOKEN_MFA_CODE", given->code}});
        if (**answer) {
          // Its name is learned here, since whoever asked may not hear of it.
          const Bytes& secret = user->record.software_token().secret();
          const auto steps = StepsOf(secret, given->code, context.now());
          const auto& tokens = std::get<auth::Tokens>(***answer);
          const auto opened = auth::OpenRefreshToken(context, session.client, tokens.refresh_token.value_or(""));
          SYMBOLON_CHECK(opened && !steps.empty());
          if (steps.size() == 1) StepOf(secret, steps.front())->id = opened->family();
        }
        return Commits(**answer);
      },
      [this, &region, answer, given](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        CheckCodeAnswer(region, *given, *served, **answer);
      });
}

void People::CheckCodeAnswer(SimRegion& region, const CodeAnswer& given, const Served& served,
                             const auth::AuthResult<auth::SignInStep>& said) {
  const Session& session = *given.session;
  const directory::pb::UserRecord user = UserAt(region, served.saw, session.person);
  const Bytes& secret = user.software_token().secret();
  const std::vector<std::uint64_t> steps = StepsOf(secret, given.code, served.now);
  // One code of two steps: once in a million.
  if (steps.size() > 1) return;
  const std::shared_ptr<Once> step = steps.empty() ? nullptr : StepOf(secret, steps.front());
  const bool used = step && !step->id.empty() && FamilyAt(region, served.saw.facts, step->id).used;
  const bool session_used = FamilyAt(region, served.saw.facts, session.id).used;
  const bool current = IsCurrent(region, served, session);
  const bool locked = LockedAt(region, served, session.person);
  const bool may_sign_in = !session_used && current && !locked;
  const std::string_view code = !step ? "wrong" : used ? "used" : "new";
  world_.trace.Say("{} at {}: a code that is {}{}{}{}: {}", people_[session.person].name, region.name().value(), code,
                   session_used ? ", session used" : "", current ? "" : ", session out of date",
                   locked ? ", locked" : "", said ? "signed in" : said.error().message);
  if (said.has_value() != (step && !used && may_sign_in)) {
    Fail("{}: an authenticator's code that is {} was {}, of somebody who {} sign in by one, at {} of epoch {}",
         region.name().value(), code, said ? "accepted" : "refused", may_sign_in ? "may" : "may not",
         served.saw.head->sequence(), served.saw.head->epoch().counter());
  }
  if (used && may_sign_in) ++steps_refused_;
  if (!said || !step) return;
  ++steps_used_;
  Honoured(region, *step);
  Honoured(region, *given.session);
  const std::string family = Keep(session.person, session.client, std::get<auth::Tokens>(*said), region);
  if (family != step->id) Fail("{}: a step of an authenticator has two names", region.name().value());
}

}  // namespace symbolon::simulation
