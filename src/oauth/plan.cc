#include "oauth/plan.h"

namespace symbolon::oauth {

Result<std::unique_ptr<OpenPool>, PlanError> Open(const Endpoints::Services& services, const PoolId& pool) {
  auto here = std::make_unique<OpenPool>();
  here->snapshot = std::shared_ptr<const storage::Snapshot>(services.store.MakeSnapshot());
  auto keys = services.keys.KeysOf(*here->snapshot, pool);
  if (!keys) return Err(PlanError::kUnavailable);
  directory::Transaction& tx =
      here->tx.emplace(here->snapshot, pool, *std::move(keys), services.random, &services.records);
  here->role = tx.ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  here->pool = tx.Share<directory::PoolKind>("");
  if (tx.failure()) return Err(PlanError::kUnavailable);
  if (!here->role || !here->pool || here->role->deleted()) return Err(PlanError::kNotFound);
  const replication::Role role = replication::RoleOf(*here->role, services.region.region);
  here->is_primary = role.kind == replication::Role::Kind::kPrimary;
  if (!here->is_primary && role.state != replication::pb::ACTIVE) return Err(PlanError::kUnavailable);
  return here;
}

}  // namespace symbolon::oauth
