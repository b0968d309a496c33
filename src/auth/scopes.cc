#include "auth/scopes.h"

#include <algorithm>

namespace symbolon::auth {

std::vector<std::string> SplitScopes(std::string_view text) {
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (space > 0) scopes.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return scopes;
}

std::string JoinScopes(const std::vector<std::string>& scopes) {
  std::string text;
  for (const std::string& scope : scopes) text += (text.empty() ? "" : " ") + scope;
  return text;
}

bool HasScope(std::string_view scopes, std::string_view name) {
  const std::vector<std::string> parts = SplitScopes(scopes);
  return std::ranges::find(parts, name) != parts.end();
}

bool ScopeShows(std::string_view scopes, std::string_view attribute) {
  const bool email = HasScope(scopes, "email"), phone = HasScope(scopes, "phone"),
             profile = HasScope(scopes, "profile");
  if (!email && !phone && !profile) return true;
  if (attribute == "email" || attribute == "email_verified") return email;
  if (attribute == "phone_number" || attribute == "phone_number_verified") return phone;
  // Who somebody is elsewhere is part of who they are.
  return profile || attribute == "identities";
}

}  // namespace symbolon::auth
