#include "keys/regional_keys.h"

#include <algorithm>
#include <map>

#include "crypto/hash.h"
#include "keys/arn.h"
#include "keys/records.pb.h"
#include "keys/wrapped_pool_keys.h"
#include "keys/wrapping.h"

namespace symbolon::keys {
namespace {

using internal::ContextOf;
using internal::ForEachSlot;
using internal::Invalid;
using internal::ParseWrappedKeys;
using internal::Slot;

constexpr std::string_view kInfoDomain = "symbolon pool keys 1";
// A wrapping under another CMK belongs to a change that is under way for so long.
constexpr std::chrono::minutes kChangeMax{5};

// By use.
using Keys = std::map<std::string, Secret, std::less<>>;

KeyResult<pb::RegionalPoolKeys> ParseRegional(const std::optional<Bytes>& stored) {
  pb::RegionalPoolKeys regional;
  if (stored && !regional.ParseFromString(*stored)) return Invalid("no record of a Region's own keys");
  return regional;
}

const pb::WrappedPoolKeys* FindWrapping(const pb::RegionalPoolKeys& regional, std::string_view cmk_arn) {
  const auto found = std::ranges::find(regional.wrappings(), cmk_arn, &pb::WrappedPoolKeys::cmk_arn);
  return found == regional.wrappings().end() ? nullptr : &*found;
}

// The CMK under which Region `here` opens this record of the pool.
std::string OwnCmk(const Region& here, const RegionState& state, const pb::WrappedPoolKeys& keys) {
  return state.own_cmk_arn.empty() ? KeyArnInRegion(keys.cmk_arn(), here) : state.own_cmk_arn;
}

// A record of the pool, without what it offers, as the Region opens it.
struct Filled {
  pb::WrappedPoolKeys keys;
  Bytes octets;
  bool complete = true;
};

KeyResult<Filled> Fill(const Region& here, const RegionState& state, const pb::RegionalPoolKeys& regional,
                       BytesView record) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, ParseWrappedKeys(record));
  const std::string own = OwnCmk(here, state, keys);
  const bool pools = own == KeyArnInRegion(keys.cmk_arn(), here);
  const pb::WrappedPoolKeys* const wrapping = FindWrapping(regional, own);
  std::map<std::string, Bytes> mine;
  if (wrapping != nullptr) {
    pb::WrappedPoolKeys source = *wrapping;
    SYMBOLON_TRY_VOID(ForEachSlot(source, [&](const Slot& slot) -> KeyResult<void> {
      if (!slot.wrapped.empty()) mine.emplace(slot.use, slot.wrapped);
      return {};
    }));
  }
  bool complete = true;
  SYMBOLON_TRY_VOID(ForEachSlot(keys, [&](const Slot& slot) -> KeyResult<void> {
    if (const auto found = mine.find(slot.use); found != mine.end()) {
      slot.wrapped = found->second;
    } else if (!pools) {
      slot.wrapped.clear();
    }
    complete = complete && !slot.wrapped.empty();
    return {};
  }));
  if (pools && wrapping == nullptr) return Filled{std::move(keys), Bytes(record), complete};
  keys.set_cmk_arn(own);
  if (wrapping != nullptr) keys.set_provider(wrapping->provider());
  Bytes octets = keys.SerializeAsString();
  return Filled{std::move(keys), std::move(octets), complete};
}

Bytes InfoFor(const PoolId& pool, const Region& sender, const Region& receiver, BytesView record) {
  Bytes info(kInfoDomain);
  for (const std::string_view part :
       {std::string_view(pool.value()), std::string_view(sender.value()), std::string_view(receiver.value())}) {
    SYMBOLON_CHECK(part.size() <= 0xffff);
    AppendBigEndian16(info, static_cast<std::uint16_t>(part.size()));
    info += part;
  }
  return info + crypto::Sha256(record);
}

Secret Pack(const Keys& keys) {
  std::size_t size = 0;
  for (const auto& [use, key] : keys) size += 1 + use.size() + key.size();
  Bytes packed;
  packed.reserve(size);
  for (const auto& [use, key] : keys) {
    packed += static_cast<char>(use.size());
    packed += use;
    packed += key.view();
  }
  return Secret(std::move(packed));
}

KeyResult<Keys> Unpack(BytesView packed) {
  Keys keys;
  while (!packed.empty()) {
    const std::size_t use_bytes = static_cast<unsigned char>(packed.front());
    if (packed.size() < 1 + use_bytes + KeyProvider::kDataKeyBytes) return Invalid("keys that are cut short");
    keys.insert_or_assign(Bytes(packed.substr(1, use_bytes)),
                          Secret::CopyOf(packed.substr(1 + use_bytes, KeyProvider::kDataKeyBytes)));
    packed.remove_prefix(1 + use_bytes + KeyProvider::kDataKeyBytes);
  }
  return keys;
}

// Unwraps what is not in `keys` yet.
KeyResult<void> UnwrapInto(Keys& keys, KeyProvider& provider, const Region& here, pb::WrappedPoolKeys& wrapped) {
  internal::Unwrapper unwrapper(provider, here, wrapped);
  return ForEachSlot(wrapped, [&](const Slot& slot) -> KeyResult<void> {
    if (keys.contains(slot.use)) return {};
    SYMBOLON_TRY(Secret key, unwrapper.Unwrap(slot.use, slot.wrapped));
    keys.emplace(slot.use, std::move(key));
    return {};
  });
}

// All keys, of what is offered too.
KeyResult<Keys> UnwrapAll(KeyProvider& provider, const Region& here, const RegionState& state) {
  SYMBOLON_TRY(const KeysInRegionResult result, KeysInRegion(here, state));
  if (!result.complete || !result.offer_complete) return Invalid("keys that this Region has not been given");
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, ParseWrappedKeys(result.wrapped));
  Keys opened;
  SYMBOLON_TRY_VOID(UnwrapInto(opened, provider, here, keys));
  if (keys.offered().empty()) return opened;
  SYMBOLON_TRY(pb::WrappedPoolKeys offered, ParseWrappedKeys(keys.offered()));
  SYMBOLON_TRY_VOID(UnwrapInto(opened, provider, here, offered));
  return opened;
}

pb::WrappedPoolKeys& WrappingUnder(pb::RegionalPoolKeys& regional, KeyProvider& provider, const std::string& cmk_arn,
                                   const std::string& user_pool_arn) {
  for (pb::WrappedPoolKeys& wrapping : *regional.mutable_wrappings()) {
    if (wrapping.cmk_arn() == cmk_arn) return wrapping;
  }
  pb::WrappedPoolKeys& wrapping = *regional.add_wrappings();
  wrapping.set_provider(std::string(provider.Serving(cmk_arn).name()));
  wrapping.set_cmk_arn(cmk_arn);
  wrapping.set_user_pool_arn(user_pool_arn);
  return wrapping;
}

template <class Keep>
void KeepWrappings(pb::RegionalPoolKeys& regional, Keep&& keep) {
  auto& wrappings = *regional.mutable_wrappings();
  wrappings.erase(std::remove_if(wrappings.begin(), wrappings.end(), [&](const auto& each) { return !keep(each); }),
                  wrappings.end());
}

// Puts a wrapped key of this use (and label) into a wrapping.
void PutWrapped(pb::WrappedPoolKeys& wrapping, const Slot& like, Bytes wrapped) {
  if (like.use == internal::kIndexUse) {
    wrapping.set_wrapped_index_key(std::move(wrapped));
  } else if (like.use == internal::kIdentityUse) {
    wrapping.set_wrapped_identity_key(std::move(wrapped));
  } else if (like.use == internal::kTokenUse) {
    wrapping.set_wrapped_token_key(std::move(wrapped));
  } else {
    for (pb::DataKey& data_key : *wrapping.mutable_data_keys()) {
      if (data_key.generation() == like.label) return data_key.set_wrapped(std::move(wrapped));
    }
    pb::DataKey& added = *wrapping.add_data_keys();
    added.set_generation(Bytes(like.label));
    added.set_wrapped(std::move(wrapped));
  }
}

// Wraps the received keys that Region `here` lacks in one record of the pool.
KeyResult<void> TakeInto(pb::RegionalPoolKeys& regional, KeyProvider& provider, const Region& here,
                         const RegionState& state, BytesView record, const Keys& received) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys pools, ParseWrappedKeys(record));
  const std::string own = OwnCmk(here, state, pools);
  SYMBOLON_TRY(Filled filled, Fill(here, state, regional, record));
  const PoolId pool = internal::PoolOf(pools);
  return ForEachSlot(filled.keys, [&](const Slot& slot) -> KeyResult<void> {
    if (!slot.wrapped.empty()) return {};
    const auto key = received.find(slot.use);
    if (key == received.end()) return Invalid("a key is missing among those that were sent");
    if (slot.check.empty() || !crypto::EqualSecrets(internal::KeyCheck(key->second, slot.label, pool), slot.check)) {
      return Invalid("a key was sent that is not the pool's");
    }
    SYMBOLON_TRY(Bytes wrapped, provider.Encrypt(own, ContextOf(pools.user_pool_arn(), slot.use), key->second.view()));
    PutWrapped(WrappingUnder(regional, provider, own, pools.user_pool_arn()), slot, std::move(wrapped));
    return {};
  });
}

}  // namespace

Bytes SerializeRegionKey(const std::string& cmk_arn) {
  pb::RegionKey key;
  key.set_cmk_arn(cmk_arn);
  return key.SerializeAsString();
}

std::optional<std::string> ParseRegionKey(BytesView stored) {
  pb::RegionKey key;
  if (!key.ParseFromArray(stored.data(), static_cast<int>(stored.size())) || key.cmk_arn().empty()) {
    return std::nullopt;
  }
  return key.cmk_arn();
}

KeyResult<KeysInRegionResult> KeysInRegion(const Region& here, const RegionState& state) {
  SYMBOLON_TRY(const pb::RegionalPoolKeys regional, ParseRegional(state.regional));
  SYMBOLON_TRY(Filled filled, Fill(here, state, regional, state.record));
  KeysInRegionResult result{.wrapped = std::move(filled.octets), .complete = filled.complete};
  const Bytes offer = filled.keys.offered();
  if (offer.empty()) return result;
  SYMBOLON_TRY(const Filled offered, Fill(here, state, regional, offer));
  result.offer_complete = offered.complete;
  if (offered.complete && offered.octets == offer) return result;
  if (offered.complete) {
    filled.keys.set_offered(offered.octets);
  } else {
    filled.keys.clear_offered();
    filled.keys.clear_offered_at_micros();
  }
  result.wrapped = filled.keys.SerializeAsString();
  return result;
}

KeyResult<Bytes> NoteKeyChecks(KeyProvider& provider, const Region& here, const RegionState& state) {
  SYMBOLON_TRY(const KeysInRegionResult opened, KeysInRegion(here, state));
  SYMBOLON_TRY(const pb::WrappedPoolKeys source, ParseWrappedKeys(opened.wrapped));
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, ParseWrappedKeys(state.record));
  keys.clear_offered();
  keys.clear_offered_at_micros();
  SYMBOLON_TRY_VOID(internal::AddKeyChecks(provider, here, source, keys));
  return keys.SerializeAsString();
}

KeyResult<OfferBesides> OfferUnderOwnKey(KeyProvider& provider, const Region& here, const RegionState& state,
                                         Timestamp now, Random& random) {
  SYMBOLON_TRY(pb::WrappedPoolKeys keys, ParseWrappedKeys(state.record));
  SYMBOLON_TRY(pb::RegionalPoolKeys regional, ParseRegional(state.regional));
  keys.clear_offered();
  keys.clear_offered_at_micros();
  SYMBOLON_CHECK(keys.data_keys_size() < kGenerationsMax);
  const std::string own = OwnCmk(here, state, keys);
  SYMBOLON_TRY(pb::DataKey added, internal::NewDataKey(provider, own, keys.user_pool_arn(), now, random));
  const std::string use = internal::DataUse(added.generation());
  SYMBOLON_TRY(const Secret key, provider.Decrypt(own, ContextOf(keys.user_pool_arn(), use), added.wrapped()));
  *WrappingUnder(regional, provider, own, keys.user_pool_arn()).add_data_keys() = added;
  added.clear_wrapped();
  added.set_check(internal::KeyCheck(key, added.generation(), internal::PoolOf(keys)));
  pb::WrappedPoolKeys offered = keys;
  offered.set_sealing_generation(added.generation());
  *offered.add_data_keys() = std::move(added);
  keys.set_offered(offered.SerializeAsString());
  keys.set_offered_at_micros(ToMicros(now));
  return OfferBesides{.record = keys.SerializeAsString(), .regional = regional.SerializeAsString()};
}

KeyResult<Bytes> SealKeysFor(KeyProvider& provider, const Region& here, const RegionState& state,
                             const Region& receiver, BytesView receiving_key) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys pools, ParseWrappedKeys(state.record));
  SYMBOLON_TRY(const Keys keys, UnwrapAll(provider, here, state));
  auto sealed =
      crypto::SealTo(receiving_key, InfoFor(internal::PoolOf(pools), here, receiver, state.record), Pack(keys).view());
  if (!sealed) return Invalid("no key to seal to");
  return *std::move(sealed);
}

KeyResult<Bytes> TakeKeysFrom(KeyProvider& provider, const Region& here, const RegionState& state, const Region& sender,
                              const crypto::HybridPrivateKey& key, BytesView sealed) {
  SYMBOLON_TRY(const pb::WrappedPoolKeys pools, ParseWrappedKeys(state.record));
  const auto opened = key.Open(InfoFor(internal::PoolOf(pools), sender, here, state.record), sealed);
  if (!opened) return Invalid("keys that were not sealed for here");
  SYMBOLON_TRY(const Keys received, Unpack(opened->view()));
  SYMBOLON_TRY(pb::RegionalPoolKeys regional, ParseRegional(state.regional));
  SYMBOLON_TRY_VOID(TakeInto(regional, provider, here, state, state.record, received));
  if (!pools.offered().empty()) {
    SYMBOLON_TRY_VOID(TakeInto(regional, provider, here, state, pools.offered(), received));
  }
  return regional.SerializeAsString();
}

KeyResult<Bytes> WrapUnderOwnKey(KeyProvider& provider, const Region& here, const RegionState& state,
                                 const std::string& cmk_arn, Timestamp now) {
  SYMBOLON_TRY(const Keys keys, UnwrapAll(provider, here, state));
  SYMBOLON_TRY(const pb::WrappedPoolKeys record, ParseWrappedKeys(state.record));
  SYMBOLON_TRY(pb::RegionalPoolKeys regional, ParseRegional(state.regional));
  // What an earlier change left.
  KeepWrappings(regional, [&, own = OwnCmk(here, state, record)](const pb::WrappedPoolKeys& wrapping) {
    return wrapping.cmk_arn() == own;
  });
  const auto put = [&](BytesView record) -> KeyResult<void> {
    SYMBOLON_TRY(pb::WrappedPoolKeys pools, ParseWrappedKeys(record));
    return ForEachSlot(pools, [&](const Slot& slot) -> KeyResult<void> {
      SYMBOLON_TRY(Bytes wrapped, provider.Encrypt(cmk_arn, ContextOf(pools.user_pool_arn(), slot.use),
                                                   keys.find(slot.use)->second.view()));
      PutWrapped(WrappingUnder(regional, provider, cmk_arn, pools.user_pool_arn()), slot, std::move(wrapped));
      return {};
    });
  };
  SYMBOLON_TRY_VOID(put(state.record));
  if (!record.offered().empty()) SYMBOLON_TRY_VOID(put(record.offered()));
  WrappingUnder(regional, provider, cmk_arn, record.user_pool_arn()).set_offered_at_micros(ToMicros(now));
  return regional.SerializeAsString();
}

std::set<Bytes> FormerKeys(const RegionState& state) {
  const auto pools = ParseWrappedKeys(state.record);
  const auto regional = ParseRegional(state.regional);
  std::set<Bytes> former;
  if (!pools || !regional) return former;
  for (const pb::WrappedPoolKeys& wrapping : regional->wrappings()) {
    for (const pb::DataKey& data_key : wrapping.data_keys()) former.insert(data_key.generation());
  }
  const auto still_used = [&](const pb::WrappedPoolKeys& keys) {
    for (const pb::DataKey& data_key : keys.data_keys()) former.erase(data_key.generation());
  };
  still_used(*pools);
  if (const auto offered = ParseWrappedKeys(pools->offered())) still_used(*offered);
  return former;
}

std::optional<Bytes> WithoutFormerKeys(const Region& here, const RegionState& state, const std::set<Bytes>& kept,
                                       Timestamp now) {
  const auto pools = ParseWrappedKeys(state.record);
  auto regional = ParseRegional(state.regional);
  if (!state.regional || !pools || !regional) return std::nullopt;
  std::set<Bytes> former = FormerKeys(state);
  for (const Bytes& generation : kept) former.erase(generation);
  std::set<std::string> cmks{OwnCmk(here, state, *pools)};
  if (const auto offered = ParseWrappedKeys(pools->offered())) cmks.insert(OwnCmk(here, state, *offered));
  KeepWrappings(*regional, [&](const pb::WrappedPoolKeys& wrapping) {
    return cmks.contains(wrapping.cmk_arn()) || now - FromMicros(wrapping.offered_at_micros()) < kChangeMax;
  });
  for (pb::WrappedPoolKeys& wrapping : *regional->mutable_wrappings()) {
    auto& data_keys = *wrapping.mutable_data_keys();
    data_keys.erase(std::remove_if(data_keys.begin(), data_keys.end(),
                                   [&](const auto& data_key) { return former.contains(data_key.generation()); }),
                    data_keys.end());
  }
  Bytes without = regional->SerializeAsString();
  if (without == *state.regional) return std::nullopt;
  return without;
}

}  // namespace symbolon::keys
