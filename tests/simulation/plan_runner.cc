#include "plan_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "directory/test_store.h"
#include "region.h"

namespace symbolon::simulation {

directory::RegionSettings SettingsOf(const Region& region) {
  directory::RegionSettings settings;
  settings.region = region;
  settings.account = "000000000000";
  for (const std::string_view name : kRegionNames) {
    settings.public_urls[Region(std::string(name))] = fmt::format("https://{}.example", name);
  }
  settings.neutral_url = "https://id.example";
  return settings;
}

directory::pb::PoolRecord MakePoolRecord() {
  directory::pb::PoolRecord record;
  record.set_name("pool");
  record.mutable_password_policy()->set_minimum_length(8);
  record.set_mfa(directory::pb::MFA_OPTIONAL);
  record.set_software_token_mfa(true);
  for (const char* name : {"email", "email_verified", "name"}) {
    auto& schema = *record.add_schema();
    schema.set_name(name);
    schema.set_data_type("String");
    schema.set_mutable_(true);
  }
  return record;
}

PlanRunner::PlanRunner(SimRegion& region, Dice& dice, Plant plant)
    : region_(region),
      dice_(dice),
      plant_(plant),
      settings_(SettingsOf(region.name())),
      pool_record_(MakePoolRecord()) {
  cache_.Follow(region.store());
  subscription_ = region.store().Subscribe([this](const storage::Notice& notice) {
    for (const storage::Key& key : notice.keys) changed_[key].push_back(notice.version);
    if (!notice.everything) return;
    for (auto& [key, versions] : changed_) {
      if (key.pool == notice.pool) versions.push_back(notice.version);
    }
  });
}

std::shared_ptr<const keys::PoolKeys> PlanRunner::KeysOf(const PoolId& pool) {
  auto& keys = keys_[pool];
  if (!keys) keys = directory::TestKeysOf(region_.name(), pool);
  return keys;
}

std::shared_ptr<const storage::Snapshot> PlanRunner::SnapshotOf(const PoolId& pool) {
  std::shared_ptr<const storage::Snapshot> snapshot = region_.store().MakeSnapshot();
  if (plant_ != Plant::kOldSnapshot) return snapshot;
  if (!old_snapshot_ || region_.Now().since_boot > old_snapshot_until_ || !*old_snapshot_->Head(pool)) {
    old_snapshot_ = snapshot;
    old_snapshot_until_ = region_.Now().since_boot + std::chrono::seconds(1);
  }
  return old_snapshot_;
}

void PlanRunner::Run(const PoolId& pool, Plan plan, Done done) {
  auto request = std::make_shared<Request>();
  request->pool = pool;
  request->plan = std::move(plan);
  request->done = std::move(done);
  request->env = std::make_unique<directory::Env>(region_.Now().wall, dice_.random(), settings_);
  Attempt(request);
}

void PlanRunner::Forget(const PoolId& pool) {
  cache_.Forget(pool);
  verifier_.Forget(pool);
}

void PlanRunner::Attempt(const std::shared_ptr<Request>& request) {
  const bool locked = !region_.Opens(request->pool);
  if (locked && plant_ != Plant::kServeLocked) {
    ++region_.refused_locked;
    return request->done(std::nullopt);
  }
  Served served;
  served.now = request->env->now();
  const auto present = region_.store().MakeSnapshot();
  const auto head = present->Head(request->pool);
  auto facts = present->Facts(request->pool);
  SYMBOLON_CHECK(head && facts);
  served.saw = {.version = present->version(), .locked = locked, .head = *head, .facts = *std::move(facts)};
  // Gone since the request was admitted.
  if (!served.saw.head) return request->done(std::nullopt);

  directory::Transaction tx(SnapshotOf(request->pool), request->pool, KeysOf(request->pool), dice_.random(), &cache_);
  const auto stored_role = tx.GetClear(directory::RecordType::kRole, "");
  const auto role = stored_role ? replication::ParseRole(*stored_role) : std::nullopt;
  SYMBOLON_CHECK(role);
  const bool commits = request->plan({.tx = tx, .env = *request->env, .pool = pool_record_, .signer = signer_});
  SYMBOLON_CHECK(!tx.failure());
  // As cognito/pipeline.cc does: the pool may have been handed over since the request was admitted, or planned first.
  const bool leads = replication::RoleOf(*role, region_.name()).kind == replication::Role::Kind::kPrimary;
  if (commits && tx.changes_directory() && !leads) return request->done(std::nullopt);
  if (!commits || !tx.has_changes()) {
    // Nobody waits for what is only noted.
    if (commits && tx.has_notes()) region_.Commit(tx.TakeCommit(), [](const auto&) {});
    return request->done(served);
  }

  storage::Commit commit = tx.TakeCommit();
  served.facts = commit.facts;
  storage::Commit submitted;
  submitted.pool = commit.pool;
  submitted.snapshot_version = commit.snapshot_version;
  submitted.reads = commit.reads;
  region_.CommitDurably(std::move(commit), *role,
                        [this, request, submitted = std::move(submitted), served = std::move(served)](auto result) {
                          OnCommitted(request, submitted, served, result);
                        });
}

void PlanRunner::OnCommitted(const std::shared_ptr<Request>& request, const storage::Commit& submitted, Served served,
                             const replication::DurableCommitResult& result) {
  if (!result) {
    const auto& store = result.error().store;
    const bool again = store && store->code == storage::StoreErrorCode::kConflict && --request->attempts_left > 0;
    return again ? Attempt(request) : request->done(std::nullopt);
  }
  CheckSerial(submitted, result->committed.version);
  served.position = result->committed.position;
  request->done(served);
}

// What was read is as it was read, from the snapshot to the commit.
void PlanRunner::CheckSerial(const storage::Commit& submitted, std::uint64_t version) {
  for (const storage::Key& key : submitted.reads) {
    const auto changed = changed_.find(key);
    if (changed == changed_.end()) continue;
    const auto next = std::ranges::upper_bound(changed->second, submitted.snapshot_version);
    if (next == changed->second.end() || *next >= version) continue;
    violation_ = fmt::format(
        "pool {}: version {} was committed by a plan of version {}, though a record of type {} changed in {}",
        submitted.pool.value(), version, submitted.snapshot_version, key.type, *next);
  }
}

}  // namespace symbolon::simulation
