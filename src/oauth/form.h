// application/x-www-form-urlencoded bodies (WHATWG URL §5.1), bounded and strict.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace symbolon::oauth {

// Names and values, decoded. nullopt: not well-formed, more than 64 fields, or a field twice (RFC 6749 §3.1 forbids
// that).
std::optional<std::map<std::string, std::string>> ParseForm(std::string_view body);

// "Basic" credentials (RFC 7617) whose two parts are form-encoded (RFC 6749 §2.3.1).
struct BasicCredentials {
  std::string client_id;
  std::string client_secret;
};
// nullopt: another scheme, or not well-formed.
std::optional<BasicCredentials> ParseBasic(std::string_view authorization);

}  // namespace symbolon::oauth
