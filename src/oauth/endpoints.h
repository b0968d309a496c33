// The public HTTP endpoints of pools and of their domains: discovery, JWKS; /oauth2/authorize, /oauth2/idpresponse,
// /oauth2/token, /logout.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "auth/token_signer.h"
#include "base/clock.h"
#include "directory/env.h"
#include "directory/record_cache.h"
#include "directory/routes.h"
#include "federation/oidc_client.h"
#include "http/blocking.h"
#include "http/message.h"
#include "keys/key_service.h"
#include "replication/durable_commits.h"
#include "replication/position_gate.h"
#include "replication/write_gate.h"
#include "storage/store.h"

namespace symbolon::oauth {

// Thread-safe. What it refers to must outlive it.
class Endpoints {
 public:
  struct Services {
    storage::Store& store;
    keys::KeyService& keys;
    directory::Routes& routes;
    directory::RecordCache& records;
    const directory::RegionSettings& region;
    auth::TokenSigner& signer;
    replication::DurableCommits& commits;
    // Asks identity providers, on these threads.
    federation::OidcClient& providers;
    http::BlockingPool& provider_threads;
    Clock& clock;
    Random& random;
    // Where requests wait for a position, and for how long; nullptr where there are no other Regions.
    replication::PositionGate* positions = nullptr;
    std::chrono::milliseconds position_wait{};
    // nullptr where there are no other Regions.
    const replication::WriteGate* gate = nullptr;
  };

  explicit Endpoints(Services services) : services_(services) {}

  // nullopt: the request is none of ours (another path). `<pool>/.well-known/…` on any host; `/oauth2/…` and `/logout`
  // on a domain's host, and under `/_domain/<domain>/…` on any host.
  boost::asio::awaitable<std::optional<http::Response>> Handle(const http::Request& request);

 private:
  http::Response WellKnown(const http::Request& request, const PoolId& pool, std::string_view document);
  // nullopt: this Region has what the caller has seen elsewhere (replication protocol §7).
  boost::asio::awaitable<std::optional<http::Response>> AwaitPosition(const http::Request& request);
  boost::asio::awaitable<http::Response> Token(const http::Request& request, PoolId pool);
  // `base_url`: of the domain, as the browser reaches it.
  boost::asio::awaitable<http::Response> Authorize(const http::Request& request, PoolId pool, std::string base_url);
  boost::asio::awaitable<http::Response> IdpResponse(const http::Request& request, PoolId pool);
  http::Response Logout(const http::Request& request, const PoolId& pool, const std::string& base_url);

  Services services_;
};

}  // namespace symbolon::oauth
