// Passwords: the rules for choosing one, and the form in which it is stored, an SRP verifier that is bound to the pool
// and to the user name that never changes (crypto/srp.h). The password itself is kept nowhere.
//
// Functions on records are for one thread at a time; nothing blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "directory/env.h"
#include "directory/records.pb.h"

namespace symbolon::auth {

// In the order in which they are looked for.
enum class PolicyBreach {
  kTooShort,
  kNoUppercase,
  kNoLowercase,
  kNoNumber,
  kNoSymbol,
};

// The first rule of the pool that `password` breaks. Length counts characters; classes are those of Basic Latin.
std::optional<PolicyBreach> FindPolicyBreach(const directory::pb::PasswordPolicy& policy, std::string_view password);
// What the client reads, in InvalidPasswordException.
std::string MessageOf(PolicyBreach breach);

// A random password that the policy allows, whatever it requires, of at least 12 characters that are easy to type.
std::string NewTemporaryPassword(const directory::pb::PasswordPolicy& policy, Random& random);

// Gives the user a password for good. About 0.15 ms at the first attempt at a plan; the next ones remember it.
void SetPassword(directory::Env& env, const PoolId& pool, directory::pb::UserRecord& user, std::string_view password);
// The same with a password that dies after the days that the policy says (0: 7, as AWS has it).
void SetTemporaryPassword(directory::Env& env, const PoolId& pool, const directory::pb::PasswordPolicy& policy,
                          directory::pb::UserRecord& user, std::string_view password);
bool IsTemporaryPasswordExpired(const directory::pb::UserRecord& user, Timestamp now);

// Whether the user has this password. Takes the same time, and answers false, when there is no user (nullptr) or the
// user has none.
bool PasswordMatches(const PoolId& pool, const directory::pb::UserRecord* user, std::string_view password);

}  // namespace symbolon::auth
