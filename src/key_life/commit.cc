#include "key_life/commit.h"

#include <future>

#include "base/log.h"
#include "directory/record_types.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;

// A conflict means that another commit went through.
constexpr int kAttemptsMax = 64;

bool IsConflict(const replication::CommitError& error) {
  return error.store && error.store->code == storage::StoreErrorCode::kConflict;
}

CommitFailure Unavailable(std::string detail) { return {CommitFailureCode::kUnavailable, std::move(detail)}; }

// Waits, bounded, while the pool's primary changes.
void AwaitGate(const Services& services, const PoolId& pool) {
  if (services.gate == nullptr || services.gate->IsOpen(pool)) return;
  std::promise<void> opened;
  services.gate->Await(pool, [&] { opened.set_value(); });
  opened.get_future().wait();
}

}  // namespace

CommitResult<replication::pb::RoleRecord> RoleAsPrimary(const Services& services, const storage::Snapshot& snapshot,
                                                        const PoolId& pool) {
  const auto stored = snapshot.Get({.pool = pool, .type = replication::kRoleRecordType, .id = ""});
  if (!stored) return Err(Unavailable(stored.error().detail));
  auto role = *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!role || role->deleted()) return Err(CommitFailure{CommitFailureCode::kNoPool, "there is no such pool"});
  if (replication::RoleOf(*role, services.here).kind != replication::Role::Kind::kPrimary) {
    return Err(CommitFailure{CommitFailureCode::kNotPrimary, "this Region is not the pool's primary"});
  }
  return *std::move(role);
}

replication::DurableCommitResult SubmitAndWait(const Services& services, storage::Commit commit,
                                               const replication::pb::RoleRecord& role) {
  std::promise<replication::DurableCommitResult> done;
  services.commits.Submit(std::move(commit), role, [&](auto result) { done.set_value(std::move(result)); });
  return done.get_future().get();
}

keys::KeyServiceResult<void> CommitOwnKeys(const Services& services, const PoolId& pool, const MakeOwnKeys& make) {
  const auto key = [&](storage::Space space, RecordType type, const Bytes& id) {
    return storage::Key{.space = space, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = id};
  };
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto snapshot = services.store.MakeSnapshot();
    SYMBOLON_TRY(std::optional<Bytes> own, make(*snapshot));
    if (!own) return {};
    storage::Commit commit{.pool = pool, .snapshot_version = snapshot->version()};
    commit.reads.push_back(key(storage::Space::kDirectory, RecordType::kWrappedKeys, ""));
    commit.reads.push_back(key(storage::Space::kDirectory, RecordType::kRegionKey, services.here.value()));
    commit.reads.push_back(key(storage::Space::kRegional, RecordType::kRegionalKeys, ""));
    commit.regional.push_back({.key = commit.reads.back(), .value = *std::move(own)});
    std::promise<storage::StoreResult<storage::Committed>> done;
    services.store.Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
    const auto committed = done.get_future().get();
    if (committed) return {};
    if (committed.error().code == storage::StoreErrorCode::kConflict) continue;
    log::Error("the Region's own keys of pool {} are not stored: {}", pool.value(), committed.error().detail);
    break;
  }
  return Err(keys::KeyServiceError{keys::KeyServiceErrorCode::kUnavailable, "The keys cannot be stored at present."});
}

keys::KeyServiceResult<void> WrapOwnKeys(const Services& services, const PoolId& pool, const std::string& kms_key_arn) {
  return CommitOwnKeys(services, pool, [&](const auto& snapshot) -> keys::KeyServiceResult<std::optional<Bytes>> {
    return services.keys.WrapUnder(snapshot, pool, kms_key_arn);
  });
}

std::string Describe(const replication::CommitError& error) {
  switch (error.code) {
    case replication::CommitErrorCode::kStore:
      return error.store ? error.store->detail : "the store failed";
    case replication::CommitErrorCode::kBehind:
      return "the replicas lag too much";
    case replication::CommitErrorCode::kOutOfReach:
      return "no replica is in reach";
    case replication::CommitErrorCode::kNoLease:
      return "this Region is not sure at present that it may change the pool";
    case replication::CommitErrorCode::kUnconfirmed:
      return "written, and not confirmed: its outcome is not known yet";
  }
  return "";
}

CommitResult<bool> CommitPlan(const Services& services, const PoolId& pool, const Plan& plan) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    AwaitGate(services, pool);
    const std::shared_ptr<const storage::Snapshot> snapshot(services.store.MakeSnapshot());
    SYMBOLON_TRY(const replication::pb::RoleRecord role, RoleAsPrimary(services, *snapshot, pool));
    directory::Transaction tx(snapshot, pool, nullptr, services.random);
    tx.GetClear(directory::RecordType::kRole, "");
    const bool wanted = plan(tx, role);
    if (tx.failure()) return Err(Unavailable(tx.failure()->detail));
    if (!wanted || !tx.has_changes()) return wanted;
    const auto committed = SubmitAndWait(services, tx.TakeCommit(), role);
    if (committed) return true;
    if (IsConflict(committed.error())) continue;
    if (committed.error().store && committed.error().store->code == storage::StoreErrorCode::kNotWriter) {
      return Err(CommitFailure{CommitFailureCode::kNotPrimary, "this Region is not the pool's primary any more"});
    }
    return Err(Unavailable(Describe(committed.error())));
  }
  return Err(Unavailable("other changes came first, again and again"));
}

}  // namespace symbolon::key_life
