#include "auth/token_signer.h"

#include "base/secret.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

// Retired keys are walked over; there are two for each change of algorithm.
constexpr std::size_t kKeysMax = 1'000;

bool Signs(const directory::pb::SigningKeyRecord& record, TokenUse use) {
  switch (use) {
    case TokenUse::kId:
      return record.signs_id_tokens();
    case TokenUse::kAccess:
      return record.signs_access_tokens();
  }
  return false;
}

}  // namespace

std::optional<std::string> TokenSigner::Sign(directory::Transaction& tx, directory::Env& env, TokenUse use,
                                             const std::string& payload_json) {
  const std::optional<NamedKey> named = KeyFor(tx, use);
  if (!named) return std::nullopt;
  return env.Once<std::string>("jws:" + named->kid + ":" + payload_json, [&] {
    ++signature_count_;
    return crypto::SignJws(named->key, named->kid, payload_json);
  });
}

std::optional<TokenSigner::NamedKey> TokenSigner::KeyFor(directory::Transaction& tx, TokenUse use) {
  auto rows = tx.Scan<directory::SigningKeyKind>("", std::nullopt, kKeysMax).rows;
  const directory::pb::SigningKeyRecord* chosen = nullptr;
  for (const auto& row : rows) {
    // Of several the newest, should two Regions' histories ever leave more than one.
    if (Signs(row.record, use) && (chosen == nullptr || chosen->created_micros() < row.record.created_micros())) {
      chosen = &row.record;
    }
  }
  std::optional<NamedKey> named;
  if (chosen != nullptr) {
    std::optional<crypto::SigningKey> key = keys_.Find(tx.pool(), chosen->kid());
    if (!key) {
      if (auto opened = crypto::SigningKey::FromPkcs8(chosen->private_key())) {
        key = *std::move(opened);
        keys_.Put(tx.pool(), chosen->kid(), *key);
      }
    }
    if (key) named.emplace(NamedKey{.kid = chosen->kid(), .key = *std::move(key)});
  }
  for (auto& row : rows) Wipe(row.record.mutable_private_key()->data(), row.record.private_key().size());
  return named;
}

}  // namespace symbolon::auth
