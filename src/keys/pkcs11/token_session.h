// One session with a token, opened when it is needed and again after the token was away.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/secret.h"
#include "keys/pkcs11/module.h"
#include "keys/provider.h"

namespace symbolon::keys::pkcs11 {

// Which token, and how to log in. Shared by the sessions of one provider; thread-safe.
class Token {
 public:
  // Exactly one of `label` and `slot`. `pin` is asked at each login; its error says what the operator has to do.
  Token(std::shared_ptr<Module> module, std::optional<std::string> label, std::optional<CK_SLOT_ID> slot,
        std::function<Result<Secret, std::string>()> pin)
      : module_(std::move(module)), label_(std::move(label)), slot_(slot), pin_(std::move(pin)) {}

  Module& module() const { return *module_; }
  // Errors: kRemoved (the module lists its tokens, and this is none of them), kUnavailable.
  KeyResult<CK_SLOT_ID> FindSlot(const Module::Visit& visit) const;
  // A token locks itself after a few wrong PINs, so one that was refused is not tried again. Errors: kAccessDenied,
  // kRemoved, kUnavailable.
  KeyResult<void> LogIn(const Module::Visit& visit, CK_SESSION_HANDLE session);

 private:
  const std::shared_ptr<Module> module_;
  const std::optional<std::string> label_;
  const std::optional<CK_SLOT_ID> slot_;
  const std::function<Result<Secret, std::string>()> pin_;
  std::mutex login_mutex_;
  std::optional<Secret> refused_pin_;  // guarded by login_mutex_
};

inline constexpr std::size_t kGcmIvBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;

// AES-256 keys in the token are named by their CKA_LABEL. For one thread. Errors of the calls: kNotFound (also of a
// label that several keys have), kDisabled (CKA_ENCRYPT or CKA_DECRYPT is false), kAccessDenied (the PIN was refused,
// or the key could leave the token), kRemoved, kUnavailable.
class TokenSession {
 public:
  // `random` outlives it.
  TokenSession(std::shared_ptr<Token> token, Random& random) : token_(std::move(token)), random_(random) {}
  ~TokenSession();
  TokenSession(const TokenSession&) = delete;
  TokenSession& operator=(const TokenSession&) = delete;

  // AES-256-GCM inside the token: ciphertext ‖ tag. `iv`: 12 octets, never used before with this key; a token that
  // insists on an IV of its own writes it there. `ciphertext`: 16 octets or more.
  KeyResult<Bytes> Encrypt(const std::string& label, Bytes& iv, BytesView additional_data, BytesView plaintext);
  // Also kInvalidCiphertext.
  KeyResult<Secret> Decrypt(const std::string& label, BytesView iv, BytesView additional_data, BytesView ciphertext);
  // A disabled key is no error.
  KeyResult<bool> IsEnabled(const std::string& label);
  // Whether the token is there and lets us in.
  KeyResult<void> Reach();

 private:
  struct Key {
    CK_OBJECT_HANDLE handle;
    bool enabled;
  };

  template <class T>
  KeyResult<T> Try(const std::function<KeyResult<T>(const Module::Visit&)>& work);
  KeyResult<void> Open(const Module::Visit& visit);
  void Drop(const Module::Visit& visit);
  KeyResult<CK_OBJECT_HANDLE> FindObject(const Module::Visit& visit, const std::string& label);
  KeyResult<Key> FindKey(const Module::Visit& visit, const std::string& label);
  KeyResult<CK_OBJECT_HANDLE> FindEnabledKey(const Module::Visit& visit, const std::string& label);
  KeyResult<bool> ReadFlag(const Module::Visit& visit, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, bool otherwise);
  KeyResult<void> CheckStaysInside(const Module::Visit& visit, CK_OBJECT_HANDLE key, const std::string& label);
  KeyResult<Bytes> EncryptWith(const Module::Visit& visit, CK_OBJECT_HANDLE key, Bytes& iv, BytesView additional_data,
                               BytesView plaintext);
  KeyResult<Secret> DecryptWith(const Module::Visit& visit, CK_OBJECT_HANDLE key, BytesView iv,
                                BytesView additional_data, BytesView ciphertext);
  bool Works(const Module::Visit& visit, CK_OBJECT_HANDLE key);

  const std::shared_ptr<Token> token_;
  Random& random_;
  std::optional<CK_SESSION_HANDLE> session_;
  CK_SLOT_ID slot_ = 0;
  std::uint64_t run_ = 0;  // of the module, in which the session was opened
};

}  // namespace symbolon::keys::pkcs11
