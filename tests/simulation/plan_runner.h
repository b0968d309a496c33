// Runs production plans (directory::Transaction and the functions of src/auth) in one simulated process, as the
// pipeline of the APIs does: on a snapshot, with the process's caches, again after a conflict, answered when the commit
// is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/access_tokens.h"
#include "auth/context.h"
#include "directory/record_cache.h"
#include "plants.h"
#include "replication/durable_commits.h"
#include "scheduler.h"
#include "storage/local_store.h"

namespace symbolon::simulation {

class SimRegion;

// What of a pool a plan could see when it ran.
struct Sight {
  std::uint64_t version = 0;
  // The pool's key was withdrawn.
  bool locked = false;
  std::optional<storage::pb::Head> head;
  storage::pb::FactVector facts;
};

// How a request ended that was answered.
struct Served {
  Sight saw;
  // What was committed; without a position and facts when the plan changed nothing.
  std::optional<storage::pb::Position> position;
  std::vector<storage::FactChange> facts;
  Timestamp now{};
};

class PlanRunner {
 public:
  // Answers whether its changes are to be committed. Runs again after a conflict.
  using Plan = std::function<bool(const auth::Context&)>;
  // nullopt: the client gets no answer, or an error of which it concludes nothing.
  using Done = std::function<void(const std::optional<Served>&)>;

  // Both outlive this object, which lives as long as the process.
  PlanRunner(SimRegion& region, Dice& dice, Plant plant);

  void Run(const PoolId& pool, Plan plan, Done done);
  // What was opened with the pool's keys goes.
  void Forget(const PoolId& pool);

  auth::AccessTokenVerifier& verifier() { return verifier_; }
  const directory::RegionSettings& settings() const { return settings_; }
  std::shared_ptr<const keys::PoolKeys> KeysOf(const PoolId& pool);
  // A commit that was made although something that it had read changed before; empty: there was none.
  const std::string& violation() const { return violation_; }

 private:
  struct Request {
    PoolId pool;
    Plan plan;
    Done done;
    std::unique_ptr<directory::Env> env;
    int attempts_left = 16;
  };

  void Attempt(const std::shared_ptr<Request>& request);
  void OnCommitted(const std::shared_ptr<Request>& request, const storage::Commit& submitted, Served served,
                   const replication::DurableCommitResult& result);
  void CheckSerial(const storage::Commit& submitted, std::uint64_t version);
  std::shared_ptr<const storage::Snapshot> SnapshotOf(const PoolId& pool);

  SimRegion& region_;
  Dice& dice_;
  const Plant plant_;
  const directory::RegionSettings settings_;
  const directory::pb::PoolRecord pool_record_;
  directory::RecordCache cache_;
  auth::AccessTokenVerifier verifier_;
  auth::TokenSigner signer_;
  std::map<PoolId, std::shared_ptr<const keys::PoolKeys>> keys_;
  // Versions in which keys changed, ascending.
  std::map<storage::Key, std::vector<std::uint64_t>> changed_;
  std::string violation_;
  // With Plant::kOldSnapshot: what it goes on showing.
  std::shared_ptr<const storage::Snapshot> old_snapshot_;
  nanoseconds old_snapshot_until_{};
  std::unique_ptr<storage::Subscription> subscription_;
};

// As every Region has it.
directory::RegionSettings SettingsOf(const Region& region);
// The pool's own record, which does not change.
directory::pb::PoolRecord MakePoolRecord();

}  // namespace symbolon::simulation
