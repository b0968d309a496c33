#include "cognito/signing_keys.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/result.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;

// A pool changes its algorithm a few times in its life at the most.
constexpr std::size_t kKeysMax = 1000;

std::string JwkText(const crypto::Jwk& jwk, const std::string& kid) {
  boost::json::object members;
  members["alg"] = jwk.alg;
  if (jwk.kty == "RSA") {
    members["e"] = jwk.e;
    members["kid"] = kid;
    members["kty"] = jwk.kty;
    members["n"] = jwk.n;
  } else {
    members["crv"] = jwk.crv;
    members["kid"] = kid;
    members["kty"] = jwk.kty;
    members["x"] = jwk.x;
    members["y"] = jwk.y;
  }
  members["use"] = "sig";
  return boost::json::serialize(members);
}

}  // namespace

void PublishSigningKeys(directory::Transaction& tx, pb::PublicRecord& published,
                        const std::vector<crypto::SigningKey>& keys, Timestamp now) {
  SYMBOLON_CHECK(keys.size() == 2);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    pb::SigningKeyRecord record;
    record.set_kid(Base64Encode(tx.random().Octets(32)));
    const Secret pkcs8 = keys[i].ToPkcs8();
    record.set_private_key(Bytes(pkcs8.view()));
    record.set_algorithm(keys[i].algorithm() == crypto::SignatureAlgorithm::kEs256 ? pb::ES256 : pb::RS256);
    record.set_created_micros(ToMicros(now));
    record.set_signs_id_tokens(i == 0);
    record.set_signs_access_tokens(i == 1);
    published.add_jwks(JwkText(keys[i].PublicKey().ToJwk(), record.kid()));
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
  }
}

}  // namespace symbolon::cognito
