// What goes with a browser to an identity provider and comes back: sealed, in the `state` parameter, and bound to the
// browser by a cookie, so that nobody can have somebody else finish a sign-in that they began (RFC 6749 §10.12,
// RFC 9700 §4.4, §4.7). Pure and thread-safe.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "federation/state.pb.h"
#include "http/message.h"
#include "keys/pool_keys.h"

namespace symbolon::oauth {

inline constexpr std::chrono::minutes kStateLifetime{10};
inline constexpr std::string_view kBrowserCookie = "symbolon-idp";

// The browser's own secret, if it has one of this form.
std::optional<std::string> BrowserOf(const http::Request& request);
std::string NewBrowser(Random& random);
// As a header. One secret serves all sign-ins of a browser, so that two tabs do not get into each other's way.
std::string SetBrowserCookie(const std::string& browser, bool is_https);

std::string SealState(const keys::PoolKeys& keys, const std::string& browser, federation::pb::State state,
                      Random& random);

enum class StateError {
  kInvalid,
  kExpired,
  // It went out with another browser.
  kOtherBrowser,
};
Result<federation::pb::State, StateError> OpenState(const keys::PoolKeys& keys,
                                                    const std::optional<std::string>& browser, std::string_view text,
                                                    Timestamp now);

// Whether this is one of the client's CallbackURLs, to the letter.
bool IsCallback(const google::protobuf::RepeatedPtrField<std::string>& urls, std::string_view url);

}  // namespace symbolon::oauth
