// Private to this module: the keys in records of wrapped keys, one by one (formats: wrapped_pool_keys.h).
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/secret.h"
#include "keys/arn.h"
#include "keys/provider.h"
#include "keys/records.pb.h"

namespace symbolon::keys::internal {

// What the encryption context says of a key's use.
inline constexpr std::string_view kIndexUse = "index";
inline constexpr std::string_view kIdentityUse = "identity";
inline constexpr std::string_view kTokenUse = "token";
std::string DataUse(BytesView generation);
EncryptionContext ContextOf(const std::string& user_pool_arn, std::string_view use);

tl::unexpected<KeyError> Invalid(std::string detail);
// kInvalidCiphertext for what is no such record.
KeyResult<pb::WrappedPoolKeys> ParseWrappedKeys(BytesView wrapped);
// The pool whose ARN stands in the record.
PoolId PoolOf(const pb::WrappedPoolKeys& keys);

// `label`: a data key's generation, or the use of a long-lived key.
Bytes KeyCheck(const Secret& key, BytesView label, const PoolId& pool);

// One key of a record.
struct Slot {
  std::string use;
  BytesView label;
  std::string& wrapped;
  std::string& check;
};
// `visit`: KeyResult<void>(const Slot&); its first error ends the walk.
template <class Visit>
KeyResult<void> ForEachSlot(pb::WrappedPoolKeys& keys, Visit&& visit) {
  for (pb::DataKey& data_key : *keys.mutable_data_keys()) {
    SYMBOLON_TRY_VOID(visit(Slot{DataUse(data_key.generation()), data_key.generation(), *data_key.mutable_wrapped(),
                                 *data_key.mutable_check()}));
  }
  SYMBOLON_TRY_VOID(
      visit(Slot{std::string(kIndexUse), kIndexUse, *keys.mutable_wrapped_index_key(), *keys.mutable_index_check()}));
  SYMBOLON_TRY_VOID(visit(Slot{std::string(kIdentityUse), kIdentityUse, *keys.mutable_wrapped_identity_key(),
                               *keys.mutable_identity_check()}));
  return visit(Slot{std::string(kTokenUse), kTokenUse, *keys.mutable_wrapped_token_key(), *keys.mutable_token_check()});
}

// Unwraps the keys of one record, which outlives it.
class Unwrapper {
 public:
  Unwrapper(KeyProvider& provider, const Region& here, const pb::WrappedPoolKeys& keys)
      : provider_(provider), cmk_arn_(KeyArnInRegion(keys.cmk_arn(), here)), user_pool_arn_(keys.user_pool_arn()) {}

  KeyResult<Secret> Unwrap(std::string_view use, const Bytes& wrapped);

 private:
  KeyProvider& provider_;
  const std::string cmk_arn_;
  const std::string& user_pool_arn_;
};

// Notes in `keys` the checks that are missing there. `opened`: the same keys as they can be unwrapped here; may be
// `keys`.
KeyResult<void> AddKeyChecks(KeyProvider& provider, const Region& here, const pb::WrappedPoolKeys& opened,
                             pb::WrappedPoolKeys& keys);

// A new generation under this CMK.
KeyResult<pb::DataKey> NewDataKey(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                  Timestamp now, Random& random);

}  // namespace symbolon::keys::internal
