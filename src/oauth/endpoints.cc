#include "oauth/endpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/signing_keys.h"
#include "base/log.h"
#include "directory/transaction.h"
#include "http/await.h"
#include "oauth/answers.h"
#include "oauth/discovery.h"
#include "replication/position.h"
#include "replication/roles.h"

namespace symbolon::oauth {
namespace {

namespace asio = boost::asio;
using replication::Passage;

constexpr std::string_view kDomainPath = "/_domain/";
constexpr std::string_view kWellKnownPath = "/.well-known/";

// The host that the client named, without its port.
std::string HostOf(const http::Request& request) {
  std::string host(request.headers.Find("Host").value_or(""));
  if (const std::size_t colon = host.rfind(':');
      colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  return host;
}

// Scheme and authority of a URL.
std::string_view OriginOf(std::string_view url) {
  const std::size_t authority = url.find("://");
  return authority == std::string_view::npos ? url : url.substr(0, url.find('/', authority + 3));
}

// How the browser that asks reaches this node under a path of its host: by this Region's own address or by one that all
// Regions share, never by what a stranger wrote into a header.
std::string BaseUrlFor(const http::Request& request, const directory::RegionSettings& region) {
  const auto own = region.public_urls.find(region.region);
  const std::string own_url = own == region.public_urls.end() ? region.neutral_url : own->second;
  const std::string_view host = request.headers.Find("Host").value_or("");
  const std::string_view neutral = OriginOf(region.neutral_url);
  const bool by_neutral = !host.empty() && neutral.ends_with(std::string("//") + std::string(host));
  return by_neutral ? region.neutral_url : own_url;
}

}  // namespace

asio::awaitable<std::optional<http::Response>> Endpoints::Handle(const http::Request& request) {
  std::string_view path = request.path();

  if (const std::size_t well_known = path.find(kWellKnownPath);
      well_known != std::string_view::npos && well_known > 1) {
    const std::string_view document = path.substr(well_known + kWellKnownPath.size());
    co_return WellKnown(request, PoolId(std::string(path.substr(1, well_known - 1))), document);
  }

  std::string domain, base_url;
  if (path.starts_with(kDomainPath)) {
    path.remove_prefix(kDomainPath.size());
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) co_return NotFound();
    domain = path.substr(0, slash);
    path.remove_prefix(slash);
    base_url = BaseUrlFor(request, services_.region) + std::string(kDomainPath) + domain;
  } else if (path.starts_with("/oauth2/") || path == "/logout") {
    domain = HostOf(request);
    const bool is_tls = BaseUrlFor(request, services_.region).starts_with("https:");
    base_url = (is_tls ? "https://" : "http://") + std::string(request.headers.Find("Host").value_or(""));
  } else {
    co_return std::nullopt;
  }
  // Before the domain is looked up: it may be among what is to come.
  if (auto refusal = co_await AwaitPosition(request)) co_return refusal;
  auto pool = services_.routes.PoolOfDomain(domain);
  // "<prefix>.auth.<region>.…" names a prefix domain as well.
  if (!pool) pool = services_.routes.PoolOfDomain(domain.substr(0, domain.find('.')));
  if (!pool) co_return NotFound();
  if (path == "/oauth2/token") co_return co_await Token(request, *pool);
  if (path == "/oauth2/authorize") co_return co_await Authorize(request, *pool, std::move(base_url));
  if (path == "/oauth2/idpresponse") co_return co_await IdpResponse(request, *pool);
  if (path == "/logout") co_return Logout(request, *pool, base_url);
  co_return NotFound();
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
  co_return TokenUnavailable("This Region does not have this position yet.");
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
    auto discovered = DiscoveryDocument(services_.region, pool, *published);
    if (!discovered) {
      log::Error("pool {} has no issuer: its Region of birth is not among [[regions]]", pool.value());
      return Unavailable();
    }
    response.body = *std::move(discovered);
  } else {
    return NotFound();
  }
  AllowAnyOrigin(response);
  return response;
}

}  // namespace symbolon::oauth
