// Encrypt, Decrypt and random octets. Reads one pointer under a lock and works on what it points to.
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

LocalKeyError NotOurs() { return Error(LocalKeyErrorCode::kInvalidCiphertext, "not a ciphertext of a key here"); }

}  // namespace

KeyResult<Bytes> LocalKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                   const EncryptionContext& context) {
  const Secret data_key(state_->random.Octets(kDataKeyBytes));
  return Encrypt(key_arn, context, data_key.view());
}

KeyResult<Bytes> LocalKeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                           BytesView plaintext) {
  SYMBOLON_CHECK(plaintext.size() <= kPlaintextBytesMax);
  SYMBOLON_TRY(const KeyPointer key, state_->FindUsable(key_arn));
  return key->current()->Encrypt(state_->random, context, plaintext);
}

KeyResult<Secret> LocalKeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                            BytesView ciphertext) {
  SYMBOLON_TRY(const KeyPointer key, state_->FindUsable(key_arn));
  const KeyMaterial* material = key->MaterialOf(ciphertext);
  if (material == nullptr) return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "not a ciphertext of this key"});
  return material->Decrypt(context, ciphertext);
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::CheckUsable(std::string_view key) {
  SYMBOLON_TRY(KeyPointer found, state_->FindCustomerKey(key));
  SYMBOLON_TRY_VOID(state_->CheckState(found->facts, {.updating = true}));
  return FactsOfKey(std::move(found));
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::KeyOfCiphertext(BytesView ciphertext) {
  const auto header = ParseCiphertextHeader(ciphertext);
  // An id only: what looks like an ARN is none of ours.
  if (!header || header->key_id.starts_with("arn:")) return Err(NotOurs());
  auto found = Facts(header->key_id);
  if (!found) return Err(NotOurs());
  return found;
}

LocalKeyResult<LocalKeyProvider::Encrypted> LocalKeyProvider::EncryptUnder(std::string_view key,
                                                                           const EncryptionContext& context,
                                                                           BytesView plaintext) {
  SYMBOLON_CHECK(plaintext.size() <= kPlaintextBytesMax);
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  SYMBOLON_TRY_VOID(state_->CheckState(found->facts, {.updating = true}));
  return Encrypted{.ciphertext = found->current()->Encrypt(state_->random, context, plaintext),
                   .key_arn = found->facts.arn,
                   .material_id = found->facts.current()->id};
}

LocalKeyResult<LocalKeyProvider::Decrypted> LocalKeyProvider::DecryptUnder(const std::optional<std::string>& key,
                                                                           const EncryptionContext& context,
                                                                           BytesView ciphertext) {
  SYMBOLON_TRY(const KeyFactsPointer made_by, KeyOfCiphertext(ciphertext));
  if (key) {
    SYMBOLON_TRY(const KeyPointer named, state_->FindCustomerKey(*key));
    if (named->facts.id != made_by->id) {
      return Err(Error(LocalKeyErrorCode::kIncorrectKey, "made by " + made_by->arn));
    }
  }
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(made_by->id));
  SYMBOLON_TRY_VOID(state_->CheckState(found->facts, {.updating = true}));
  const KeyMaterial* material = found->MaterialOf(ciphertext);
  if (material == nullptr) return Err(NotOurs());
  auto plaintext = material->Decrypt(context, ciphertext);
  if (!plaintext) return Err(Error(LocalKeyErrorCode::kInvalidCiphertext, plaintext.error().detail));
  return Decrypted{.plaintext = *std::move(plaintext),
                   .key_arn = found->facts.arn,
                   .material_id = found->facts.material(material->version())->id};
}

Secret LocalKeyProvider::GenerateRandom(std::size_t count) {
  SYMBOLON_CHECK(count >= 1 && count <= 1024);
  return Secret(state_->random.Octets(count));
}

}  // namespace symbolon::keys::local
