#include "oauth/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "auth/client_credentials.h"
#include "auth/clients.h"
#include "auth/signing_keys.h"
#include "base/log.h"
#include "directory/transaction.h"
#include "http/await.h"
#include "oauth/discovery.h"
#include "oauth/form.h"
#include "replication/position.h"
#include "replication/roles.h"

namespace symbolon::oauth {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using replication::Passage;

constexpr std::string_view kDomainPath = "/_domain/";
constexpr std::string_view kWellKnownPath = "/.well-known/";
constexpr std::size_t kScopesMax = 50;

void AllowAnyOrigin(http::Response& response) {
  response.headers.Set("Access-Control-Allow-Origin", "*");
  response.headers.Set("Access-Control-Expose-Headers", "Date,Retry-After");
}

http::Response NotFound() {
  return {.status = 404, .headers = {{"Content-Type", "application/json"}}, .body = R"({"message":"Not found."})"};
}

http::Response Unavailable() {
  return {.status = 503,
          .headers = {{"Content-Type", "application/json"}},
          .body = R"({"message":"Not available at present."})"};
}

// RFC 6749 §5.1, §5.2; headers as Cognito's endpoint has them.
http::Response TokenAnswer(int status, const json::object& body) {
  http::Response response{.status = status,
                          .headers = {{"Content-Type", "application/json;charset=UTF-8"},
                                      {"Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"},
                                      {"Pragma", "no-cache"},
                                      {"X-Content-Type-Options", "nosniff"},
                                      {"X-Frame-Options", "DENY"}},
                          .body = json::serialize(body)};
  AllowAnyOrigin(response);
  return response;
}

http::Response TokenError(std::string_view code, std::string_view description = {}) {
  json::object body;
  body["error"] = code;
  if (!description.empty()) body["error_description"] = description;
  return TokenAnswer(400, body);
}

std::vector<std::string> SplitScopes(std::string_view text) {
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (space > 0) scopes.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return scopes;
}

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

// The host that the client named, without its port.
std::string HostOf(const http::Request& request) {
  std::string host(request.headers.Find("Host").value_or(""));
  if (const std::size_t colon = host.rfind(':');
      colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  return host;
}

}  // namespace

asio::awaitable<std::optional<http::Response>> Endpoints::Handle(const http::Request& request) {
  std::string_view path = request.path();

  if (const std::size_t well_known = path.find(kWellKnownPath);
      well_known != std::string_view::npos && well_known > 1) {
    const std::string_view document = path.substr(well_known + kWellKnownPath.size());
    co_return WellKnown(request, PoolId(std::string(path.substr(1, well_known - 1))), document);
  }

  std::string domain;
  if (path.starts_with(kDomainPath)) {
    path.remove_prefix(kDomainPath.size());
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) co_return NotFound();
    domain = path.substr(0, slash);
    path.remove_prefix(slash);
  } else if (path.starts_with("/oauth2/")) {
    domain = HostOf(request);
  } else {
    co_return std::nullopt;
  }
  // Before the domain is looked up: it may be among what is to come.
  if (auto refusal = co_await AwaitPosition(request)) co_return refusal;
  auto pool = services_.routes.PoolOfDomain(domain);
  // "<prefix>.auth.<region>.…" names a prefix domain as well.
  if (!pool) pool = services_.routes.PoolOfDomain(domain.substr(0, domain.find('.')));
  if (!pool || path != "/oauth2/token") co_return NotFound();
  co_return Token(request, *pool);
}

asio::awaitable<std::optional<http::Response>> Endpoints::AwaitPosition(const http::Request& request) {
  const auto text = request.headers.Find(replication::kPositionHeader);
  if (!text) co_return std::nullopt;
  const auto wanted = replication::ParsePosition(*text);
  if (!wanted) co_return TokenError("invalid_request", "x-symbolon-position is not a position.");
  Passage passage = replication::FindPassage(services_.store, *wanted);
  if (passage == Passage::kAhead && services_.positions != nullptr) {
    const auto until = services_.clock.SinceBoot() + services_.position_wait;
    passage = co_await http::AwaitCallback<Passage>(
        [&](auto done) { services_.positions->Await(*wanted, until, std::move(done)); });
  }
  switch (passage) {
    case Passage::kPassed:
      co_return std::nullopt;
    case Passage::kSetAside:
      co_return TokenError("invalid_request", "The write at this position was set aside.");
    case Passage::kAhead:
      break;
  }
  http::Response behind = TokenError("temporarily_unavailable", "This Region does not have this position yet.");
  behind.status = 503;
  behind.headers.Set("Retry-After", "1");
  co_return behind;
}

http::Response Endpoints::WellKnown(const http::Request& request, const PoolId& pool, std::string_view document) {
  if ((request.method != "GET" && request.method != "HEAD") || !IsPoolId(pool.value())) return NotFound();
  const std::shared_ptr<const storage::Snapshot> snapshot(services_.store.MakeSnapshot());
  directory::Transaction tx(snapshot, pool, nullptr, services_.random, &services_.records);
  const auto role = tx.ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  const auto published = tx.Share<directory::PublicKind>("");
  if (tx.failure()) {
    log::Error("public record of pool {}: {}", pool.value(), tx.failure()->detail);
    return Unavailable();
  }
  if (!published || !role || role->deleted()) return NotFound();
  http::Response response{.status = 200,
                          .headers = {{"Content-Type", "application/json"}, {"Cache-Control", "public, max-age=300"}},
                          .body = {}};
  if (document == "jwks.json") {
    response.body = auth::JwksJson(*published);
  } else if (document == "openid-configuration") {
    response.body = DiscoveryDocument(services_.region, pool, *published);
  } else {
    return NotFound();
  }
  AllowAnyOrigin(response);
  return response;
}

// The token endpoint as numbered phases (RFC 6749 §3.2, §4.4).
http::Response Endpoints::Token(const http::Request& request, const PoolId& pool_id) {
  // 1. A form, posted.
  if (request.method != "POST") return TokenError("invalid_request");
  const std::string_view type = request.headers.Find("Content-Type").value_or("");
  if (!http::EqualIgnoringCase(type.substr(0, type.find(';')), "application/x-www-form-urlencoded"))
    return TokenError("invalid_request");
  const auto form = ParseForm(request.body);
  if (!form) return TokenError("invalid_request");
  const auto field = [&](const char* name) -> std::optional<std::string> {
    const auto found = form->find(name);
    return found == form->end() ? std::nullopt : std::optional(found->second);
  };

  // 2. A pool that serves here, and its keys.
  const std::shared_ptr<const storage::Snapshot> snapshot(services_.store.MakeSnapshot());
  auto keys = services_.keys.KeysOf(*snapshot, pool_id);
  if (!keys) return Unavailable();
  directory::Transaction tx(snapshot, pool_id, *std::move(keys), services_.random, &services_.records);
  const auto role_record = tx.ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  const auto pool = tx.Share<directory::PoolKind>("");
  if (!role_record || !pool || role_record->deleted()) return tx.failure() ? Unavailable() : NotFound();
  const replication::Role role = replication::RoleOf(*role_record, services_.region.region);
  const bool is_primary = role.kind == replication::Role::Kind::kPrimary;
  if (!is_primary && role.state != replication::pb::ACTIVE) return Unavailable();

  // 3. The client and its secret: in the header or in the form, never both.
  std::optional<BasicCredentials> credentials;
  if (const auto authorization = request.headers.Find("Authorization")) {
    credentials = ParseBasic(*authorization);
    if (!credentials || field("client_secret")) return TokenError("invalid_request");
    if (const auto id = field("client_id"); id && *id != credentials->client_id) return TokenError("invalid_request");
  } else if (field("client_id")) {
    credentials =
        BasicCredentials{.client_id = *field("client_id"), .client_secret = field("client_secret").value_or("")};
  }
  const auto grant_type = field("grant_type");
  if (!credentials || !grant_type) return TokenError("invalid_request");
  const auto client = tx.Share<directory::ClientKind>(credentials->client_id);
  if (tx.failure()) return Unavailable();
  // Only a client with a secret is one that can be told from others.
  if (!client || client->secrets().empty() || !auth::ProvesSecret(*client, credentials->client_secret))
    return TokenError("invalid_client");

  // 4. The grant.
  if (*grant_type != "client_credentials") return TokenError("unsupported_grant_type");
  const bool by_flow = client->oauth_enabled() && Contains(client->allowed_oauth_flows(), "client_credentials");
  if (!by_flow && !Contains(client->explicit_auth_flows(), "ALLOW_CLIENT_TOKEN_AUTH"))
    return TokenError("unauthorized_client");

  // 5. The token, for the scopes that were asked for or all that the client has.
  const std::vector<std::string> scopes = SplitScopes(field("scope").value_or(""));
  if (scopes.size() > kScopesMax) return TokenError("invalid_scope");
  directory::Env env(services_.clock.Now(), services_.random, services_.region);
  const auth::Context context{.tx = tx, .env = env, .pool = *pool, .signer = services_.signer};
  const auto token = auth::GrantClientToken(context, *client, scopes);
  if (!token && token.error().code == auth::AuthErrorCode::kInvalidScope) return TokenError("invalid_scope");
  if (!token || tx.failure()) {
    log::Error("a client token of pool {} could not be issued: {}", pool_id.value(),
               tx.failure() ? tx.failure()->detail : token.error().message);
    return Unavailable();
  }
  json::object body;
  body["access_token"] = token->access_token;
  body["expires_in"] = token->expires_in.count();
  body["token_type"] = "Bearer";
  return TokenAnswer(200, body);
}

}  // namespace symbolon::oauth
