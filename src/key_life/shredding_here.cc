// What a shredding does in this Region.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "base/log.h"
#include "key_life/audit_destruction.h"
#include "key_life/shredding.h"

namespace symbolon::key_life {
namespace {

using certificate::Order;
using directory::RecordType;
using directory::pb::ShreddingRecord;

storage::Key WrappedKeysOf(const PoolId& pool) {
  return {.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kWrappedKeys), .id = {}};
}
// What a Region with a CMK of its own has of them (keys/regional_keys.h).
storage::Key RegionalKeysOf(const PoolId& pool) {
  return {.space = storage::Space::kRegional,
          .pool = pool,
          .type = static_cast<std::uint16_t>(RecordType::kRegionalKeys),
          .id = {}};
}

bool IsWrappedKeys(BytesView type_and_id) {
  return type_and_id.size() >= 2 &&
         ReadBigEndian16(type_and_id) == static_cast<std::uint16_t>(RecordType::kWrappedKeys);
}

std::string KeysOf(const Order& order) {
  std::string keys;
  for (const std::string& arn : order.kms_key_arns) keys += (keys.empty() ? "" : ", ") + arn;
  return keys;
}

// What remains wherever a store was. Never longer than it has to be: auditors read it.
std::vector<std::string> WhatRemains(const Order& order, Timestamp at) {
  return {fmt::format(
              "Copies of this Region's data_dir that were made before {:%Y-%m-%dT%H:%M:%SZ}, such as backups and "
              "snapshots of its disk, hold the user pool as it was: its records sealed, its data keys wrapped. Such a "
              "copy opens only with the use of its KMS keys ({}): disable or delete them, and no copy opens.",
              std::chrono::floor<std::chrono::seconds>(at), KeysOf(order)),
          "What the file system and the disk keep of files that were removed, until it is written over.",
          "Lines of the audit trail that name the user pool's id, and this certificate."};
}

}  // namespace

// Why the pool counts as being in this Region's store; empty: nothing of it is.
std::string Shredding::WhyHere(const PoolId& pool) const {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto stored = snapshot->Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  const auto head = snapshot->Head(pool);
  const auto staging = services_.store.FindStaging(pool);
  if (!stored || !head || !staging) return "Its store cannot be read.";
  const auto role = *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (*stored && !role) return "Its store cannot be read.";
  if (!role) return *head || *staging ? "It is receiving a copy of the user pool." : "";
  if (!role->deleted()) {
    return fmt::format(
        "It has the user pool, with Region {} as its primary, and has not heard in its log that it is to "
        "be shredded. If that Region became the primary meanwhile, ask there again.",
        replication::LeaderOf(*role).value());
  }
  std::string members;
  for (const auto& member : role->members()) {
    if (member.region() != services_.here.value()) members += (members.empty() ? "" : ", ") + member.region();
  }
  if (role->primary() != services_.here.value()) return "Its records are being removed.";
  if (members.empty()) return "Its records are being removed.";
  return fmt::format("Its keys are destroyed; its records go when {} has heard that it is to remove them.", members);
}

bool Shredding::IsDeletedHere(const PoolId& pool) const {
  const auto stored =
      services_.store.MakeSnapshot()->Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  const auto role = stored && *stored ? replication::ParseRole(**stored) : std::nullopt;
  return role && role->deleted();
}

std::string Shredding::DestroyKeys(const Order& order, ShreddingRecord& record) {
  const PoolId& pool = order.pool;
  const auto stored =
      services_.store.MakeSnapshot()->Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  if (!stored) return "Its store cannot be read.";
  if (*stored) {
    const auto role = replication::ParseRole(**stored);
    if (!role) return "Its store cannot be read.";
    if (!role->deleted()) return WhyHere(pool);
    if (record.position().empty()) {
      const auto position = PositionOf(pool);
      if (!position) return "Its store cannot be read.";
      record.set_position(*position);
    }
    const auto erased =
        services_.store.EraseLogBodies(pool, UINT64_MAX, [](BytesView key, BytesView) { return IsWrappedKeys(key); });
    // Dropped meanwhile: the log is gone.
    if (!erased && erased.error().code != storage::StoreErrorCode::kGap) return "Its log is being replaced.";
    if (erased) record.set_log_bodies(record.log_bodies() + *erased);
    if (const auto dropped = services_.store.DropStaging(pool); !dropped) return "Its store fails.";
  }
  if (auto why = RemoveSetAside(pool, record); !why.empty()) return why;
  if (!DeleteRegionalKeys(pool)) return "Its store fails.";
  const storage::PurgeScope scope{.keys = {WrappedKeysOf(pool), RegionalKeysOf(pool)}, .directory_log = true};
  if (auto why = Purge(pool, scope, record); !why.empty()) return why;
  if (options_.forget) options_.forget(pool);
  record.set_state(ShreddingRecord::REMOVING_RECORDS);
  log::Info("pool {}: its keys are destroyed", pool.value());
  return {};
}

bool Shredding::DeleteRegionalKeys(const PoolId& pool) {
  const auto stored = services_.store.MakeSnapshot()->Get(RegionalKeysOf(pool));
  if (!stored || !*stored) return stored.has_value();
  storage::Commit commit{.pool = pool};
  commit.regional.push_back({.key = RegionalKeysOf(pool), .value = std::nullopt});
  std::promise<bool> done;
  services_.store.Submit(std::move(commit), [&](const auto& result) { done.set_value(result.has_value()); });
  return done.get_future().get();
}

std::string Shredding::RemoveRecords(const Order& order, ShreddingRecord& record) {
  const PoolId& pool = order.pool;
  // Where there are no other Regions nobody else drops it.
  if (auto why = WhyHere(pool); !why.empty() && (services_.ask || !IsDeletedHere(pool))) return why;
  // A former replica may have left something.
  if (const auto dropped = services_.store.DropPool(pool); !dropped) {
    log::Error("pool {} cannot be dropped: {}", pool.value(), dropped.error().detail);
    return "Its store fails.";
  }
  if (auto why = RemoveSetAside(pool, record); !why.empty()) return why;
  if (auto why = Purge(pool, {.everything = true}, record); !why.empty()) return why;
  const Timestamp now = services_.clock.Now();
  if (auto why = AuditDestruction(trail_, now, "DestroyUserPoolKeys", order); !why.empty()) return why;
  const certificate::Statement statement{.region = services_.here,
                                         .at = std::chrono::floor<std::chrono::seconds>(now),
                                         .position = record.position(),
                                         .done = {{"dataKeysDestroyed", order.data_keys.size()},
                                                  {"logBodiesErased", record.log_bodies()},
                                                  {"setAsideFilesRemoved", record.set_aside_files()},
                                                  {"storeFilesRewritten", record.store_files()},
                                                  {"recordsLeft", 0}},
                                         .remains = WhatRemains(order, now)};
  (*record.mutable_statements())[services_.here.value()] = certificate::SignStatement(record.order(), statement, key_);
  record.set_state(ShreddingRecord::COLLECTING);
  log::Info("pool {} is shredded in this Region", pool.value());
  return {};
}

std::string Shredding::RemoveSetAside(const PoolId& pool, ShreddingRecord& record) {
  if (options_.suffixes == nullptr) return {};
  const auto removed = options_.suffixes->RemoveAllOf(pool);
  if (!removed) {
    log::Error("pool {}: what was set aside of it stays: {}", pool.value(), removed.error().detail);
    return "What was set aside of it cannot be removed.";
  }
  record.set_set_aside_files(record.set_aside_files() + *removed);
  return {};
}

std::string Shredding::Purge(const PoolId& pool, const storage::PurgeScope& scope, ShreddingRecord& record) {
  const auto purged = services_.store.Purge(pool, scope);
  if (purged) {
    record.set_store_files(record.store_files() + purged->files);
    return {};
  }
  log::Info("pool {} is not purged yet: {}", pool.value(), purged.error().detail);
  switch (purged.error().code) {
    case storage::StoreErrorCode::kConflict:
      return "An earlier state of its store is being read, such as a copy that is being sent.";
    case storage::StoreErrorCode::kFull:
      return "Its store has no room to write its files anew.";
    default:
      return "Its store fails.";
  }
}

std::vector<certificate::Unconfirmed> Shredding::RemovedOf(const Order& order, const ShreddingRecord& record) const {
  std::vector<certificate::Unconfirmed> removed;
  for (const Region& region : order.regions) {
    if (record.statements().contains(region.value())) continue;
    if (std::ranges::find(options_.gone, region) == options_.gone.end()) continue;
    removed.push_back(
        {.region = region,
         .reason = fmt::format("Region {} counts it as gone for good (keys.forgotten_regions). It has not confirmed "
                               "anything: its data_dir, and copies of that, may hold the user pool as it was. Such a "
                               "copy opens only with the use of its KMS keys ({}): disable or delete them.",
                               services_.here.value(), KeysOf(order))});
  }
  return removed;
}

std::string Shredding::Finish(const Order& order, ShreddingRecord& record) {
  certificate::Contents contents{.order_text = record.order(),
                                 .statements = {},
                                 .pending = {},
                                 .removed = RemovedOf(order, record),
                                 .issued_by = services_.here,
                                 .issued_at = std::chrono::floor<std::chrono::seconds>(services_.clock.Now())};
  for (const Region& region : order.regions) {
    const auto found = record.statements().find(region.value());
    if (found != record.statements().end()) contents.statements.push_back(found->second);
  }
  if (auto why = AuditDestruction(trail_, services_.clock.Now(), "IssueCertificate", order, contents.removed);
      !why.empty()) {
    return why;
  }
  record.set_certificate(certificate::Issue(contents, key_));
  record.set_state(ShreddingRecord::FINAL);
  log::Info("pool {} is shredded in {} of {} Regions, and the others are gone: the certificate is issued",
            order.pool.value(), contents.statements.size(), order.regions.size());
  return {};
}

}  // namespace symbolon::key_life
