// OpenID Connect Discovery 1.0 and the JWK Set of a pool: served in every Region that has the pool, whatever its role,
// also while the pool's key is withdrawn.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "directory/env.h"
#include "directory/records.pb.h"

namespace symbolon::oauth {

// Where the OAuth endpoints of a domain are: its own name for a custom domain; for a prefix, which no DNS knows, a path
// of `base_url` ("<base>/_domain/<prefix>").
std::string DomainBaseUrl(std::string_view base_url, const directory::pb::PublicRecord& published);

// The provider's metadata as JSON (OpenID Connect Discovery 1.0 §3). Without a domain there are no OAuth endpoints to
// name. nullopt: the issuer is not known in this Region (directory::IssuerOf).
std::optional<std::string> DiscoveryDocument(const directory::RegionSettings& settings, const PoolId& pool,
                                             const directory::pb::PublicRecord& published);

}  // namespace symbolon::oauth
