#include "keys/pkcs11/pkcs11_key_provider.h"

#include <fmt/format.h>

#include <atomic>

#include "base/log.h"
#include "keys/arn.h"
#include "keys/encryption_context.h"

namespace symbolon::keys::pkcs11 {
namespace {

constexpr char kFormat = 1;
constexpr std::string_view kDomain = "symbolon pkcs11 1";
constexpr std::size_t kLabelBytesMax = 64;
constexpr std::string_view kLabelAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::size_t kWaitingCallsMax = 64;
constexpr auto kOpenTime = std::chrono::milliseconds(500);

std::string LabelOf(std::string_view key_id) { return std::string(key_id.substr(kKeyIdPrefix.size())); }

Bytes HeaderOf(std::string_view key_id) {
  Bytes header{kFormat, static_cast<char>(key_id.size())};
  header += key_id;
  return header;
}

Bytes AdditionalData(BytesView header, const EncryptionContext& context) {
  Bytes data(kDomain);
  data += header;
  AppendEncryptionContext(data, context);
  return data;
}

KeyError Unavailable(std::string detail) { return {KeyErrorCode::kUnavailable, std::move(detail)}; }

}  // namespace

Result<std::unique_ptr<Pkcs11KeyProvider>, std::string> Pkcs11KeyProvider::Open(const Options& options, Clock& clock,
                                                                                Random& random) {
  SYMBOLON_CHECK(options.token_label.has_value() != options.slot.has_value());
  SYMBOLON_TRY(auto module, Module::Load(options.module));
  std::unique_ptr<Pkcs11KeyProvider> provider(new Pkcs11KeyProvider(options, std::move(module), clock, random));
  const auto reached = provider->Call<void>([](TokenSession& session) { return session.Reach(); });
  if (reached) return provider;
  const bool may_come =
      reached.error().code == KeyErrorCode::kUnavailable || reached.error().code == KeyErrorCode::kRemoved;
  if (!may_come) return Err(reached.error().detail);
  log::Warning("the HSM is not available: {}", reached.error().detail);
  return provider;
}

Pkcs11KeyProvider::Pkcs11KeyProvider(const Options& options, std::shared_ptr<Module> module, Clock& clock,
                                     Random& random)
    : region_(options.region),
      account_(options.account),
      timeout_(options.timeout),
      random_(random),
      breaker_(clock, kOpenTime),
      threads_(options.sessions, kWaitingCallsMax, options.timeout,
               std::make_shared<Token>(std::move(module), options.token_label, options.slot, options.pin), random) {}

template <class T>
KeyResult<T> Pkcs11KeyProvider::Call(std::function<KeyResult<T>(TokenSession&)> work) {
  if (!breaker_.Admit()) return Err(FailureAMomentAgo());
  struct Pending {
    std::promise<KeyResult<T>> answer;
    std::atomic<bool> given_up = false;
  };
  const auto pending = std::make_shared<Pending>();
  auto answer = pending->answer.get_future();
  const bool accepted = threads_.TrySubmit([pending, work = std::move(work)](TokenSession& session) {
    if (!pending->given_up) pending->answer.set_value(work(session));
  });
  if (!accepted) return Err(Failed(Unavailable("too many calls wait for the HSM")));
  if (answer.wait_for(timeout_) != std::future_status::ready) {
    pending->given_up = true;
    return Err(Failed(Unavailable(fmt::format("the HSM has not answered within {} ms", timeout_.count()))));
  }
  auto result = answer.get();
  if (!result && (result.error().code == KeyErrorCode::kUnavailable || result.error().code == KeyErrorCode::kRemoved)) {
    return Err(Failed(std::move(result).error()));
  }
  breaker_.Answered();
  return result;
}

KeyError Pkcs11KeyProvider::Failed(KeyError error) {
  breaker_.Failed();
  last_failure_ = error.code;
  return error;
}

KeyError Pkcs11KeyProvider::FailureAMomentAgo() const {
  const KeyErrorCode code = last_failure_;
  return {code, code == KeyErrorCode::kRemoved ? "the token was not there a moment ago"
                                               : "the HSM has not answered a moment ago"};
}

KeyResult<std::string> Pkcs11KeyProvider::KeyIdOf(std::string_view key_arn) const {
  auto arn = ParseKeyArn(key_arn);
  const bool ours = arn && arn->partition == "aws" && arn->region == region_ && arn->account == account_ &&
                    arn->key_id.starts_with(kKeyIdPrefix) && arn->key_id.size() > kKeyIdPrefix.size() &&
                    arn->key_id.size() <= kKeyIdPrefix.size() + kLabelBytesMax &&
                    arn->key_id.find_first_not_of(kLabelAlphabet) == std::string::npos;
  if (!ours) return Err(KeyError{KeyErrorCode::kNotFound, "no HSM key of this Region and account"});
  return std::move(arn->key_id);
}

KeyResult<Bytes> Pkcs11KeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                    const EncryptionContext& context) {
  const Secret key(random_.Octets(kDataKeyBytes));
  return Encrypt(key_arn, context, key.view());
}

KeyResult<Bytes> Pkcs11KeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                            BytesView plaintext) {
  SYMBOLON_CHECK(plaintext.size() <= kPlaintextBytesMax);
  SYMBOLON_TRY(const std::string key_id, KeyIdOf(key_arn));
  const Bytes header = HeaderOf(key_id);
  // The call may outlive this function.
  return Call<Bytes>(
      [header, label = LabelOf(key_id), iv = random_.Octets(kGcmIvBytes), data = AdditionalData(header, context),
       plain = std::make_shared<Secret>(Secret::CopyOf(plaintext))](TokenSession& session) mutable -> KeyResult<Bytes> {
        SYMBOLON_TRY(const Bytes ciphertext, session.Encrypt(label, iv, data, plain->view()));
        return header + iv + ciphertext;
      });
}

KeyResult<Secret> Pkcs11KeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                             BytesView ciphertext) {
  SYMBOLON_TRY(const std::string key_id, KeyIdOf(key_arn));
  const Bytes header = HeaderOf(key_id);
  const bool ours = ciphertext.starts_with(header) && ciphertext.size() >= header.size() + kGcmIvBytes + kGcmTagBytes &&
                    ciphertext.size() <= header.size() + kGcmIvBytes + kPlaintextBytesMax + kGcmTagBytes;
  if (!ours) {
    // Also of a key that is not there or may not be used this is what is said first.
    SYMBOLON_TRY(const bool enabled,
                 Call<bool>([label = LabelOf(key_id)](TokenSession& session) { return session.IsEnabled(label); }));
    if (!enabled) return Err(KeyError{KeyErrorCode::kDisabled, "CKA_ENCRYPT or CKA_DECRYPT is false"});
    return Err(KeyError{KeyErrorCode::kInvalidCiphertext, "not a ciphertext of this key"});
  }
  return Call<Secret>([label = LabelOf(key_id), iv = Bytes(ciphertext.substr(header.size(), kGcmIvBytes)),
                       data = AdditionalData(header, context),
                       sealed = Bytes(ciphertext.substr(header.size() + kGcmIvBytes))](TokenSession& session) {
    return session.Decrypt(label, iv, data, sealed);
  });
}

KeyResult<KeyDescription> Pkcs11KeyProvider::DescribeKey(std::string_view key_arn) {
  SYMBOLON_TRY(const std::string key_id, KeyIdOf(key_arn));
  SYMBOLON_TRY(const bool enabled,
               Call<bool>([label = LabelOf(key_id)](TokenSession& session) { return session.IsEnabled(label); }));
  return KeyDescription{.arn = std::string(key_arn),
                        .id = key_id,
                        .description = "in the HSM",
                        .state = enabled ? KeyState::kEnabled : KeyState::kDisabled};
}

}  // namespace symbolon::keys::pkcs11
