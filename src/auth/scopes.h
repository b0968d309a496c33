// OAuth scopes (RFC 6749 §3.3) as this service knows them. Pure and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace symbolon::auth {

inline constexpr std::string_view kOpenIdScope = "openid";

// Between spaces; empty parts are left out.
std::vector<std::string> SplitScopes(std::string_view text);
std::string JoinScopes(const std::vector<std::string>& scopes);
bool HasScope(std::string_view scopes, std::string_view name);

// Whether an ID token or a userInfo answer of this scope has the attribute (developer guide, "Scopes"): with "openid"
// alone all of them, with "email", "phone" or "profile" beside it what these name. An empty scope is the API's: all.
bool ScopeShows(std::string_view scopes, std::string_view attribute);

}  // namespace symbolon::auth
