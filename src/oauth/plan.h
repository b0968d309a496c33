// Plans of the OAuth endpoints: run on one snapshot, committed, and run again after a conflict (architecture §4).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "auth/context.h"
#include "auth/error.h"
#include "base/log.h"
#include "directory/transaction.h"
#include "http/await.h"
#include "oauth/endpoints.h"
#include "replication/roles.h"

namespace symbolon::oauth {

enum class PlanError {
  // The pool does not exist here.
  kNotFound,
  // It does not serve here now, or the outcome of the commit is not known.
  kUnavailable,
};

// A pool that serves end users here, at one snapshot.
struct OpenPool {
  std::shared_ptr<const storage::Snapshot> snapshot;
  std::optional<directory::Transaction> tx;
  std::shared_ptr<const replication::pb::RoleRecord> role;
  std::shared_ptr<const directory::pb::PoolRecord> pool;
  bool is_primary = false;
};

// The primary, or an ACTIVE replica.
Result<std::unique_ptr<OpenPool>, PlanError> Open(const Endpoints::Services& services, const PoolId& pool);

template <class T>
struct Planned {
  auth::AuthResult<T> answer;
  // Of what it changed in the directory.
  std::optional<storage::pb::Position> position = {};
};

inline constexpr int kPlanAttemptsMax = 32;

// `plan(const auth::Context&, bool can_write)` answers an AuthResult<T>; `can_write`: it may change the directory.
template <class T, class Plan>
boost::asio::awaitable<Result<Planned<T>, PlanError>> RunPlan(const Endpoints::Services& services, PoolId pool,
                                                              Plan plan) {
  directory::Env env(services.clock.Now(), services.random, services.region);
  for (int attempts = 0; attempts < kPlanAttemptsMax; ++attempts) {
    auto opened = Open(services, pool);
    if (!opened) co_return Err(opened.error());
    OpenPool& here = **opened;
    directory::Transaction& tx = *here.tx;
    const bool can_write = here.is_primary && (services.gate == nullptr || services.gate->IsOpen(pool));
    const auth::Context context{.tx = tx, .env = env, .pool = *here.pool, .signer = services.signer};
    auth::AuthResult<T> answer = plan(context, can_write);
    if (tx.failure()) {
      log::Error("an OAuth request of pool {}: {}", pool.value(), tx.failure()->detail);
      co_return Err(PlanError::kUnavailable);
    }
    const bool keeps_changes = answer || answer.error().keep_changes;
    if (keeps_changes && !tx.has_changes() && tx.has_notes()) {
      // Nobody waits for these.
      services.commits.Submit(tx.TakeCommit(), *here.role, [](const replication::DurableCommitResult&) {});
      co_return Planned<T>{.answer = std::move(answer)};
    }
    if (!keeps_changes || !tx.has_changes()) co_return Planned<T>{.answer = std::move(answer)};
    SYMBOLON_CHECK(can_write || !tx.changes_directory());
    storage::Commit commit = tx.TakeCommit();
    const std::shared_ptr<const replication::pb::RoleRecord> role = here.role;
    // The pool's keys, and what they opened, are held for moments only.
    opened->reset();
    auto committed = co_await http::AwaitCallback<replication::DurableCommitResult>(
        [&](auto done) { services.commits.Submit(std::move(commit), *role, std::move(done)); });
    if (committed) co_return Planned<T>{.answer = std::move(answer), .position = committed->committed.position};
    const auto& store = committed.error().store;
    if (store && store->code == storage::StoreErrorCode::kConflict) continue;
    // What it would use up may have been used before.
    if (store && store->code == storage::StoreErrorCode::kExpired)
      co_return Planned<T>{.answer = auth::Fail(auth::AuthErrorCode::kNotAuthorized, "Expired.")};
    log::Warning("an OAuth request of pool {} was not committed{}", pool.value(), store ? ": " + store->detail : "");
    co_return Err(PlanError::kUnavailable);
  }
  co_return Err(PlanError::kUnavailable);
}

}  // namespace symbolon::oauth
