// Material that customers bring. A token names one of the key pairs that were made for the key; both are good for a
// day.
#include <algorithm>

#include "crypto/hash.h"
#include "crypto/rsa_unwrapping.h"
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

using Code = LocalKeyErrorCode;

// A token is: format (1 octet: 1) ‖ id (16) ‖ expiry, microseconds since 1970 (8, big-endian).
constexpr char kTokenFormat = 1;
constexpr std::size_t kTokenIdBytes = 16;
constexpr std::size_t kTokenBytes = 1 + kTokenIdBytes + 8;
// The oldest goes when there are more.
constexpr std::size_t kImportKeysMax = 16;

struct Token {
  Bytes id;
  Timestamp expires;
};

Bytes Format(const Token& token) {
  Bytes octets(1, kTokenFormat);
  octets += token.id;
  AppendBigEndian64(octets, static_cast<std::uint64_t>(ToMicros(token.expires)));
  return octets;
}

std::optional<Token> ParseToken(BytesView octets) {
  if (octets.size() != kTokenBytes || octets[0] != kTokenFormat) return std::nullopt;
  return Token{.id = Bytes(octets.substr(1, kTokenIdBytes)),
               .expires = FromMicros(static_cast<std::int64_t>(ReadBigEndian64(octets.substr(1 + kTokenIdBytes))))};
}

LocalKeyResult<void> CheckImports(const KeyFacts& facts) {
  if (facts.origin == KeyOrigin::kExternal) return {};
  return Err(Error(Code::kWrongOrigin, facts.arn + " has material of its own"));
}

LocalKeyResult<Secret> Unwrap(const ImportKey& wrapping, BytesView wrapped) {
  const auto key = crypto::RsaUnwrappingKey::FromPkcs8(wrapping.private_key->view());
  if (!key) return Err(Error(Code::kUnavailable, "the private key of an import token cannot be read"));
  auto material = wrapping.algorithm == ImportAlgorithm::kRsaesOaepSha256 ? key->UnwrapOaep(wrapped)
                                                                          : key->UnwrapOaepAesKeyWrap(wrapped);
  if (!material || material->size() != KeyProvider::kDataKeyBytes) {
    return Err(Error(Code::kInvalidCiphertext, "the wrapped material does not open, or is not of 32 octets"));
  }
  return *std::move(material);
}

// Where material with this id belongs: a version that the key has, or the next one. Errors: kIncorrectMaterial, …
LocalKeyResult<std::uint32_t> VersionFor(const KeyFacts& facts, const std::string& id, bool is_new,
                                         const Region& here) {
  const auto known = std::ranges::find(facts.materials, id, &MaterialFacts::id);
  if (known != facts.materials.end()) {
    if (is_new && facts.materials.size() > 1) return Err(Error(Code::kIncorrectMaterial, "that material is not new"));
    return known->version;
  }
  if (facts.materials.empty()) {
    if (!facts.is_replica_in(here)) return 1;
    return Err(Error(Code::kUnsupported, "the primary has to have material first"));
  }
  if (!is_new) return Err(Error(Code::kIncorrectMaterial, "the key had other material"));
  if (facts.multi_region) {
    return Err(Error(facts.is_primary_in(here) ? Code::kWrongOrigin : Code::kUnsupported,
                     "a multi-Region key with imported material is not rotated"));
  }
  if (facts.materials.back().version > facts.current_version) {
    return Err(Error(Code::kRotating, "new material waits for its rotation already"));
  }
  return facts.materials.back().version + 1;
}

}  // namespace

LocalKeyResult<LocalKeyProvider::ImportParameters> LocalKeyProvider::ParametersForImport(std::string_view key,
                                                                                         ImportAlgorithm algorithm,
                                                                                         int bits) {
  const auto check = [&](const KeyFacts& facts) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(CheckImports(facts));
    return state_->CheckState(facts, {.disabled = true, .pending_import = true});
  };
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  SYMBOLON_TRY_VOID(check(found->facts));
  const auto pair = crypto::RsaUnwrappingKey::Generate(bits);  // Takes its time: before the change.
  const auto private_key = std::make_shared<const Secret>(pair.ToPkcs8());
  const Token token{.id = state_->random.Octets(kTokenIdBytes), .expires = state_->now() + kImportParametersLife};
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(check(changed.facts));
    auto& kept = changed.import_keys;
    if (kept.size() >= kImportKeysMax) kept.erase(kept.begin());
    kept.push_back(
        {.token_id = token.id, .algorithm = algorithm, .expires = token.expires, .private_key = private_key});
    return {};
  }));
  return ImportParameters{.token = Format(token), .public_key = pair.PublicKeyDer(), .valid_to = token.expires};
}

LocalKeyResult<MaterialFacts> LocalKeyProvider::ImportMaterial(std::string_view key, const ImportedMaterial& imported) {
  const Timestamp now = state_->now();
  const auto token = ParseToken(imported.token);
  if (!token) return Err(Error(Code::kInvalidImportToken, "no import token"));
  if (token->expires <= now) return Err(Error(Code::kExpiredImportToken, "the import token has expired"));
  if (imported.valid_to && (*imported.valid_to <= now || *imported.valid_to > now + kImportedMaterialLifeMax)) {
    return Err(Error(Code::kInvalidExpiry, "not in the future, or too far in it"));
  }
  std::string id;
  SYMBOLON_TRY(const KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 KeyFacts& facts = edited.facts;
                 SYMBOLON_TRY_VOID(CheckImports(facts));
                 SYMBOLON_TRY_VOID(state_->CheckState(facts, {.disabled = true, .pending_import = true}));
                 const auto wrapping = std::ranges::find(edited.import_keys, token->id, &ImportKey::token_id);
                 if (wrapping == edited.import_keys.end())
                   return Err(Error(Code::kInvalidImportToken, "not a token of this key"));
                 if (wrapping->expires <= now)
                   return Err(Error(Code::kExpiredImportToken, "the import token has expired"));
                 SYMBOLON_TRY(Secret material, Unwrap(*wrapping, imported.wrapped));
                 id = MaterialId(facts.id, material.view());
                 if (imported.material_id && *imported.material_id != id) {
                   return Err(Error(Code::kIncorrectMaterial, "not the material that was named"));
                 }
                 SYMBOLON_TRY(const std::uint32_t version, VersionFor(facts, id, imported.is_new, state_->region));
                 if (facts.material(version) == nullptr) {
                   edited.AddMaterial(version, std::move(material));
                   // A replica that has it learns its id from the primary; the first material is current at once.
                   if (facts.current_version == 0) facts.current_version = version;
                   ++facts.sequence;
                 } else {
                   edited.materials.insert_or_assign(
                       version, std::make_shared<KeyMaterial>(facts.id, version, std::move(material)));
                 }
                 MaterialFacts& own = edited.FactsOf(version);
                 own.present = true;
                 own.valid_to = imported.valid_to;
                 if (imported.description) own.description = *imported.description;
                 return {};
               }));
  return *std::ranges::find(changed->facts.materials, id, &MaterialFacts::id);
}

LocalKeyResult<std::string> LocalKeyProvider::DeleteImportedMaterial(std::string_view key,
                                                                     const std::optional<std::string>& material_id) {
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  SYMBOLON_TRY_VOID(CheckImports(found->facts));
  std::string id;
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& edited) -> LocalKeyResult<void> {
    KeyFacts& facts = edited.facts;
    SYMBOLON_TRY_VOID(state_->CheckState(facts, {.disabled = true, .pending_import = true}));
    if (!material_id && facts.current_version == 0) return {};
    const auto named = material_id ? std::ranges::find(facts.materials, *material_id, &MaterialFacts::id)
                                   : std::ranges::find(facts.materials, facts.current_version, &MaterialFacts::version);
    if (named == facts.materials.end()) return Err(Error(Code::kNoSuchMaterial, "the key has no such material"));
    id = named->id;
    if (named->present) edited.DropMaterial(named->version);
    return {};
  }));
  return id;
}

}  // namespace symbolon::keys::local
