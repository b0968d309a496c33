#include "auth/signing_keys.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "base/secret.h"

namespace symbolon::auth {
namespace {

namespace pb = directory::pb;

constexpr std::size_t kKidBytes = 32;
// A pool changes its keys a few times in its life at the most.
constexpr std::size_t kKeysMax = 1'000;

std::string JwkJson(const crypto::Jwk& jwk, const std::string& kid) {
  boost::json::object members;
  members["alg"] = jwk.alg;
  if (jwk.kty == "RSA") {
    members["e"] = jwk.e;
  } else {
    members["crv"] = jwk.crv;
  }
  members["kid"] = kid;
  members["kty"] = jwk.kty;
  if (jwk.kty == "RSA") {
    members["n"] = jwk.n;
  } else {
    members["x"] = jwk.x;
    members["y"] = jwk.y;
  }
  members["use"] = "sig";
  return boost::json::serialize(members);
}

}  // namespace

void PublishSigningKeys(directory::Transaction& tx, pb::PublicRecord& published,
                        std::span<const crypto::SigningKey> keys, Timestamp now) {
  SYMBOLON_CHECK(keys.size() == 2 && keys[0].algorithm() == keys[1].algorithm());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    pb::SigningKeyRecord record;
    record.set_kid(Base64Encode(tx.random().Octets(kKidBytes)));
    record.set_private_key(Bytes(keys[i].ToPkcs8().view()));
    record.set_algorithm(keys[i].algorithm() == crypto::SignatureAlgorithm::kEs256 ? pb::ES256 : pb::RS256);
    record.set_created_micros(ToMicros(now));
    record.set_signs_id_tokens(i == 0);
    record.set_signs_access_tokens(i == 1);
    published.add_jwks(JwkJson(keys[i].PublicKey().ToJwk(), record.kid()));
    tx.Put<directory::SigningKeyKind>(record.kid(), record);
    Wipe(record.mutable_private_key()->data(), record.private_key().size());
  }
}

void RetireSigningKeys(directory::Transaction& tx) {
  for (auto& row : tx.Scan<directory::SigningKeyKind>("", std::nullopt, kKeysMax).rows) {
    if (!row.record.signs_id_tokens() && !row.record.signs_access_tokens()) continue;
    row.record.set_signs_id_tokens(false);
    row.record.set_signs_access_tokens(false);
    tx.Put<directory::SigningKeyKind>(row.id, row.record);
    Wipe(row.record.mutable_private_key()->data(), row.record.private_key().size());
  }
}

std::string JwksJson(const pb::PublicRecord& published) {
  std::string text = "{\"keys\":[";
  for (int i = 0; i < published.jwks_size(); ++i) {
    if (i > 0) text += ',';
    text += published.jwks(i);
  }
  return text + "]}";
}

}  // namespace symbolon::auth
