// CMKs in a hardware security module, reached by PKCS #11. They never leave it: wrapping and unwrapping happen inside.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/circuit_breaker.h"
#include "keys/pkcs11/call_threads.h"
#include "keys/provider.h"

namespace symbolon::keys::pkcs11 {

// The id of a key is "hsm-" and the CKA_LABEL of an AES-256 key in the token: 1 to 64 of A-Z a-z 0-9 . _ -
inline constexpr std::string_view kKeyIdPrefix = "hsm-";

// A ciphertext is
//   format (1 octet: 1) ‖ length of key id (1) ‖ key id ‖ IV (12) ‖ AES-256-GCM ciphertext ‖ tag (16)
// with the additional data
//   "symbolon pkcs11 1" ‖ format ‖ length of key id ‖ key id ‖ encryption context (encryption_context.h)
// IVs are drawn at random, so a key should wrap no more than 2^32 times; a pool takes four of them, and one for each
// rotation.
//
// A key is disabled while its CKA_ENCRYPT or CKA_DECRYPT is false, and not found when no or several keys have its
// label. One that could leave the token (not CKA_SENSITIVE, or CKA_EXTRACTABLE without CKA_WRAP_WITH_TRUSTED) is
// refused as kAccessDenied, as everything is while the token refuses the PIN.
//
// Thread-safe. A call that has no answer within `timeout` is kUnavailable, also if the module never returns; a token
// that the module says is not there is kRemoved. Then no call is tried for half a second, and all fail alike.
class Pkcs11KeyProvider final : public KeyProvider {
 public:
  struct Options {
    // The HSM maker's shared library.
    std::filesystem::path module;
    // Exactly one of them.
    std::optional<std::string> token_label = {};
    std::optional<unsigned long> slot = {};
    // Asked at each login. Its error is for the operator.
    std::function<Result<Secret, std::string>()> pin;
    // Of this Region's ARNs.
    Region region;
    std::string account;
    std::chrono::milliseconds timeout{2000};
    // Calls at a time, each in a session of its own.
    std::size_t sessions = 4;
  };

  // `clock` and `random` outlive the provider, and `random` the process. Loads the module and logs in; a token that is
  // not there is only warned of, since it may come. The error says what the operator has to do.
  static Result<std::unique_ptr<Pkcs11KeyProvider>, std::string> Open(const Options& options, Clock& clock,
                                                                      Random& random);

  std::string_view name() const override { return "pkcs11"; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

 private:
  Pkcs11KeyProvider(const Options& options, std::shared_ptr<Module> module, Clock& clock, Random& random);

  template <class T>
  KeyResult<T> Call(std::function<KeyResult<T>(TokenSession&)> work);
  KeyError Failed(KeyError error);
  KeyError FailureAMomentAgo() const;
  KeyResult<std::string> KeyIdOf(std::string_view key_arn) const;

  const Region region_;
  const std::string account_;
  const std::chrono::milliseconds timeout_;
  Random& random_;
  CircuitBreaker breaker_;
  std::atomic<KeyErrorCode> last_failure_ = KeyErrorCode::kUnavailable;
  CallThreads threads_;
};

}  // namespace symbolon::keys::pkcs11
