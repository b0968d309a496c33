#include "erasure/begin.h"

#include <algorithm>

#include "certificate/certificate.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::erasure {
namespace {

using directory::ErasureKind;
using directory::RecordType;
using directory::pb::ErasureRecord;

// The data keys, and every KMS key under which a Region of the order, or a copy of its store from before, may have
// them.
void AddKeys(certificate::Order& order, directory::Transaction& tx) {
  const auto contents = keys::ContentsOfPoolKeys(tx.GetClear(RecordType::kWrappedKeys, "").value_or(""));
  if (!contents) return;
  for (const auto& generation : contents->generations) {
    order.data_keys.push_back({.generation = generation.name, .wrapped_sha256 = generation.wrapped_sha256});
  }
  const auto add = [&](const std::string& arn) {
    if (std::ranges::find(order.kms_key_arns, arn) == order.kms_key_arns.end()) order.kms_key_arns.push_back(arn);
  };
  add(contents->cmk_arn);
  if (contents->offered_at) add(contents->offered_cmk_arn);
  for (const Region& region : order.regions) {
    const auto stored = tx.GetClear(RecordType::kRegionKey, region.value());
    if (const auto own = stored ? keys::ParseRegionKey(*stored) : std::nullopt) add(*own);
  }
  for (const std::string& arn : contents->former_cmk_arns) add(arn);
}

}  // namespace

Bytes BeginErasure(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                   const replication::pb::RoleRecord& role, const ErasureWish& wish, const Region& here,
                   Timestamp now) {
  Bytes id = tx.random().Octets(kErasureIdBytes);
  certificate::Order order{.kind = certificate::Kind::kUserErased,
                           .id = HexEncode(id),
                           .pool = tx.pool(),
                           .user_sub = wish.sub,
                           .data_keys = {},
                           .kms_key_arns = {},
                           .asked_by = wish.asked_by,
                           .asked_in = here,
                           .asked_at = std::chrono::floor<std::chrono::seconds>(now),
                           .regions = {here}};
  for (const auto& member : role.members()) order.regions.emplace_back(member.region());
  std::ranges::sort(order.regions);
  const auto twice = std::ranges::unique(order.regions);
  order.regions.erase(twice.begin(), twice.end());
  AddKeys(order, tx);

  ErasureRecord record;
  record.set_started_micros(ToMicros(now));
  record.set_name_key(directory::UserKeyOf(tx, pool, wish.sub));
  record.set_order(certificate::FormatOrder(order));
  if (wish.user) {
    record.set_user_key(wish.user->key);
    directory::DeleteUser(tx, pool, *wish.user);
  }
  tx.Put<ErasureKind>(id, record);
  return id;
}

}  // namespace symbolon::erasure
