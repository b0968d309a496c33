#include "auth/token_signer.h"

#include "base/secret.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

using directory::pb::SigningKeyRecord;

// Retired keys are walked over; there are two for each change of algorithm.
constexpr std::size_t kKeysMax = 1'000;

// Of several the newest, should two Regions' histories ever leave more than one.
const SigningKeyRecord* Newer(const SigningKeyRecord* chosen, const SigningKeyRecord& record, bool signs) {
  if (!signs) return chosen;
  return chosen == nullptr || chosen->created_micros() < record.created_micros() ? &record : chosen;
}

std::optional<TokenSigner::NamedKey> Open(const SigningKeyRecord* record) {
  if (record == nullptr) return std::nullopt;
  auto key = crypto::SigningKey::FromPkcs8(record->private_key());
  if (!key) return std::nullopt;
  return TokenSigner::NamedKey{.kid = record->kid(), .key = *std::move(key)};
}

std::shared_ptr<const TokenSigner::Keys> OpenKeys(directory::Rows<directory::SigningKeyKind> keys) {
  const SigningKeyRecord* id = nullptr;
  const SigningKeyRecord* access = nullptr;
  for (const auto& row : keys.rows) {
    id = Newer(id, row.record, row.record.signs_id_tokens());
    access = Newer(access, row.record, row.record.signs_access_tokens());
  }
  auto id_key = Open(id), access_key = Open(access);
  for (auto& row : keys.rows) Wipe(row.record.mutable_private_key()->data(), row.record.private_key().size());
  if (!id_key || !access_key) return nullptr;
  return std::make_shared<const TokenSigner::Keys>(
      TokenSigner::Keys{.id_tokens = *std::move(id_key), .access_tokens = *std::move(access_key)});
}

}  // namespace

std::shared_ptr<const TokenSigner::Keys> TokenSigner::KeysOf(directory::Transaction& tx) {
  return tx.ShareAll<directory::SigningKeyKind>(kKeysMax, OpenKeys);
}

std::string TokenSigner::Sign(directory::Env& env, const NamedKey& key, const std::string& payload_json) {
  return env.Once<std::string>("jws:" + key.kid + ":" + payload_json, [&] {
    ++signature_count_;
    return crypto::SignJws(key.key, key.kid, payload_json);
  });
}

}  // namespace symbolon::auth
