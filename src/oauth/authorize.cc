// GET /oauth2/authorize (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2, RFC 7636) and GET /logout.
#include <fmt/format.h>

#include <algorithm>

#include "auth/authorization_code.h"
#include "auth/scopes.h"
#include "base/log.h"
#include "directory/identity_providers.h"
#include "federation/oidc_client.h"
#include "oauth/answers.h"
#include "oauth/endpoints.h"
#include "oauth/form.h"
#include "oauth/idp_state.h"
#include "oauth/plan.h"

namespace symbolon::oauth {
namespace {

namespace asio = boost::asio;
using directory::pb::ClientRecord;
using directory::pb::IdentityProviderRecord;

constexpr std::string_view kOwnUsers = "COGNITO";
constexpr std::size_t kStateBytesMax = 2'048, kNonceBytesMax = 512, kHintBytesMax = 512;

using Form = std::map<std::string, std::string>;

std::string Field(const Form& form, const char* name) {
  const auto found = form.find(name);
  return found == form.end() ? std::string() : found->second;
}

// What the client is told, by way of the browser.
struct OAuthError {
  std::string code;
  std::string description;
};
template <class T>
using Checked = Result<T, OAuthError>;
auto Refuse(std::string code, std::string description = {}) {
  return Err(OAuthError{.code = std::move(code), .description = std::move(description)});
}

bool IsChallenge(std::string_view text) {
  const auto digest = Base64UrlDecode(text);
  return digest && digest->size() == 32;
}

// Every scope that is asked for is the client's; what is in an ID token needs one.
Checked<std::string> ScopeOf(const ClientRecord& client, const std::string& asked) {
  std::vector<std::string> scopes = auth::SplitScopes(asked);
  const auto& allowed = client.allowed_oauth_scopes();
  if (scopes.empty()) scopes.assign(allowed.begin(), allowed.end());
  std::vector<std::string> granted;
  for (const std::string& scope : scopes) {
    if (std::ranges::find(allowed, scope) == allowed.end()) return Refuse("invalid_scope");
    if (std::ranges::find(granted, scope) == granted.end()) granted.push_back(scope);
  }
  const auto has = [&](std::string_view name) { return std::ranges::find(granted, name) != granted.end(); };
  const bool needs_openid = has("email") || has("phone") || has("profile");
  if (granted.empty() || (needs_openid && !has(auth::kOpenIdScope))) return Refuse("invalid_scope");
  return auth::JoinScopes(granted);
}

Checked<void> CheckRequest(const ClientRecord& client, const Form& form) {
  const std::string response_type = Field(form, "response_type");
  if (response_type.empty()) return Refuse("invalid_request", "response_type is missing");
  const auto& flows = client.allowed_oauth_flows();
  const bool may = client.oauth_enabled() && std::ranges::find(flows, "code") != flows.end();
  if (response_type != "code" && response_type != "token") return Refuse("unsupported_response_type");
  if (response_type != "code" || !may) return Refuse("unauthorized_client");
  const std::string challenge = Field(form, "code_challenge"), method = Field(form, "code_challenge_method");
  if (challenge.empty() != method.empty() || (!method.empty() && method != "S256"))
    return Refuse("invalid_request", "code_challenge_method has to be S256");
  if (!challenge.empty() && !IsChallenge(challenge)) return Refuse("invalid_request", "code_challenge is not of S256");
  if (Field(form, "nonce").size() > kNonceBytesMax) return Refuse("invalid_request", "nonce is too long");
  for (const char* unavailable : {"resource", "max_age", "request", "request_uri"}) {
    if (form.contains(unavailable))
      return Refuse("invalid_request", fmt::format("{} is not available yet", unavailable));
  }
  const std::string prompt = Field(form, "prompt");
  if (prompt == "none") return Refuse("login_required");
  if (!prompt.empty() && prompt != "login" && prompt != "select_account" && prompt != "consent")
    return Refuse("invalid_request", "prompt is not known");
  return {};
}

// The provider at which the user is to sign in.
Checked<IdentityProviderRecord> ProviderOf(directory::Transaction& tx, const ClientRecord& client, const Form& form) {
  const auto& supported = client.identity_providers();
  const std::string name = Field(form, "identity_provider"), identifier = Field(form, "idp_identifier");
  std::optional<IdentityProviderRecord> provider;
  if (!name.empty()) {
    if (name == kOwnUsers) return Refuse("invalid_request", "The login pages are not available yet");
    provider = directory::GetIdentityProvider(tx, name);
  } else if (!identifier.empty()) {
    provider = directory::FindIdentityProvider(tx, identifier);
  } else if (supported.size() == 1 && supported[0] != kOwnUsers) {
    provider = directory::GetIdentityProvider(tx, supported[0]);
  } else {
    return Refuse("invalid_request", "identity_provider is missing: the login pages are not available yet");
  }
  if (!provider || std::ranges::find(supported, provider->name()) == supported.end())
    return Refuse("invalid_request", "Login option is not available");
  return *std::move(provider);
}

}  // namespace

asio::awaitable<http::Response> Endpoints::Authorize(const http::Request& request, PoolId pool, std::string base_url) {
  // 1. A client, and where it wants its answers: without both nobody is sent anywhere.
  if (request.method != "GET") co_return ErrorPage(405, "Only GET is known here.");
  const auto form = ParseForm(request.query());
  if (!form) co_return ErrorPage(400, "The request is not well-formed.");
  auto opened = Open(services_, pool);
  if (!opened && opened.error() == PlanError::kNotFound) co_return ErrorPage(404, "The user pool does not exist.");
  if (!opened) co_return ErrorPage(503, "Not available at present.");
  directory::Transaction& tx = *(*opened)->tx;
  const auto client = tx.Share<directory::ClientKind>(Field(*form, "client_id"));
  if (!client) co_return ErrorPage(400, "The client_id is not known.");
  std::string redirect_uri = Field(*form, "redirect_uri");
  if (redirect_uri.empty()) redirect_uri = client->default_redirect_uri();
  if (redirect_uri.empty() && client->callback_urls_size() == 1) redirect_uri = client->callback_urls(0);
  if (!IsCallback(client->callback_urls(), redirect_uri))
    co_return ErrorPage(400, "The redirect_uri is none of the client's.");
  const std::string state = Field(*form, "state");
  if (state.size() > kStateBytesMax) co_return ErrorPage(400, "The state is too long.");

  // 2. A request that it may make.
  const auto refuse = [&](const OAuthError& error) {
    std::vector<std::pair<std::string, std::string>> parameters{{"error", error.code}};
    if (!error.description.empty()) parameters.emplace_back("error_description", error.description);
    if (!state.empty()) parameters.emplace_back("state", state);
    return RedirectTo(federation::WithQuery(redirect_uri, parameters));
  };
  if (const auto checked = CheckRequest(*client, *form); !checked) co_return refuse(checked.error());
  const auto scope = ScopeOf(*client, Field(*form, "scope"));
  if (!scope) co_return refuse(scope.error());
  const auto provider = ProviderOf(tx, *client, *form);
  if (tx.failure()) co_return refuse({.code = "server_error", .description = {}});
  if (!provider) co_return refuse(provider.error());

  // 3. Where the provider is. Nothing is held of the store while it is waited for.
  opened->reset();
  const auto metadata =
      co_await http::RunBlocking(services_.provider_threads, [&] { return services_.providers.MetadataOf(*provider); });
  if (!metadata) co_return refuse({.code = "temporarily_unavailable", .description = {}});
  if (!*metadata) {
    const federation::OidcError& error = metadata->error();
    log::Warning("provider {} of pool {}: {}", provider->name(), pool.value(), error.detail);
    co_return refuse({.code = "invalid_request", .description = error.description});
  }

  // 4. There, with what comes back sealed and bound to this browser.
  opened = Open(services_, pool);
  if (!opened) co_return refuse({.code = "temporarily_unavailable", .description = {}});
  const std::string browser = BrowserOf(request).value_or(NewBrowser(services_.random));
  federation::pb::State sent;
  sent.set_id(NewUuid(services_.random));
  sent.set_provider(provider->name());
  sent.set_provider_id(provider->id());
  sent.set_expires_micros(ToMicros(services_.clock.Now() + kStateLifetime));
  sent.set_redirect_uri(base_url + "/oauth2/idpresponse");
  sent.set_nonce(RandomText(services_.random, 32, kLowerAlphanumeric));
  if ((*metadata)->pkce) sent.set_code_verifier(RandomText(services_.random, 64, kLowerAlphanumeric));
  sent.set_client_id(client->client_id());
  sent.set_client_redirect_uri(redirect_uri);
  sent.set_client_state(state);
  sent.set_client_nonce(Field(*form, "nonce"));
  sent.set_client_code_challenge(Field(*form, "code_challenge"));
  sent.set_scope(*scope);
  std::vector<std::pair<std::string, std::string>> parameters{
      {"response_type", "code"},
      {"client_id", provider->client_id()},
      {"redirect_uri", sent.redirect_uri()},
      {"scope", provider->scopes()},
      {"state", SealState((*opened)->tx->keys(), browser, sent, services_.random)},
      {"nonce", sent.nonce()}};
  if (!sent.code_verifier().empty()) {
    parameters.emplace_back("code_challenge", auth::S256ChallengeOf(sent.code_verifier()));
    parameters.emplace_back("code_challenge_method", "S256");
  }
  for (const char* forwarded : {"prompt", "login_hint"}) {
    const std::string value = Field(*form, forwarded);
    if (!value.empty() && value.size() <= kHintBytesMax) parameters.emplace_back(forwarded, value);
  }
  http::Response response = RedirectTo(federation::WithQuery((*metadata)->authorize_url, parameters));
  response.headers.Add("Set-Cookie", SetBrowserCookie(browser, base_url.starts_with("https:")));
  co_return response;
}

// There is no session here that could end: whoever signs in comes from a provider each time. So a sign-out sends the
// browser on.
http::Response Endpoints::Logout(const http::Request& request, const PoolId& pool, const std::string& base_url) {
  if (request.method != "GET") return ErrorPage(405, "Only GET is known here.");
  const auto form = ParseForm(request.query());
  if (!form) return ErrorPage(400, "The request is not well-formed.");
  auto opened = Open(services_, pool);
  if (!opened) return ErrorPage(503, "Not available at present.");
  const auto client = (*opened)->tx->Share<directory::ClientKind>(Field(*form, "client_id"));
  if (!client) return ErrorPage(400, "The client_id is not known.");
  if (const std::string to = Field(*form, "logout_uri"); !to.empty()) {
    if (!IsCallback(client->logout_urls(), to)) return ErrorPage(400, "The logout_uri is none of the client's.");
    const std::string state = Field(*form, "state");
    if (state.empty() || state.size() > kStateBytesMax) return RedirectTo(to);
    return RedirectTo(federation::WithQuery(to, {{"state", state}}));
  }
  if (Field(*form, "redirect_uri").empty() || Field(*form, "response_type").empty())
    return ErrorPage(400, "Neither logout_uri nor redirect_uri with response_type is there.");
  // To sign in anew.
  return RedirectTo(base_url + "/oauth2/authorize?" + std::string(request.query()));
}

}  // namespace symbolon::oauth
