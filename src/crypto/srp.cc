#include "crypto/srp.h"

#include "crypto/hash.h"
#include "crypto/srp_group.h"

namespace symbolon::crypto {
namespace {

using internal::NumberFromOctets;
using internal::NumberToOctets;
using internal::OwnedNumber;
using internal::SrpGroup;

static_assert(kSrpVerifierBytes == internal::kSrpNumberBytes);

constexpr std::string_view kDerivedKeyInfo = "Caldera Derived Key";

BytesView WithoutLeadingZeros(BytesView number) {
  const std::size_t first = number.find_first_not_of('\0');
  return first == BytesView::npos ? BytesView() : number.substr(first);
}

// As Java's BigInteger writes a number that is not negative.
Secret Pad(BytesView number) {
  const BytesView digits = WithoutLeadingZeros(number);
  const bool zero_in_front = digits.empty() || (static_cast<unsigned char>(digits[0]) & 0x80) != 0;
  Bytes padded;
  padded.reserve(digits.size() + 1);
  if (zero_in_front) padded += '\0';
  padded += digits;
  return Secret(std::move(padded));
}

Secret PrivateKeyOf(const SrpIdentity& identity, BytesView password, BytesView salt) {
  const Secret inner(Sha256({identity.pool_name, identity.user_id, ":", password}));
  return Secret(Sha256({Pad(salt).view(), inner.view()}));
}

// k, the multiplier that keeps a false server from testing two passwords at once.
const BIGNUM* Multiplier() {
  static const OwnedNumber k =
      NumberFromOctets(Sha256({Pad(NumberToOctets(SrpGroup::Instance().modulus()).view()).view(), "\x02"}));
  return k.get();
}

}  // namespace

Bytes NewSrpSalt(Random& random) {
  Bytes salt = random.Octets(kSrpSaltBytes);
  salt[0] |= 0x40;
  return salt;
}

Secret ComputeSrpVerifier(const SrpIdentity& identity, BytesView password, BytesView salt) {
  const Secret x = PrivateKeyOf(identity, password, salt);
  return NumberToOctets(SrpGroup::Instance().PowerOfTwo(x.view()).get());
}

bool SrpPasswordMatches(const SrpIdentity& identity, BytesView password, BytesView salt, BytesView verifier) {
  return EqualSecrets(ComputeSrpVerifier(identity, password, salt).view(), verifier);
}

std::string CanonicalHex(BytesView number) {
  std::string text = HexEncode(WithoutLeadingZeros(number));
  if (text.empty()) return "0";
  if (text[0] == '0') text.erase(0, 1);
  return text;
}

std::optional<SrpClientPublicKey> SrpClientPublicKey::FromHex(std::string_view text) {
  // Some clients write a zero octet in front.
  constexpr std::size_t kDigitsMax = 2 * (kSrpVerifierBytes + 1);
  if (text.empty() || text.size() > kDigitsMax) return std::nullopt;
  const auto octets = text.size() % 2 == 0 ? HexDecode(text) : HexDecode('0' + std::string(text));
  return octets ? FromOctets(*octets) : std::nullopt;
}

std::optional<SrpClientPublicKey> SrpClientPublicKey::FromOctets(BytesView octets) {
  const BytesView digits = WithoutLeadingZeros(octets);
  if (digits.empty() || digits.size() > kSrpVerifierBytes) return std::nullopt;
  if (BN_cmp(NumberFromOctets(digits).get(), SrpGroup::Instance().modulus()) >= 0) return std::nullopt;
  return SrpClientPublicKey(Bytes(digits));
}

SrpEphemeral SrpEphemeral::Generate(Random& random) {
  return FromSecret(Secret(random.Octets(internal::kSrpExponentBytes)));
}

SrpEphemeral SrpEphemeral::FromSecret(Secret b) {
  const OwnedNumber power = SrpGroup::Instance().PowerOfTwo(b.view());
  Bytes octets(NumberToOctets(power.get()).view());
  return SrpEphemeral(std::move(b), std::move(octets));
}

Bytes SrpServerPublicKey(const SrpEphemeral& ephemeral, BytesView verifier) {
  const SrpGroup& group = SrpGroup::Instance();
  const OwnedNumber kv = group.Multiply(Multiplier(), NumberFromOctets(verifier).get());
  const OwnedNumber b = group.Add(kv.get(), NumberFromOctets(ephemeral.power()).get());
  return Bytes(WithoutLeadingZeros(NumberToOctets(b.get()).view()));
}

Secret SrpSessionKey(const SrpClientPublicKey& client_public_key, BytesView server_public_key, BytesView b,
                     BytesView verifier) {
  const SrpGroup& group = SrpGroup::Instance();
  const Bytes u = Sha256({Pad(client_public_key.octets()).view(), Pad(server_public_key).view()});
  const OwnedNumber v_to_u = group.Power(NumberFromOctets(verifier).get(), u);
  const OwnedNumber base = group.Multiply(NumberFromOctets(client_public_key.octets()).get(), v_to_u.get());
  const OwnedNumber s = group.Power(base.get(), b);
  return HkdfSha256(Pad(u).view(), Pad(NumberToOctets(s.get()).view()).view(), kDerivedKeyInfo, kSrpSessionKeyBytes);
}

Bytes SrpClaimSignature(BytesView session_key, const SrpIdentity& identity, BytesView secret_block,
                        std::string_view timestamp) {
  return HmacSha256(session_key, {identity.pool_name, identity.user_id, secret_block, timestamp});
}

}  // namespace symbolon::crypto
