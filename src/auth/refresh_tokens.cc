#include "auth/tokens.h"

namespace symbolon::auth {
namespace {

// Looks like Cognito's header; the rest is in our own sealed form, cut where a JWE's parts would be.
constexpr std::string_view kHeader = R"({"cty":"JWT","enc":"A256GCM","alg":"dir"})";
constexpr std::size_t kParts = 4;
constexpr std::size_t kKeyPartBytes = 16;
constexpr std::size_t kNoncePartBytes = 12;
constexpr std::size_t kTagPartBytes = 16;
constexpr std::size_t kTextBytesMax = 8 * 1024;

const std::string& EncodedHeader() {
  static const std::string encoded = Base64UrlEncode(kHeader);
  return encoded;
}

}  // namespace

std::string SealRefreshToken(const Context& context, const std::string& client_id, const pb::RefreshToken& token) {
  const Bytes sealed = context.tx.keys().SealToken(keys::TokenPurpose::kRefreshToken, client_id,
                                                   token.SerializeAsString(), context.env.random());
  SYMBOLON_CHECK(sealed.size() > kKeyPartBytes + kNoncePartBytes + kTagPartBytes);
  const BytesView view = sealed;
  const std::size_t tag = view.size() - kTagPartBytes, text = kKeyPartBytes + kNoncePartBytes;
  return EncodedHeader() + '.' + Base64UrlEncode(view.substr(0, kKeyPartBytes)) + '.' +
         Base64UrlEncode(view.substr(kKeyPartBytes, kNoncePartBytes)) + '.' +
         Base64UrlEncode(view.substr(text, tag - text)) + '.' + Base64UrlEncode(view.substr(tag));
}

std::optional<pb::RefreshToken> OpenRefreshToken(const Context& context, const std::string& client_id,
                                                 std::string_view text) {
  const std::string& header = EncodedHeader();
  if (text.size() > kTextBytesMax || !text.starts_with(header) || text.size() == header.size() ||
      text[header.size()] != '.') {
    return std::nullopt;
  }
  text.remove_prefix(header.size() + 1);
  Bytes sealed;
  for (std::size_t part = 0; part < kParts; ++part) {
    // In the last part a further dot is refused by base64url.
    const std::size_t end = part + 1 < kParts ? text.find('.') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto octets = Base64UrlDecode(text.substr(0, end));
    if (!octets) return std::nullopt;
    sealed += *octets;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const auto opened = context.tx.keys().OpenToken(keys::TokenPurpose::kRefreshToken, client_id, sealed);
  pb::RefreshToken token;
  if (!opened || !token.ParseFromString(*opened)) return std::nullopt;
  return token;
}

Grant GrantOf(const pb::RefreshToken& token) {
  return {.family = token.family(),
          .authenticated_at = FromMicros(token.authenticated_micros()),
          .ends_at = FromMicros(token.ends_micros()),
          .token_generation = token.token_generation(),
          .sign_outs = SignOuts(token.sign_outs().begin(), token.sign_outs().end()),
          .scope = token.scope(),
          .device_key = token.device_key()};
}

}  // namespace symbolon::auth
