// GET /oauth2/idpresponse: where identity providers send browsers back to (OpenID Connect Core §3.1.2.5).
#include <fmt/format.h>

#include <algorithm>

#include "auth/authorization_code.h"
#include "auth/facts.h"
#include "base/log.h"
#include "directory/identity_providers.h"
#include "federation/oidc_client.h"
#include "federation/sign_in.h"
#include "oauth/answers.h"
#include "oauth/endpoints.h"
#include "oauth/form.h"
#include "oauth/idp_state.h"
#include "oauth/plan.h"
#include "replication/position.h"

namespace symbolon::oauth {
namespace {

namespace asio = boost::asio;
using auth::AuthErrorCode;

constexpr std::size_t kCodeBytesMax = 4'096, kErrorBytesMax = 200;

using Form = std::map<std::string, std::string>;

std::string Field(const Form& form, const char* name) {
  const auto found = form.find(name);
  return found == form.end() ? std::string() : found->second;
}

std::string_view Explain(StateError error) {
  switch (error) {
    case StateError::kInvalid:
      return "The state is not valid.";
    case StateError::kExpired:
      return "The sign-in took too long. Begin again at the application.";
    case StateError::kOtherBrowser:
      return "This sign-in began in another browser. Begin again at the application.";
  }
  return {};
}

}  // namespace

asio::awaitable<http::Response> Endpoints::IdpResponse(const http::Request& request, PoolId pool) {
  // 1. A sign-in that began here, or in another Region, in this browser.
  if (request.method != "GET") co_return ErrorPage(405, "Only GET is known here.");
  const auto form = ParseForm(request.query());
  if (!form) co_return ErrorPage(400, "The request is not well-formed.");
  auto opened = Open(services_, pool);
  if (!opened) co_return ErrorPage(503, "Not available at present.");
  directory::Transaction& tx = *(*opened)->tx;
  const auto state = OpenState(tx.keys(), BrowserOf(request), Field(*form, "state"), services_.clock.Now());
  if (!state) co_return ErrorPage(400, Explain(state.error()));

  // 2. Whose client and provider are still what they were.
  const auto client = tx.Share<directory::ClientKind>(state->client_id());
  const auto provider = directory::GetIdentityProvider(tx, state->provider());
  if (tx.failure()) co_return ErrorPage(503, "Not available at present.");
  if (!client || !IsCallback(client->callback_urls(), state->client_redirect_uri()) || !provider ||
      provider->id() != state->provider_id()) {
    co_return ErrorPage(400, "The application or the identity provider has changed. Begin again at the application.");
  }
  const auto answer = [&](std::vector<std::pair<std::string, std::string>> parameters) {
    if (!state->client_state().empty()) parameters.emplace_back("state", state->client_state());
    return RedirectTo(federation::WithQuery(state->client_redirect_uri(), parameters));
  };
  const auto refuse = [&](std::string code, std::string description) {
    return answer({{"error", std::move(code)}, {"error_description", std::move(description)}});
  };

  // 3. What the provider says. An answer of another one is none (RFC 9207).
  const std::string issuer = Field(*form, "iss");
  if (!issuer.empty() && issuer != provider->issuer())
    co_return refuse("invalid_request", "The answer is of another identity provider");
  if (const std::string error = Field(*form, "error"); !error.empty()) {
    co_return refuse(error == "access_denied" ? "access_denied" : "invalid_request",
                     fmt::format("{} Error - {}", provider->name(), error.substr(0, kErrorBytesMax)));
  }
  const std::string code = Field(*form, "code");
  if (code.empty() || code.size() > kCodeBytesMax) co_return refuse("invalid_request", "The IdP sent no code");

  // 4. Its code, for an assertion. Nothing is held of the store while the provider is waited for.
  opened->reset();
  const federation::SentNonces sent{
      .redirect_uri = state->redirect_uri(), .nonce = state->nonce(), .code_verifier = state->code_verifier()};
  const auto redeemed = co_await http::RunBlocking(services_.provider_threads,
                                                   [&] { return services_.providers.Redeem(*provider, code, sent); });
  if (!redeemed) co_return refuse("temporarily_unavailable", "Too many sign-ins");
  if (!*redeemed) {
    const federation::OidcError& error = redeemed->error();
    log::Warning("sign-in by provider {} of pool {}: {}: {}", provider->name(), pool.value(), error.description,
                 error.detail);
    co_return refuse("invalid_request", error.description);
  }
  const federation::Assertion& assertion = **redeemed;

  // 5. The user, and a code for the client, in one plan that uses up the state.
  const auth::CodeRequest wanted{.redirect_uri = state->client_redirect_uri(),
                                 .code_challenge = state->client_code_challenge(),
                                 .nonce = state->client_nonce(),
                                 .scope = state->scope()};
  const auto planned = co_await RunPlan<std::string>(
      services_, pool, [&](const auth::Context& context, bool can_write) -> auth::AuthResult<std::string> {
        if (auth::WasUsed(context.tx, state->id()))
          return auth::Fail(AuthErrorCode::kInvalidParameter, "The answer of the IdP was used before");
        auth::MarkUsed(context.tx, context.region(), state->id(), FromMicros(state->expires_micros()));
        SYMBOLON_TRY(const directory::User user,
                     federation::SignIn(context, *client, *provider, assertion, state->nonce(), can_write));
        return auth::IssueAuthorizationCode(context, *client, user, wanted);
      });
  if (!planned) co_return refuse("server_error", "Not available at present");
  http::Response response;
  if (planned->answer) {
    response = answer({{"code", *planned->answer}});
  } else {
    const auth::AuthError& error = planned->answer.error();
    response = refuse(error.code == AuthErrorCode::kNotAuthorized ? "access_denied" : "invalid_request", error.message);
  }
  if (planned->position) {
    response.headers.Set(replication::kPositionHeader, replication::FormatPosition(pool, *planned->position));
  }
  co_return response;
}

}  // namespace symbolon::oauth
