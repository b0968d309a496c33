// For tests of the keyring: one over the local provider, whose calls are counted and can be refused or held up.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keys/keyring.h"
#include "keys/local/test_support.h"
#include "keys/wrapped_keys_snapshot.h"

namespace symbolon::keys {

// The local provider behind a line that can be cut, with a meter.
class MeteredProvider final : public KeyProvider {
 public:
  explicit MeteredProvider(KeyProvider& inner) : inner_(inner) {}
  std::string_view name() const override { return inner_.name(); }
  bool HasUntoldPolicies() const override { return has_untold_policies; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view arn, const EncryptionContext& context) override {
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    return inner_.GenerateDataKeyWithoutPlaintext(arn, context);
  }
  KeyResult<Bytes> Encrypt(std::string_view arn, const EncryptionContext& context, BytesView plaintext) override {
    return inner_.Encrypt(arn, context, plaintext);
  }
  KeyResult<Secret> Decrypt(std::string_view arn, const EncryptionContext& context, BytesView ciphertext) override {
    ++decrypts;
    Begin(std::string(arn), context.at("symbolon:key"), context.at("aws:cognito-idp:userpool-arn"));
    if (before_decrypt) before_decrypt();
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    const std::string& user_pool = context.at("aws:cognito-idp:userpool-arn");
    for (const PoolId& pool : denied) {
      if (user_pool.ends_with("/" + pool.value())) return Err(KeyError{KeyErrorCode::kAccessDenied, "by the policy"});
    }
    return inner_.Decrypt(arn, context, ciphertext);
  }
  KeyResult<KeyDescription> DescribeKey(std::string_view arn) override {
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    return inner_.DescribeKey(arn);
  }

  // Calls about this CMK, or for keys whose use begins so, do not end until they are let go.
  void Hang(const std::string& what) {
    std::lock_guard guard(mutex_);
    hanging_ = what;
  }
  void LetGo() {
    {
      std::lock_guard guard(mutex_);
      hanging_.clear();
    }
    changed_.notify_all();
  }
  // How many calls about this CMK, or for this use, have begun.
  int Begun(const std::string& what) {
    std::lock_guard guard(mutex_);
    return begun_[what];
  }

  bool has_untold_policies = false;
  std::optional<KeyErrorCode> fails_with;
  // As a key policy may have it, which looks at the encryption context.
  std::set<PoolId> denied;
  std::function<void()> before_decrypt;
  std::atomic<int> decrypts = 0;
  // ARNs of the pools that were asked about. Not to be read while somebody asks.
  std::set<std::string> met;

 private:
  void Begin(const std::string& arn, const std::string& use, const std::string& user_pool) {
    std::unique_lock guard(mutex_);
    ++begun_[arn];
    ++begun_[use];
    met.insert(user_pool);
    changed_.notify_all();
    changed_.wait(guard, [&] { return hanging_.empty() || (hanging_ != arn && !use.starts_with(hanging_)); });
  }

  KeyProvider& inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> begun_;  // by CMK, and by use; guarded by mutex_
  std::string hanging_;               // guarded by mutex_
};

class KeyringTest : public testing::Test {
 protected:
  static inline const Region kHere{"eu-central-1"};

  // A pool with keys under this CMK, in the store.
  PoolId NewPool(const std::string& cmk) {
    const PoolId pool = NewPoolId(kHere, crypto::SystemRandom());
    snapshot_.wrapped[pool] = keyring_.MakeKeys(pool, cmk).value().wrapped;
    return pool;
  }
  // Asks the CMKs that are due, and waits for what follows.
  void Ask() { Ask(keyring_); }
  static void Ask(Keyring& keyring) {
    keyring.Tick();
    keyring.WaitUntilAsked();
  }
  bool IsOpen(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).has_value(); }
  // The pool's record changes, as a commit would change it.
  void Store(const PoolId& pool, const Bytes& record) {
    snapshot_.wrapped[pool] = record;
    keyring_.Follow(pool, record);
  }
  std::shared_ptr<const PoolKeys> KeysOf(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).value(); }
  KeyServiceErrorCode ErrorOf(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).error().code; }

  ManualClock clock_;
  TemporaryDirectory directory_;
  std::unique_ptr<local::LocalKeyProvider> kms_ = local::OpenTestProvider(directory_.path(), kHere, clock_).value();
  MeteredProvider provider_{*kms_};
  const std::string cmk_ = kms_->CreateKey(true, "").value().arn;
  WrappedKeysSnapshot snapshot_;
  std::mutex told_mutex_;
  std::vector<std::pair<PoolId, bool>> told_;  // guarded by told_mutex_
  std::vector<PoolId> replaced_;
  Keyring keyring_{provider_,
                   {.region = kHere,
                    .account = local::kTestAccount,
                    .service_owned_key_arn = kms_->EnsureServiceOwnedKey().value(),
                    .unreachable_grace = std::chrono::seconds(6),
                    .on_change =
                        [this](const PoolId& pool, bool locked) {
                          std::lock_guard guard(told_mutex_);
                          told_.emplace_back(pool, locked);
                        },
                    .on_replaced = [this](const PoolId& pool) { replaced_.push_back(pool); }},
                   clock_,
                   crypto::SystemRandom()};
};

}  // namespace symbolon::keys
