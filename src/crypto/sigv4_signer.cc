#include "crypto/sigv4_signer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "crypto/hash.h"

namespace symbolon::crypto {
namespace {

constexpr std::string_view kSignedHeaders = "content-type;host;x-amz-date;x-amz-target";
constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::size_t kDateBytes = 8;

}  // namespace

std::string SigV4DateTime(Timestamp now) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", std::chrono::floor<std::chrono::seconds>(now));
}

std::string SigV4Authorization(const SigV4Request& request, const SigV4Scope& scope, std::string_view access_key_id,
                               const Secret& secret_access_key, std::string_view date_time) {
  const std::string canonical =
      fmt::format("POST\n/\n\ncontent-type:{}\nhost:{}\nx-amz-date:{}\nx-amz-target:{}\n\n{}\n{}", request.content_type,
                  request.host, date_time, request.target, kSignedHeaders, HexEncode(Sha256(request.body)));
  const std::string_view date = date_time.substr(0, kDateBytes);
  const std::string scope_text = fmt::format("{}/{}/{}/{}", date, scope.region, scope.service, kTerminator);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date_time, scope_text, HexEncode(Sha256(canonical)));
  Secret key("AWS4" + Bytes(secret_access_key.view()));
  for (const std::string_view part : {date, scope.region, scope.service, kTerminator, std::string_view(to_sign)}) {
    key = Secret(HmacSha256(key.view(), part));
  }
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, access_key_id, scope_text,
                     kSignedHeaders, HexEncode(key.view()));
}

}  // namespace symbolon::crypto
