// What is used once (promise 5): the sessions that lead from one challenge to the next.
#include "auth/proven_user.h"
#include "auth/session.h"
#include "people.h"
#include "people_plans.h"

namespace symbolon::simulation {

void People::BeginSession(SimRegion& region) {
  const auto session = std::make_shared<Session>(Session{{.what = "a session"}});
  session->person = AnyOwn();
  session->client = kClient;
  region.plans().Run(
      pool_.id,
      [this, session](const auth::Context& context) {
        const auto user = directory::FindUser(context.tx, context.pool, people_[session->person].name);
        SYMBOLON_CHECK(user);
        const directory::pb::ClientRecord client = ClientOf(context, session->client);
        session->text = auth::NewSession(context, client, *user, auth::pb::Session::NEW_PASSWORD_REQUIRED);
        const auto opened = auth::OpenSession(context, client, session->text, auth::pb::Session::NEW_PASSWORD_REQUIRED);
        // No session is good for a user who is disabled.
        if (!opened) return false;
        session->id = opened->id;
        session->expires_at = opened->expires_at;
        session->token_generation = user->record.token_generation();
        session->sign_outs = auth::SignOutsOf(context.tx, user->key);
        return false;
      },
      [this, &region, session](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        if (session->id.empty()) return;
        sessions_.push_back(session);
        once_.push_back(session);
      });
}

void People::UseSomewhere(SimRegion& region, const std::function<void(SimRegion&)>& use) {
  use(region);
  if (world_.dice.Chance(0.2)) use(region);
  SimRegion& other = world_.any_region();
  if (&other == &region || !Serves(other) || world_.dice.Chance(0.3)) return;
  other.Post(world_.dice.Micros(0, 20'000), [this, &other, use] {
    if (Serves(other)) use(other);
  });
}

void People::Honoured(SimRegion& region, Once& thing) {
  const int times = ++thing.honoured[{region.name(), region.store().incarnation()}];
  if (times > 1) Fail("{}: {} was honoured {} times", region.name().value(), thing.what, times);
  if (thing.honoured.size() == 2) ++doubly_used_;
}

bool People::IsCurrent(SimRegion& region, const Served& served, const Session& session) {
  const auto user = KnownAt(region, served.saw, session.person);
  return user && user->token_generation() == session.token_generation && served.now < session.expires_at &&
         !DisabledAt(region, served.saw.facts, *user) &&
         !SignedOutAt(region, served.saw.facts, session.person, session.sign_outs);
}

void People::UseSession(SimRegion& region) {
  if (sessions_.empty()) return BeginSession(region);
  const auto session = world_.dice.Chance(0.7) ? sessions_.back() : world_.dice.Pick(sessions_);
  UseSomewhere(region, [this, session](SimRegion& where) { UseSessionAt(where, session); });
}

void People::UseSessionAt(SimRegion& region, const std::shared_ptr<Session>& session) {
  const auto answer = MakeAnswer<auth::SignInStep>();
  const bool forgets = world_.plant == Plant::kHonourTwice;
  region.plans().Run(
      pool_.id,
      [answer, session, forgets](const auth::Context& context) {
        const directory::pb::ClientRecord client = ClientOf(context, session->client);
        const auto opened = auth::OpenSession(context, client, session->text, auth::pb::Session::NEW_PASSWORD_REQUIRED);
        if (!opened) {
          *answer = Err(opened.error());
        } else if (forgets) {
          *answer = auth::FinishSignIn(context, client, opened->user, std::nullopt);
        } else {
          *answer = auth::FinishSignIn(context, client, opened->user, auth::OneTime{opened->id, opened->expires_at});
        }
        return Commits(**answer);
      },
      [this, &region, answer, session](const std::optional<Served>& served) {
        if (!served) return;
        OnServed(region, *served);
        const auth::AuthResult<auth::SignInStep>& said = **answer;
        const bool used = FamilyAt(region, served->saw.facts, session->id).used;
        const bool current = IsCurrent(region, *served, *session);
        world_.trace.Say("session {} at {}, {}{}: {}", session->id, region.name().value(), used ? "used" : "new",
                         current ? "" : ", out of date", said ? "tokens" : said.error().message);
        if (said.has_value() != (!used && current)) {
          Fail("{}: a session that is {}{} was {}", region.name().value(), used ? "used" : "new",
               current ? "" : " and out of date", said ? "honoured" : "refused");
        }
        if (!said) return;
        Honoured(region, *session);
        Keep(session->person, session->client, std::get<auth::Tokens>(*said), region);
      });
}

}  // namespace symbolon::simulation
