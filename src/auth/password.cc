#include "auth/password.h"

#include <algorithm>
#include <array>

#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/srp.h"

namespace symbolon::auth {
namespace {

using directory::Env;
using directory::pb::PasswordPolicy;
using directory::pb::PasswordVerifier;
using directory::pb::UserRecord;

constexpr std::string_view kUppercase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kLowercase = "abcdefghijklmnopqrstuvwxyz";
// As the developer guide lists them ("Password requirements").
constexpr std::string_view kSymbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-";

// Without what people confuse: 0 O o, 1 l I.
constexpr std::string_view kTypableUppercase = "ABCDEFGHJKLMNPQRSTUVWXYZ";
constexpr std::string_view kTypableLowercase = "abcdefghijkmnpqrstuvwxyz";
constexpr std::string_view kTypableDigits = "23456789";
constexpr std::string_view kTypableSymbols = "!#%+-=?@_";
constexpr std::string_view kTypable = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
constexpr std::size_t kTemporaryPasswordCharactersMin = 12;
constexpr std::uint32_t kTemporaryPasswordDaysDefault = 7;

bool HasOneOf(std::string_view text, std::string_view characters) {
  return text.find_first_of(characters) != std::string_view::npos;
}

std::size_t CountCharacters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

crypto::SrpIdentity IdentityOf(const PoolId& pool, const UserRecord& user) {
  return {.pool_name = PoolName(pool), .user_id = user.username()};
}

PasswordVerifier MakeVerifier(Env& env, const PoolId& pool, const UserRecord& user, std::string_view password) {
  // Named by a digest: the environment outlives the request's own copy of the password.
  const std::string name =
      "password verifier:" + crypto::Sha256({user.username(), std::string_view("\0", 1), password});
  return env.Once<PasswordVerifier>(name, [&] {
    PasswordVerifier verifier;
    verifier.set_salt(crypto::NewSrpSalt(env.random()));
    verifier.set_verifier(Bytes(crypto::ComputeSrpVerifier(IdentityOf(pool, user), password, verifier.salt()).view()));
    return verifier;
  });
}

}  // namespace

std::optional<PolicyBreach> FindPolicyBreach(const PasswordPolicy& policy, std::string_view password) {
  if (CountCharacters(password) < policy.minimum_length()) return PolicyBreach::kTooShort;
  if (policy.require_uppercase() && !HasOneOf(password, kUppercase)) return PolicyBreach::kNoUppercase;
  if (policy.require_lowercase() && !HasOneOf(password, kLowercase)) return PolicyBreach::kNoLowercase;
  if (policy.require_numbers() && !HasOneOf(password, kDigits)) return PolicyBreach::kNoNumber;
  if (policy.require_symbols() && !HasOneOf(password, kSymbols)) return PolicyBreach::kNoSymbol;
  return std::nullopt;
}

std::string MessageOf(PolicyBreach breach) {
  const auto because = [](std::string_view reason) {
    return "Password did not conform with policy: " + std::string(reason);
  };
  switch (breach) {
    case PolicyBreach::kTooShort:
      return because("Password not long enough");
    case PolicyBreach::kNoUppercase:
      return because("Password must have uppercase characters");
    case PolicyBreach::kNoLowercase:
      return because("Password must have lowercase characters");
    case PolicyBreach::kNoNumber:
      return because("Password must have numeric characters");
    case PolicyBreach::kNoSymbol:
      return because("Password must have symbol characters");
  }
  SYMBOLON_CHECK(false);
}

std::string NewTemporaryPassword(const PasswordPolicy& policy, Random& random) {
  const std::size_t characters = std::max<std::size_t>(kTemporaryPasswordCharactersMin, policy.minimum_length());
  std::string password = RandomText(random, characters, kTypable);
  // One character of each class, at places that are random and distinct.
  std::size_t place = static_cast<unsigned char>(random.Octets(1)[0]) % characters;
  for (std::string_view alphabet : {kTypableUppercase, kTypableLowercase, kTypableDigits, kTypableSymbols}) {
    password[place] = RandomText(random, 1, alphabet)[0];
    place = (place + characters / 4) % characters;
  }
  return password;
}

void SetPassword(Env& env, const PoolId& pool, UserRecord& user, std::string_view password) {
  *user.mutable_password() = MakeVerifier(env, pool, user, password);
  user.set_temporary_password_expires_micros(0);
}

void SetTemporaryPassword(Env& env, const PoolId& pool, const PasswordPolicy& policy, UserRecord& user,
                          std::string_view password) {
  SetPassword(env, pool, user, password);
  const std::uint32_t days = policy.temporary_password_validity_days();
  user.set_temporary_password_expires_micros(
      ToMicros(env.now() + std::chrono::days(days == 0 ? kTemporaryPasswordDaysDefault : days)));
}

bool IsTemporaryPasswordExpired(const UserRecord& user, Timestamp now) {
  const std::int64_t expires_micros = user.temporary_password_expires_micros();
  return expires_micros != 0 && ToMicros(now) >= expires_micros;
}

bool PasswordMatches(const PoolId& pool, const UserRecord* user, std::string_view password) {
  if (user == nullptr || !user->has_password()) {
    static const UserRecord kNobody = [] {
      UserRecord nobody;
      nobody.set_username("nobody");
      nobody.mutable_password()->set_salt(Bytes(crypto::kSrpSaltBytes, '\x5a'));
      nobody.mutable_password()->set_verifier(Bytes(crypto::kSrpVerifierBytes, '\x01'));
      return nobody;
    }();
    (void)crypto::SrpPasswordMatches(IdentityOf(pool, kNobody), password, kNobody.password().salt(),
                                     kNobody.password().verifier());
    return false;
  }
  return crypto::SrpPasswordMatches(IdentityOf(pool, *user), password, user->password().salt(),
                                    user->password().verifier());
}

}  // namespace symbolon::auth
