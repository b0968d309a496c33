#include "keys/wrapped_pool_keys.h"

#include <algorithm>
#include <iterator>

#include "keys/arn.h"
#include "keys/opened_pool_keys.h"
#include "keys/wrapping.h"

namespace symbolon::keys {
namespace {

using internal::ContextOf;
using internal::DataUse;
using internal::Invalid;
using internal::Slot;
using internal::Unwrapper;

KeyResult<pb::WrappedPoolKeys> Parse(BytesView wrapped) { return internal::ParseWrappedKeys(wrapped); }

// Of this provider and pool, with data keys that have names.
KeyResult<pb::WrappedPoolKeys> ParseOf(KeyProvider& provider, const Region& here, const PoolId& pool,
                                       BytesView wrapped) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  const KeyProvider& serving = provider.Serving(KeyArnInRegion(keys.cmk_arn(), here));
  if (keys.provider() != serving.name()) return Invalid("wrapped by the key provider " + keys.provider());
  if (!keys.user_pool_arn().ends_with("/" + pool.value())) return Invalid("wrapped for " + keys.user_pool_arn());
  bool seals = false;
  for (const pb::DataKey& data_key : keys.data_keys()) {
    if (data_key.generation().size() != internal::kGenerationBytes) return Invalid("a generation without a name");
    seals = seals || data_key.generation() == keys.sealing_generation();
  }
  if (!seals) return Invalid("the sealing generation is missing");
  return keys;
}

KeyResult<internal::OpenedPoolKeys::Material> UnwrapAll(KeyProvider& provider, const Region& here,
                                                        const pb::WrappedPoolKeys& keys) {
  Unwrapper unwrapper(provider, here, keys);
  internal::OpenedPoolKeys::Material material;
  for (const pb::DataKey& data_key : keys.data_keys()) {
    SYMBOLON_TRY(Secret key, unwrapper.Unwrap(DataUse(data_key.generation()), data_key.wrapped()));
    material.data_keys.insert_or_assign(data_key.generation(), std::move(key));
  }
  material.sealing_generation = keys.sealing_generation();
  SYMBOLON_TRY(material.index_key, unwrapper.Unwrap(internal::kIndexUse, keys.wrapped_index_key()));
  SYMBOLON_TRY(material.identity_key, unwrapper.Unwrap(internal::kIdentityUse, keys.wrapped_identity_key()));
  SYMBOLON_TRY(material.token_key, unwrapper.Unwrap(internal::kTokenUse, keys.wrapped_token_key()));
  return material;
}

// The new generation of an offer, so that nothing that it seals is ever met without it. One that does not open here is
// found out by whoever asks for its confirmation.
void AddOffered(KeyProvider& provider, const Region& here, const pb::WrappedPoolKeys& keys,
                internal::OpenedPoolKeys::Material& material) {
  if (keys.offered().empty()) return;
  const auto offered = Parse(keys.offered());
  if (!offered) return;
  Unwrapper unwrapper(provider, here, *offered);
  for (const pb::DataKey& data_key : offered->data_keys()) {
    if (data_key.generation() != offered->sealing_generation()) continue;
    if (data_key.generation().size() != internal::kGenerationBytes) return;
    auto key = unwrapper.Unwrap(DataUse(data_key.generation()), data_key.wrapped());
    if (key) material.data_keys.try_emplace(data_key.generation(), *std::move(key));
  }
}

// The latest last, each once.
void AddFormerCmk(pb::WrappedPoolKeys& keys, const std::string& cmk_arn) {
  auto& former = *keys.mutable_former_cmk_arns();
  former.erase(std::remove(former.begin(), former.end(), cmk_arn), former.end());
  *former.Add() = cmk_arn;
  if (former.size() > kFormerCmksMax) former.erase(former.begin());
}

KeyResult<void> AddNewGeneration(KeyProvider& provider, pb::WrappedPoolKeys& keys, Timestamp now, Random& random) {
  SYMBOLON_TRY(pb::DataKey added, internal::NewDataKey(provider, keys.cmk_arn(), keys.user_pool_arn(), now, random));
  keys.set_sealing_generation(added.generation());
  *keys.add_data_keys() = std::move(added);
  return {};
}

// Wraps every key again under the CMK `cmk_arn`.
KeyResult<void> Rewrap(KeyProvider& provider, const Region& here, pb::WrappedPoolKeys& keys,
                       const std::string& cmk_arn) {
  Unwrapper unwrapper(provider, here, keys);
  SYMBOLON_TRY_VOID(internal::ForEachSlot(keys, [&](const Slot& slot) -> KeyResult<void> {
    SYMBOLON_TRY(const Secret key, unwrapper.Unwrap(slot.use, slot.wrapped));
    SYMBOLON_TRY(slot.wrapped, provider.Encrypt(cmk_arn, ContextOf(keys.user_pool_arn(), slot.use), key.view()));
    return {};
  }));
  keys.set_provider(std::string(provider.Serving(cmk_arn).name()));
  keys.set_cmk_arn(cmk_arn);
  return {};
}

}  // namespace

KeyResult<Bytes> WrapNewPoolKeys(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                 Timestamp now, Random& random) {
  const auto make = [&](std::string_view use) {
    return provider.GenerateDataKeyWithoutPlaintext(cmk_arn, ContextOf(user_pool_arn, use));
  };
  pb::WrappedPoolKeys keys;
  keys.set_provider(std::string(provider.Serving(cmk_arn).name()));
  keys.set_cmk_arn(cmk_arn);
  keys.set_user_pool_arn(user_pool_arn);
  SYMBOLON_TRY_VOID(AddNewGeneration(provider, keys, now, random));
  SYMBOLON_TRY(*keys.mutable_wrapped_index_key(), make(internal::kIndexUse));
  SYMBOLON_TRY(*keys.mutable_wrapped_identity_key(), make(internal::kIdentityUse));
  SYMBOLON_TRY(*keys.mutable_wrapped_token_key(), make(internal::kTokenUse));
  return keys.SerializeAsString();
}

KeyResult<WrappedPoolKeysContents> ContentsOfPoolKeys(BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, Parse(wrapped));
  WrappedPoolKeysContents contents{.provider = keys.provider(),
                                   .cmk_arn = keys.cmk_arn(),
                                   .user_pool_arn = keys.user_pool_arn(),
                                   .generations = {},
                                   .sealing_generation = keys.sealing_generation(),
                                   .offered_at = {},
                                   .offered_cmk_arn = {}};
  for (const pb::DataKey& data_key : keys.data_keys()) {
    auto& generation = contents.generations.emplace_back(
        data_key.generation(), std::nullopt, data_key.wrapped().empty() ? Bytes() : crypto::Sha256(data_key.wrapped()));
    if (data_key.created_micros() != 0) generation.created = FromMicros(data_key.created_micros());
    contents.complete = contents.complete && !data_key.wrapped().empty();
  }
  std::ranges::copy_if(keys.former_cmk_arns(), std::back_inserter(contents.former_cmk_arns),
                       [&](const std::string& arn) { return arn != keys.cmk_arn(); });
  if (!keys.offered().empty()) {
    SYMBOLON_TRY(const pb::WrappedPoolKeys offered, Parse(keys.offered()));
    contents.offered_at = FromMicros(keys.offered_at_micros());
    contents.offered_cmk_arn = offered.cmk_arn();
    for (const pb::DataKey& data_key : offered.data_keys()) {
      contents.complete = contents.complete && !data_key.wrapped().empty();
    }
  }
  return contents;
}

KeyResult<Bytes> NoteFormerCmk(BytesView wrapped, const std::string& cmk_arn) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  AddFormerCmk(keys, cmk_arn);
  if (!keys.offered().empty()) {
    SYMBOLON_TRY(pb::WrappedPoolKeys offered, Parse(keys.offered()));
    AddFormerCmk(offered, cmk_arn);
    keys.set_offered(offered.SerializeAsString());
  }
  return keys.SerializeAsString();
}

KeyResult<std::shared_ptr<const PoolKeys>> OpenPoolKeys(KeyProvider& provider, const Region& here, const PoolId& pool,
                                                        BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, ParseOf(provider, here, pool, wrapped));
  SYMBOLON_TRY(internal::OpenedPoolKeys::Material material, UnwrapAll(provider, here, keys));
  AddOffered(provider, here, keys, material);
  return std::make_shared<internal::OpenedPoolKeys>(pool, here, material);
}

KeyResult<void> ProbePoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, Parse(wrapped));
  SYMBOLON_TRY(const Secret key,
               Unwrapper(provider, here, keys).Unwrap(internal::kIdentityUse, keys.wrapped_identity_key()));
  return {};
}

KeyResult<Bytes> OfferPoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped, BytesView as_opened,
                               const std::string& cmk_arn, Timestamp now, Random& random) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  keys.clear_offered();
  SYMBOLON_CHECK(keys.data_keys_size() < kGenerationsMax);
  SYMBOLON_TRY(pb::WrappedPoolKeys offered, Parse(as_opened));
  offered.clear_offered();
  offered.clear_offered_at_micros();
  *offered.mutable_former_cmk_arns() = keys.former_cmk_arns();
  if (KeyArnInRegion(keys.cmk_arn(), here) == cmk_arn) {
    // As named in this Region from now on: the ciphertexts are the same.
    offered.set_cmk_arn(cmk_arn);
  } else {
    SYMBOLON_TRY_VOID(Rewrap(provider, here, offered, cmk_arn));
    AddFormerCmk(offered, keys.cmk_arn());
  }
  SYMBOLON_TRY_VOID(AddNewGeneration(provider, offered, now, random));
  // Other Regions that are sent the keys know them by their checks.
  if (!offered.index_check().empty()) SYMBOLON_TRY_VOID(internal::AddKeyChecks(provider, here, offered, offered));
  keys.set_offered(offered.SerializeAsString());
  keys.set_offered_at_micros(ToMicros(now));
  return keys.SerializeAsString();
}

KeyResult<OpenedOffer> OpenOffer(KeyProvider& provider, const Region& here, const PoolId& pool, BytesView wrapped) {
  SYMBOLON_TRY(Bytes record, TakeOffer(wrapped));
  SYMBOLON_TRY(const pb::WrappedPoolKeys keys, ParseOf(provider, here, pool, record));
  SYMBOLON_TRY(const internal::OpenedPoolKeys::Material material, UnwrapAll(provider, here, keys));
  const Secret& data_key = material.data_keys.find(BytesView(keys.sealing_generation()))->second;
  return OpenedOffer{.record = std::move(record),
                     .keys = std::make_shared<internal::OpenedPoolKeys>(pool, here, material),
                     .check = internal::KeyCheck(data_key, keys.sealing_generation(), pool)};
}

KeyResult<Bytes> TakeOffer(BytesView wrapped) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  if (keys.offered().empty()) return Invalid("nothing is offered");
  return std::move(*keys.mutable_offered());
}

KeyResult<Bytes> WithdrawOffer(BytesView wrapped) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  if (keys.offered().empty()) return Bytes(wrapped);
  keys.clear_offered();
  keys.clear_offered_at_micros();
  return keys.SerializeAsString();
}

KeyResult<Bytes> DropGenerations(BytesView wrapped, const std::set<Bytes>& generations) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, Parse(wrapped));
  if (!keys.offered().empty() || generations.contains(keys.sealing_generation())) {
    return Invalid("generations that are in use cannot be dropped");
  }
  auto& data_keys = *keys.mutable_data_keys();
  data_keys.erase(std::remove_if(data_keys.begin(), data_keys.end(),
                                 [&](const pb::DataKey& key) { return generations.contains(key.generation()); }),
                  data_keys.end());
  return keys.SerializeAsString();
}

}  // namespace symbolon::keys
