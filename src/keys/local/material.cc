#include "keys/local/material.h"

namespace symbolon::keys::local {
namespace {

constexpr char kFormat = 1;
constexpr std::string_view kDomain = "symbolon kms 1";

void AppendSized(Bytes& out, BytesView part) {
  AppendBigEndian32(out, static_cast<std::uint32_t>(part.size()));
  out += part;
}

Bytes HeaderOf(std::string_view key_id, std::uint32_t version) {
  SYMBOLON_CHECK(key_id.size() <= 255);
  Bytes header{kFormat, static_cast<char>(key_id.size())};
  header += key_id;
  AppendBigEndian32(header, version);
  return header;
}

Bytes AdditionalData(BytesView header, const EncryptionContext& context) {
  Bytes data(kDomain);
  data += header;
  AppendBigEndian32(data, static_cast<std::uint32_t>(context.size()));
  for (const auto& [name, value] : context) {
    AppendSized(data, name);
    AppendSized(data, value);
  }
  return data;
}

}  // namespace

KeyMaterial::KeyMaterial(std::string key_id, std::uint32_t version, Secret octets)
    : header_(HeaderOf(key_id, version)), version_(version), octets_(std::move(octets)), key_(octets_.view()) {}

Bytes KeyMaterial::Encrypt(Random& random, const EncryptionContext& context, BytesView plaintext) const {
  Bytes ciphertext = header_;
  key_.AppendSealed(ciphertext, random, AdditionalData(header_, context), plaintext);
  return ciphertext;
}

KeyResult<Secret> KeyMaterial::Decrypt(const EncryptionContext& context, BytesView ciphertext) const {
  if (!ciphertext.starts_with(header_)) {
    return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "not a ciphertext of this key"});
  }
  auto plaintext = key_.Open(AdditionalData(header_, context), ciphertext.substr(header_.size()));
  if (!plaintext) {
    return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "altered, or with another encryption context"});
  }
  return *std::move(plaintext);
}

std::optional<CiphertextHeader> ParseCiphertextHeader(BytesView ciphertext) {
  if (ciphertext.size() < 2 || ciphertext[0] != kFormat) return std::nullopt;
  const std::size_t id_size = static_cast<unsigned char>(ciphertext[1]);
  if (ciphertext.size() < 2 + id_size + 4) return std::nullopt;
  return CiphertextHeader{.key_id = ciphertext.substr(2, id_size),
                          .version = ReadBigEndian32(ciphertext.substr(2 + id_size, 4))};
}

}  // namespace symbolon::keys::local
