#include "oauth/idp_state.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/hash.h"

namespace symbolon::oauth {
namespace {

constexpr std::size_t kBrowserCharacters = 43;
constexpr std::string_view kBrowserAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kStateBytesMax = 12 * 1024;

bool IsBrowser(std::string_view text) {
  return text.size() == kBrowserCharacters &&
         std::ranges::all_of(text, [](char c) { return kBrowserAlphabet.find(c) != std::string_view::npos; });
}

}  // namespace

std::optional<std::string> BrowserOf(const http::Request& request) {
  for (const auto& [name, value] : request.headers) {
    if (!http::EqualIgnoringCase(name, "Cookie")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != kBrowserCookie) continue;
      if (IsBrowser(pair.substr(equals + 1))) return std::string(pair.substr(equals + 1));
    }
  }
  return std::nullopt;
}

std::string NewBrowser(Random& random) { return RandomText(random, kBrowserCharacters, kBrowserAlphabet); }

std::string SetBrowserCookie(const std::string& browser, bool is_https) {
  // Lax: the provider sends the browser back by a link from its own site.
  return std::string(kBrowserCookie) + "=" + browser + "; Path=/; HttpOnly; SameSite=Lax" +
         (is_https ? "; Secure" : "");
}

std::string SealState(const keys::PoolKeys& keys, const std::string& browser, federation::pb::State state,
                      Random& random) {
  state.set_browser(crypto::Sha256(browser));
  return Base64UrlEncode(keys.SealToken(keys::TokenPurpose::kFederationState, "", state.SerializeAsString(), random));
}

Result<federation::pb::State, StateError> OpenState(const keys::PoolKeys& keys,
                                                    const std::optional<std::string>& browser, std::string_view text,
                                                    Timestamp now) {
  const auto sealed = text.size() <= kStateBytesMax ? Base64UrlDecode(text) : std::nullopt;
  if (!sealed) return Err(StateError::kInvalid);
  const auto opened = keys.OpenToken(keys::TokenPurpose::kFederationState, "", *sealed);
  federation::pb::State state;
  if (!opened || !state.ParseFromString(*opened)) return Err(StateError::kInvalid);
  if (FromMicros(state.expires_micros()) <= now) return Err(StateError::kExpired);
  if (!browser || !crypto::EqualSecrets(crypto::Sha256(*browser), state.browser()))
    return Err(StateError::kOtherBrowser);
  return state;
}

bool IsCallback(const google::protobuf::RepeatedPtrField<std::string>& urls, std::string_view url) {
  return !url.empty() && std::ranges::find(urls, url) != urls.end();
}

}  // namespace symbolon::oauth
