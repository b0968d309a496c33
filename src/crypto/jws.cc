#include "crypto/jws.h"

#include <boost/json.hpp>
#include <optional>
#include <utility>

namespace symbolon::crypto {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 16;

// base64url of a JSON object.
std::optional<json::object> DecodeObject(std::string_view part) {
  const auto text = Base64UrlDecode(part);
  if (!text) return std::nullopt;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code error;
  json::value value = json::parse(*text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<SignatureAlgorithm> AlgorithmNamed(std::string_view name) {
  for (const auto algorithm : {SignatureAlgorithm::kRs256, SignatureAlgorithm::kEs256}) {
    if (name == Name(algorithm)) return algorithm;
  }
  return std::nullopt;
}

const json::string* FindString(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_string();
}

}  // namespace

std::string SignJws(const SigningKey& key, std::string_view key_id, std::string_view payload_json) {
  const std::string header = "{\"kid\":" + json::serialize(json::string_view(key_id)) + ",\"alg\":\"" +
                             std::string(Name(key.algorithm())) + "\"}";
  std::string token = Base64UrlEncode(header) + '.' + Base64UrlEncode(payload_json);
  const Bytes signature = key.Sign(token);
  token += '.';
  token += Base64UrlEncode(signature);
  return token;
}

JwsResult<UnverifiedJws> ParseJws(std::string_view token) {
  if (token.size() > kJwsBytesMax) return Err(JwsError::kTooLarge);
  const std::size_t header_end = token.find('.');
  if (header_end == std::string_view::npos) return Err(JwsError::kMalformed);
  const std::size_t payload_end = token.find('.', header_end + 1);
  if (payload_end == std::string_view::npos) return Err(JwsError::kMalformed);

  // A third dot would stand in the signature, where base64url refuses it.
  const auto header = DecodeObject(token.substr(0, header_end));
  auto claims = DecodeObject(token.substr(header_end + 1, payload_end - header_end - 1));
  auto signature = Base64UrlDecode(token.substr(payload_end + 1));
  if (!header || !claims || !signature) return Err(JwsError::kMalformed);

  // RFC 7515 §4.1.11: extensions that are critical and unknown make a token invalid; we know none.
  if (header->contains("crit")) return Err(JwsError::kMalformed);
  const json::string* algorithm_name = FindString(*header, "alg");
  if (algorithm_name == nullptr) return Err(JwsError::kMalformed);
  const auto algorithm = AlgorithmNamed(*algorithm_name);
  if (!algorithm) return Err(JwsError::kAlgorithmRefused);
  const json::string* key_id = FindString(*header, "kid");
  if (key_id == nullptr) return Err(JwsError::kMalformed);

  UnverifiedJws jws;
  jws.key_id_ = std::string(*key_id);
  jws.algorithm_ = *algorithm;
  jws.claims_ = *std::move(claims);
  jws.signing_input_ = std::string(token.substr(0, payload_end));
  jws.signature_ = *std::move(signature);
  return jws;
}

JwsResult<json::object> UnverifiedJws::Verify(std::string_view key_id, const VerifyingKey& key) && {
  if (key_id_ != key_id) return Err(JwsError::kWrongKey);
  if (algorithm_ != key.algorithm()) return Err(JwsError::kAlgorithmRefused);
  if (!key.Verify(signing_input_, signature_)) return Err(JwsError::kBadSignature);
  return std::move(claims_);
}

}  // namespace symbolon::crypto
