#include "cognito/page_token.h"

namespace symbolon::cognito {

std::string SealPageToken(Call& call, std::string_view listing, BytesView after) {
  return Base64UrlEncode(
      call.tx().keys().SealToken(keys::TokenPurpose::kPageToken, listing, after, call.tx().random()));
}

model::ApiResult<std::optional<Bytes>> OpenPageToken(Call& call, std::string_view listing,
                                                     const std::optional<std::string>& token) {
  if (!token) return std::optional<Bytes>();
  if (const auto sealed = Base64UrlDecode(*token)) {
    if (auto after = call.tx().keys().OpenToken(keys::TokenPurpose::kPageToken, listing, *sealed))
      return std::optional(*std::move(after));
  }
  return model::Fail(model::ErrorCode::kInvalidParameterException, "Invalid pagination token.");
}

}  // namespace symbolon::cognito
