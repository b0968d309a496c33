#include "federation/jwks.h"

#include <boost/json.hpp>

namespace symbolon::federation {
namespace {

namespace json = boost::json;

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::string Canonical(const std::string& kid, const crypto::Jwk& jwk) {
  json::object members{{"kid", kid}};
  const std::pair<const char*, const std::string&> fields[] = {{"kty", jwk.kty}, {"n", jwk.n}, {"e", jwk.e},
                                                               {"crv", jwk.crv}, {"x", jwk.x}, {"y", jwk.y}};
  for (const auto& [name, value] : fields) {
    if (!value.empty()) members[name] = value;
  }
  return json::serialize(members);
}

std::optional<ProviderKey> ReadKey(const json::object& members) {
  const std::string kid = Text(members, "kid");
  const std::string use = Text(members, "use");
  if (kid.empty() || kid.size() > 256 || (!use.empty() && use != "sig")) return std::nullopt;
  auto key = crypto::VerifyingKey::FromJwk({.kty = Text(members, "kty"),
                                            .alg = Text(members, "alg"),
                                            .n = Text(members, "n"),
                                            .e = Text(members, "e"),
                                            .crv = Text(members, "crv"),
                                            .x = Text(members, "x"),
                                            .y = Text(members, "y")});
  if (!key) return std::nullopt;
  const crypto::Jwk jwk = key->ToJwk();
  return ProviderKey{.kid = kid, .key = *std::move(key), .jwk = Canonical(kid, jwk)};
}

}  // namespace

std::optional<std::vector<ProviderKey>> ParseJwks(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::value* keys = value.get_object().if_contains("keys");
  if (keys == nullptr || !keys->is_array()) return std::nullopt;
  std::vector<ProviderKey> parsed;
  std::size_t looked_at = 0;
  for (const json::value& entry : keys->get_array()) {
    if (++looked_at > kProviderKeysMax) break;
    if (!entry.is_object()) continue;
    if (auto key = ReadKey(entry.get_object())) parsed.push_back(*std::move(key));
  }
  return parsed;
}

std::optional<ProviderKey> ParseProviderKey(std::string_view jwk_json) {
  json::error_code error;
  const json::value value = json::parse(jwk_json, error);
  if (error || !value.is_object()) return std::nullopt;
  return ReadKey(value.get_object());
}

}  // namespace symbolon::federation
