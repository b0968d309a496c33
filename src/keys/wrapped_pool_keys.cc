#include "keys/wrapped_pool_keys.h"

#include "keys/arn.h"
#include "keys/opened_pool_keys.h"
#include "keys/records.pb.h"

namespace symbolon::keys {
namespace {

constexpr std::size_t kWrappedBytesMax = 1 << 20;

// What the encryption context says of a key's use.
constexpr std::string_view kIndexUse = "index";
constexpr std::string_view kIdentityUse = "identity";
constexpr std::string_view kTokenUse = "token";

std::string DataUse(BytesView generation) { return "data:" + HexEncode(generation); }

EncryptionContext ContextOf(const std::string& user_pool_arn, std::string_view use) {
  return {{"aws:cognito-idp:userpool-arn", user_pool_arn}, {"symbolon:key", std::string(use)}};
}

tl::unexpected<KeyError> Invalid(std::string detail) {
  return Err(KeyError{KeyErrorCode::kInvalidCiphertext, std::move(detail)});
}

KeyResult<pb::WrappedPoolKeys> Parse(BytesView wrapped) {
  pb::WrappedPoolKeys keys;
  if (wrapped.size() > kWrappedBytesMax || !keys.ParseFromArray(wrapped.data(), static_cast<int>(wrapped.size())) ||
      keys.cmk_arn().empty()) {
    return Invalid("no record of wrapped keys");
  }
  return keys;
}

// Unwraps the keys of one record.
class Unwrapper {
 public:
  Unwrapper(KeyProvider& provider, const Region& here, const pb::WrappedPoolKeys& keys)
      : provider_(provider), cmk_arn_(KeyArnInRegion(keys.cmk_arn(), here)), user_pool_arn_(keys.user_pool_arn()) {}

  KeyResult<Secret> Unwrap(std::string_view use, const Bytes& wrapped) {
    SYMBOLON_TRY(Secret key, provider_.Decrypt(cmk_arn_, ContextOf(user_pool_arn_, use), wrapped));
    if (key.size() != KeyProvider::kDataKeyBytes) return Invalid("a wrapped key of another length");
    return key;
  }

 private:
  KeyProvider& provider_;
  const std::string cmk_arn_;
  const std::string& user_pool_arn_;
};

}  // namespace

KeyResult<Bytes> WrapNewPoolKeys(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                 Random& random) {
  const auto make = [&](std::string_view use) {
    return provider.GenerateDataKeyWithoutPlaintext(cmk_arn, ContextOf(user_pool_arn, use));
  };
  const Bytes generation = random.Octets(internal::kGenerationBytes);
  SYMBOLON_TRY(const Bytes data_key, make(DataUse(generation)));
  SYMBOLON_TRY(const Bytes index_key, make(kIndexUse));
  SYMBOLON_TRY(const Bytes identity_key, make(kIdentityUse));
  SYMBOLON_TRY(const Bytes token_key, make(kTokenUse));

  pb::WrappedPoolKeys keys;
  keys.set_provider(std::string(provider.name()));
  keys.set_cmk_arn(cmk_arn);
  keys.set_user_pool_arn(user_pool_arn);
  auto& first = *keys.add_data_keys();
  first.set_generation(generation);
  first.set_wrapped(data_key);
  keys.set_sealing_generation(generation);
  keys.set_wrapped_index_key(index_key);
  keys.set_wrapped_identity_key(identity_key);
  keys.set_wrapped_token_key(token_key);
  return keys.SerializeAsString();
}

KeyResult<WrappedPoolKeysOrigin> OriginOfPoolKeys(BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, Parse(wrapped));
  return WrappedPoolKeysOrigin{keys.provider(), keys.cmk_arn(), keys.user_pool_arn()};
}

KeyResult<std::shared_ptr<const PoolKeys>> OpenPoolKeys(KeyProvider& provider, const Region& here, const PoolId& pool,
                                                        BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, Parse(wrapped));
  if (keys.provider() != provider.name()) return Invalid("wrapped by the key provider " + keys.provider());
  if (!keys.user_pool_arn().ends_with("/" + pool.value())) return Invalid("wrapped for " + keys.user_pool_arn());

  Unwrapper unwrapper(provider, here, keys);
  internal::OpenedPoolKeys::Material material;
  for (const pb::DataKey& data_key : keys.data_keys()) {
    if (data_key.generation().size() != internal::kGenerationBytes) return Invalid("a generation without a name");
    SYMBOLON_TRY(Secret key, unwrapper.Unwrap(DataUse(data_key.generation()), data_key.wrapped()));
    material.data_keys.insert_or_assign(data_key.generation(), std::move(key));
  }
  if (!material.data_keys.contains(keys.sealing_generation())) return Invalid("the sealing generation has no key");
  material.sealing_generation = keys.sealing_generation();
  SYMBOLON_TRY(material.index_key, unwrapper.Unwrap(kIndexUse, keys.wrapped_index_key()));
  SYMBOLON_TRY(material.identity_key, unwrapper.Unwrap(kIdentityUse, keys.wrapped_identity_key()));
  SYMBOLON_TRY(material.token_key, unwrapper.Unwrap(kTokenUse, keys.wrapped_token_key()));
  return std::make_shared<internal::OpenedPoolKeys>(pool, here, material);
}

KeyResult<void> ProbePoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, Parse(wrapped));
  SYMBOLON_TRY(const Secret key, Unwrapper(provider, here, keys).Unwrap(kTokenUse, keys.wrapped_token_key()));
  return {};
}

}  // namespace symbolon::keys
