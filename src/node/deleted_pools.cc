#include "node/deleted_pools.h"

#include "base/log.h"
#include "directory/record_types.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

storage::Key KeyOf(const PoolId& pool, directory::RecordType type) {
  return {.space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = {}};
}

}  // namespace

void DeletedPools::Tick() {
  changes_.Visit([this](const PoolId& pool) { return DropIfDeleted(pool); });
}

bool DeletedPools::DropIfDeleted(const PoolId& pool) {
  const auto snapshot = store_.MakeSnapshot();
  const auto stored = snapshot->Get(KeyOf(pool, directory::RecordType::kRole));
  const auto order = snapshot->Get(KeyOf(pool, directory::RecordType::kShreddingOrder));
  if (!stored || !order) {
    log::Error("pool {} cannot be read: {}", pool.value(), (stored ? order : stored).error().detail);
    return false;
  }
  const auto role = *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!role || !role->deleted()) return true;
  // A shredding drops its pool itself, and counts what it destroys.
  if (*order) return true;
  // Other Regions have to hear of it first, as soon as there is replication again.
  if (role->primary() != here_.value() || role->members_size() > 0) return true;
  if (const auto dropped = store_.DropPool(pool); !dropped) {
    log::Error("pool {} cannot be dropped: {}", pool.value(), dropped.error().detail);
    return false;
  }
  log::Info("pool {} is deleted: its records are dropped", pool.value());
  return true;
}

}  // namespace symbolon::node
