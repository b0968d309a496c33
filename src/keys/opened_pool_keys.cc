#include "keys/opened_pool_keys.h"

namespace symbolon::keys::internal {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kRegionLengthOffset = 1 + kGenerationBytes;
constexpr std::string_view kRecordDomain = "symbolon record 1";
constexpr std::string_view kTokenDomain = "symbolon token 1";
constexpr std::string_view kTokenKeyDomain = "symbolon token key 1";
// From 1, without gaps.
constexpr std::uint8_t kPurposes = static_cast<std::uint8_t>(TokenPurpose::kFederationState);

void AppendSized(Bytes& out, BytesView part) {
  SYMBOLON_CHECK(part.size() <= 0xffff);
  AppendBigEndian16(out, static_cast<std::uint16_t>(part.size()));
  out += part;
}

Bytes RecordHeader(BytesView generation, const Region& region) {
  SYMBOLON_CHECK(generation.size() == kGenerationBytes && region.value().size() <= 255);
  Bytes header(1, kFormat);
  header += generation;
  header += static_cast<char>(region.value().size());
  header += region.value();
  return header;
}

Bytes RecordData(BytesView header, const PoolId& pool, const storage::Key& key) {
  Bytes data;
  data.reserve(kRecordDomain.size() + header.size() + pool.value().size() + key.id.size() + 7);
  data += kRecordDomain;
  data += header;
  data += static_cast<char>(key.space);
  AppendSized(data, pool.value());
  AppendBigEndian16(data, key.type);
  AppendSized(data, key.id);
  return data;
}

Bytes Labelled(std::string_view label) {
  Bytes prefix;
  AppendBigEndian32(prefix, static_cast<std::uint32_t>(label.size()));
  prefix += label;
  return prefix;
}

tl::unexpected<OpenError> Invalid(const char* detail) { return Err(OpenError{OpenErrorCode::kInvalid, detail}); }

}  // namespace

OpenedPoolKeys::OpenedPoolKeys(PoolId pool, const Region& here, const Material& material)
    : pool_(std::move(pool)),
      sealing_header_(RecordHeader(material.sealing_generation, here)),
      index_key_(material.index_key.view()),
      identity_key_(material.identity_key.view()) {
  for (const auto& [generation, key] : material.data_keys) data_keys_.emplace(generation, crypto::XaesKey(key.view()));
  SYMBOLON_CHECK(data_keys_.contains(material.sealing_generation));
  for (std::uint8_t purpose = 1; purpose <= kPurposes; ++purpose) {
    const Bytes info = Bytes(kTokenKeyDomain) + static_cast<char>(purpose);
    token_keys_.emplace_back(crypto::HkdfSha256({}, material.token_key.view(), info, crypto::kXaesKeyBytes).view());
  }
}

Bytes OpenedPoolKeys::Seal(const storage::Key& key, BytesView plaintext, Random& random) const {
  SYMBOLON_CHECK(key.pool == pool_);
  Bytes sealed;
  sealed.reserve(sealing_header_.size() + plaintext.size() + crypto::kXaesOverheadBytes);
  sealed += sealing_header_;
  const auto& data_key = data_keys_.find(sealing_generation())->second;
  data_key.AppendSealed(sealed, random, RecordData(sealing_header_, pool_, key), plaintext);
  return sealed;
}

OpenResult<Bytes> OpenedPoolKeys::Open(const storage::Key& key, BytesView sealed) const {
  SYMBOLON_CHECK(key.pool == pool_);
  if (sealed.size() <= kRegionLengthOffset) return Invalid("too short for a sealed record");
  if (sealed[0] != kFormat) return Invalid("a sealed record of a format that this version does not know");
  const std::size_t header_bytes = kRegionLengthOffset + 1 + static_cast<unsigned char>(sealed[kRegionLengthOffset]);
  if (sealed.size() < header_bytes) return Invalid("too short for a sealed record");
  const BytesView header = sealed.substr(0, header_bytes);
  const BytesView generation = sealed.substr(1, kGenerationBytes);
  const auto data_key = data_keys_.find(generation);
  if (data_key == data_keys_.end()) {
    return Err(OpenError{OpenErrorCode::kUnknownGeneration, "no data key of generation " + HexEncode(generation)});
  }
  const auto plaintext = data_key->second.Open(RecordData(header, pool_, key), sealed.substr(header_bytes));
  if (!plaintext) return Invalid("altered, or sealed for another place");
  return Bytes(plaintext->view());
}

const crypto::XaesKey& OpenedPoolKeys::TokenKey(TokenPurpose purpose) const {
  const auto number = static_cast<std::uint8_t>(purpose);
  SYMBOLON_CHECK(number >= 1 && number <= kPurposes);
  return token_keys_[number - 1];
}

Bytes OpenedPoolKeys::TokenData(TokenPurpose purpose, std::string_view audience) const {
  Bytes data(kTokenDomain);
  data += kFormat;
  data += static_cast<char>(purpose);
  AppendSized(data, pool_.value());
  AppendSized(data, audience);
  return data;
}

Bytes OpenedPoolKeys::SealToken(TokenPurpose purpose, std::string_view audience, BytesView plaintext,
                                Random& random) const {
  Bytes sealed(1, kFormat);
  TokenKey(purpose).AppendSealed(sealed, random, TokenData(purpose, audience), plaintext);
  return sealed;
}

OpenResult<Bytes> OpenedPoolKeys::OpenToken(TokenPurpose purpose, std::string_view audience, BytesView sealed) const {
  // The audience comes from outside; what could not be sealed for cannot open either.
  if (audience.size() > 0xffff) return Invalid("sealed for another audience");
  if (sealed.empty() || sealed[0] != kFormat) return Invalid("no sealed token of a known format");
  const auto plaintext = TokenKey(purpose).Open(TokenData(purpose, audience), sealed.substr(1));
  if (!plaintext) return Invalid("altered, or sealed for another pool, purpose or audience");
  return Bytes(plaintext->view());
}

Bytes OpenedPoolKeys::BlindIndex(std::string_view label, BytesView value) const {
  return index_key_.Sha256({Labelled(label), value});
}

Bytes OpenedPoolKeys::Derive(std::string_view label, BytesView value) const {
  return identity_key_.Sha256({Labelled(label), value});
}

}  // namespace symbolon::keys::internal

namespace symbolon::keys {

std::optional<BytesView> GenerationOf(BytesView sealed) {
  if (sealed.size() <= internal::kRegionLengthOffset || sealed[0] != internal::kFormat) return std::nullopt;
  return sealed.substr(1, internal::kGenerationBytes);
}

}  // namespace symbolon::keys
