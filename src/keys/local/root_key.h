// The root key, which seals the local provider's key file, and the file in which it lies: as it is (mode 0600), sealed
// under a passphrase, or encrypted under a CMK of another provider (an HSM).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/scrypt.h"
#include "keys/provider.h"

namespace symbolon::keys::local {

enum class RootKeyProtection { kNone, kPassphrase, kCmk };

// How the root key is, or shall be, protected, and what that takes.
struct RootKeyGuard {
  RootKeyProtection protection = RootKeyProtection::kNone;
  // kPassphrase: asked each time. Its error is for the operator.
  std::function<Result<Secret, std::string>()> passphrase = {};
  // Of a file that is written; one that is read says itself what it costs.
  crypto::ScryptCost cost = {};
  // kCmk: the key, and who serves it. Outlives the guard.
  std::string cmk_arn = {};
  KeyProvider* provider = nullptr;
};

inline constexpr std::size_t kPassphraseBytesMin = 12;
inline constexpr std::size_t kRootKeyFileBytesMax = 16 * 1024;

// A root key file is
//   64 hexadecimal digits and a line end; or
//   "symbolon root key 1 passphrase\n" n " " r " " p " " salt " " root key, XAES-256-GCM sealed, "\n"
//     under scrypt(passphrase, salt, n, r, p), with all before the sealed octets as additional data; or
//   "symbolon root key 1 cmk\n" ARN " " root key, encrypted by the CMK, "\n"
//     with the encryption context {"symbolon:key": "root"}.
// Numbers are decimal, octets hexadecimal. nullopt: none of these.
std::optional<RootKeyProtection> ProtectionOfRootKey(BytesView content);
// kCmk: the ARN. Empty otherwise.
std::string CmkOfRootKey(BytesView content);

// 32 octets. Errors say what is wrong, without the file's name: "does not open under this passphrase". The content has
// to be protected as the guard says. Blocks.
Result<Secret, std::string> OpenRootKey(BytesView content, const RootKeyGuard& guard);
// The content of a file. Blocks.
Result<Secret, std::string> ProtectRootKey(const Secret& root_key, const RootKeyGuard& guard, Random& random);

}  // namespace symbolon::keys::local
