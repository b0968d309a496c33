#include "kms_api/grant_token.h"

#include "base/bytes.h"
#include "keys/arn.h"

namespace symbolon::kms_api {
namespace {

// In front of key ARN ‖ '\n' ‖ grant id; base64 of all.
constexpr std::string_view kDomain = "symbolon grant 1\n";

}  // namespace

std::string MakeGrantToken(const GrantName& grant) {
  return Base64Encode(std::string(kDomain) + grant.key_arn + "\n" + grant.grant_id);
}

std::optional<GrantName> ParseGrantToken(std::string_view token) {
  const auto text = Base64Decode(token);
  if (!text || !text->starts_with(kDomain)) return std::nullopt;
  const std::string_view rest = std::string_view(*text).substr(kDomain.size());
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos || !keys::ParseKeyArn(rest.substr(0, end))) return std::nullopt;
  const auto id = HexDecode(rest.substr(end + 1));
  if (!id || id->size() != 32) return std::nullopt;
  return GrantName{.key_arn = std::string(rest.substr(0, end)), .grant_id = std::string(rest.substr(end + 1))};
}

model::ApiResult<void> CheckGrantTokens(const std::optional<std::vector<std::string>>& tokens) {
  for (const std::string& token : tokens.value_or(std::vector<std::string>())) {
    if (ParseGrantToken(token)) continue;
    return model::Fail(model::ErrorCode::kInvalidGrantTokenException, "A grant token is not valid.");
  }
  return {};
}

}  // namespace symbolon::kms_api
