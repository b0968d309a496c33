#include "keys/wrapping.h"

#include <map>

#include "crypto/hash.h"
#include "keys/opened_pool_keys.h"

namespace symbolon::keys::internal {
namespace {

constexpr std::size_t kWrappedBytesMax = 1 << 20;
constexpr std::string_view kCheckDomain = "symbolon key check 1";

}  // namespace

std::string DataUse(BytesView generation) { return "data:" + HexEncode(generation); }

EncryptionContext ContextOf(const std::string& user_pool_arn, std::string_view use) {
  return {{"aws:cognito-idp:userpool-arn", user_pool_arn}, {"symbolon:key", std::string(use)}};
}

tl::unexpected<KeyError> Invalid(std::string detail) {
  return Err(KeyError{KeyErrorCode::kInvalidCiphertext, std::move(detail)});
}

KeyResult<pb::WrappedPoolKeys> ParseWrappedKeys(BytesView wrapped) {
  pb::WrappedPoolKeys keys;
  if (wrapped.size() > kWrappedBytesMax || !keys.ParseFromArray(wrapped.data(), static_cast<int>(wrapped.size())) ||
      keys.cmk_arn().empty()) {
    return Invalid("no record of wrapped keys");
  }
  return keys;
}

PoolId PoolOf(const pb::WrappedPoolKeys& keys) {
  return PoolId(keys.user_pool_arn().substr(keys.user_pool_arn().rfind('/') + 1));
}

Bytes KeyCheck(const Secret& key, BytesView label, const PoolId& pool) {
  const Bytes info = Bytes(kCheckDomain) + Bytes(label) + pool.value();
  return Bytes(crypto::HkdfSha256({}, key.view(), info, crypto::kSha256Bytes).view());
}

KeyResult<Secret> Unwrapper::Unwrap(std::string_view use, const Bytes& wrapped) {
  SYMBOLON_TRY(Secret key, provider_.Decrypt(cmk_arn_, ContextOf(user_pool_arn_, use), wrapped));
  if (key.size() != KeyProvider::kDataKeyBytes) return Invalid("a wrapped key of another length");
  return key;
}

KeyResult<void> AddKeyChecks(KeyProvider& provider, const Region& here, const pb::WrappedPoolKeys& opened,
                             pb::WrappedPoolKeys& keys) {
  // A copy: its slots are those of what may change.
  pb::WrappedPoolKeys source = opened;
  std::map<std::string, Bytes> wrapped;
  SYMBOLON_TRY_VOID(ForEachSlot(source, [&](const Slot& slot) -> KeyResult<void> {
    wrapped.emplace(slot.use, slot.wrapped);
    return {};
  }));
  Unwrapper unwrapper(provider, here, source);
  return ForEachSlot(keys, [&](const Slot& slot) -> KeyResult<void> {
    if (!slot.check.empty()) return {};
    const auto found = wrapped.find(slot.use);
    if (found == wrapped.end()) return Invalid("a key that does not open here");
    SYMBOLON_TRY(const Secret key, unwrapper.Unwrap(slot.use, found->second));
    slot.check = KeyCheck(key, slot.label, PoolOf(keys));
    return {};
  });
}

KeyResult<pb::DataKey> NewDataKey(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                  Timestamp now, Random& random) {
  pb::DataKey added;
  added.set_generation(random.Octets(kGenerationBytes));
  const EncryptionContext context = ContextOf(user_pool_arn, DataUse(added.generation()));
  SYMBOLON_TRY(*added.mutable_wrapped(), provider.GenerateDataKeyWithoutPlaintext(cmk_arn, context));
  added.set_created_micros(ToMicros(now));
  return added;
}

}  // namespace symbolon::keys::internal
