// The server's side of SRP-6a as Cognito speaks it (USER_SRP_AUTH; RFC 5054's 3072-bit group, SHA-256, and a key
// derivation of its own). What the client does is the mirror image. All functions are thread-safe, and those that meet
// secrets take the same time whatever the secrets are.
//
//   pad(n) = n's octets, big-endian, without leading zeros, one zero in front if the first bit is set
//   x = SHA256(pad(salt) ‖ SHA256(pool name ‖ user ‖ ":" ‖ password)),   v = 2^x,   k = SHA256(pad(N) ‖ pad(2))
//   B = k·v + 2^b,   u = SHA256(pad(A) ‖ pad(B)),   S = (A · v^u)^b
//   K = the first 16 octets of HKDF-SHA256(salt = pad(u), key = pad(S), info = "Caldera Derived Key")
//   signature = HMAC-SHA256(K, pool name ‖ user ‖ secret block ‖ timestamp)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"

namespace symbolon::crypto {

inline constexpr std::size_t kSrpSaltBytes = 16;
inline constexpr std::size_t kSrpVerifierBytes = 384;
inline constexpr std::size_t kSrpSessionKeyBytes = 16;

// Who a password belongs to. A verifier made for one identity is worthless for another.
struct SrpIdentity {
  // What follows the '_' in the pool's id; for a device, its group key.
  std::string_view pool_name;
  // USER_ID_FOR_SRP, which never changes for a user; for a device, its key.
  std::string_view user_id;
};

// kSrpSaltBytes octets, the first of which is not zero, so that clients that drop leading zeros agree with those that
// do not.
Bytes NewSrpSalt(Random& random);

// v, kSrpVerifierBytes octets, big-endian: the form in which a password is stored. About 0.15 ms.
Secret ComputeSrpVerifier(const SrpIdentity& identity, BytesView password, BytesView salt);

// Whether `verifier` was computed from this password.
bool SrpPasswordMatches(const SrpIdentity& identity, BytesView password, BytesView salt, BytesView verifier);

// Lower-case hexadecimal of a big-endian number without leading zeros: how SALT and SRP_B stand in a challenge.
std::string CanonicalHex(BytesView number);

// The client's A.
class SrpClientPublicKey {
 public:
  // From SRP_A, hexadecimal in either case, odd lengths included. nullopt for foreign characters, for 0 and for what is
  // not below N: with A a multiple of N everybody would know S.
  static std::optional<SrpClientPublicKey> FromHex(std::string_view text);
  // From big-endian octets, with the same refusals.
  static std::optional<SrpClientPublicKey> FromOctets(BytesView octets);

  // Big-endian, without leading zeros.
  const Bytes& octets() const { return octets_; }

 private:
  explicit SrpClientPublicKey(Bytes octets) : octets_(std::move(octets)) {}
  Bytes octets_;
};

// The server's part that depends on no user: b and 2^b. Made ahead, or remembered when an attempt is planned again, it
// is still for one challenge only. Movable.
class SrpEphemeral {
 public:
  // b of 256 bits. About 0.15 ms.
  static SrpEphemeral Generate(Random& random);
  // `b`: 32 octets, big-endian.
  static SrpEphemeral FromSecret(Secret b);

  // 32 octets: what SrpSessionKey needs later.
  const Secret& b() const { return b_; }
  // 2^b, kSrpVerifierBytes octets.
  const Bytes& power() const { return power_; }

 private:
  SrpEphemeral(Secret b, Bytes power) : b_(std::move(b)), power_(std::move(power)) {}
  Secret b_;
  Bytes power_;
};

// B, big-endian without leading zeros: SRP_B after CanonicalHex. Microseconds.
Bytes SrpServerPublicKey(const SrpEphemeral& ephemeral, BytesView verifier);

// K. `b` has 32 octets or more, `server_public_key` is what SrpServerPublicKey gave. Two general powers, about 2 ms.
Secret SrpSessionKey(const SrpClientPublicKey& client_public_key, BytesView server_public_key, BytesView b,
                     BytesView verifier);

// PASSWORD_CLAIM_SIGNATURE before Base64, to be compared by EqualSecrets. `secret_block`: the octets, not their Base64;
// `timestamp`: TIMESTAMP as it came.
Bytes SrpClaimSignature(BytesView session_key, const SrpIdentity& identity, BytesView secret_block,
                        std::string_view timestamp);

}  // namespace symbolon::crypto
