#include "replication/durable_commits.h"

#include <algorithm>
#include <utility>

namespace symbolon::replication {
namespace {

using Admission = DurabilityGate::Admission;
using Confirmation = DurabilityGate::Confirmation;

DurabilitySetting SettingFor(const storage::Commit& commit, const pb::RoleRecord& role) {
  const bool changes_role = std::ranges::any_of(
      commit.directory, [](const storage::Change& change) { return change.key.type == kRoleRecordType; });
  return commit.directory.empty() || changes_role ? DurabilitySetting() : DurabilityOf(role);
}

}  // namespace

bool DurableCommits::MayCommit(const storage::Commit& commit) const {
  if (lease_ == nullptr || commit.directory.empty()) return true;
  // A pool that is being made is in no register yet.
  return commit.start_epoch_counter ? lease_->live() : lease_->Admits(commit.pool);
}

DurableCommits::Answer DurableCommits::CheckingLease(const storage::Commit& commit, Answer done) const {
  if (lease_ == nullptr || commit.directory.empty()) return done;
  return [this, pool = commit.pool, new_pool = commit.start_epoch_counter.has_value(),
          done = std::move(done)](DurableCommitResult result) mutable {
    const storage::pb::Position* position = result ? &*result->committed.position : nullptr;
    const bool stands =
        position == nullptr || (new_pool ? lease_->live() : lease_->Admits(pool, position->epoch().counter()));
    if (stands) return done(std::move(result));
    done(Err(CommitError{.code = CommitErrorCode::kUnconfirmed, .position = *position}));
  };
}

void DurableCommits::Submit(storage::Commit commit, const pb::RoleRecord& role,
                            std::move_only_function<void(DurableCommitResult)> done) {
  const DurabilitySetting setting = SettingFor(commit, role);
  if (setting.mode == pb::ASYNC) return SubmitToStore(std::move(commit), setting, std::move(done));
  const PoolId pool = commit.pool;
  auto admitted = [this, commit = std::move(commit), setting,
                   done = std::move(done)](DurabilityGate::Admitted answer) mutable {
    switch (answer.admission) {
      case Admission::kAdmitted:
        return SubmitToStore(std::move(commit), setting, std::move(done));
      case Admission::kBehind:
        return done(Err(CommitError{.code = CommitErrorCode::kBehind, .lag = answer.lag}));
      case Admission::kOutOfReach:
        return done(Err(CommitError{.code = CommitErrorCode::kOutOfReach}));
    }
  };
  if (gate_ != nullptr) return gate_->Admit(pool, setting, std::move(admitted));
  if (setting.mode == pb::BOUNDED) return admitted({Admission::kBehind, std::nullopt});
  admitted({setting.falls_back ? Admission::kAdmitted : Admission::kOutOfReach, std::nullopt});
}

void DurableCommits::SubmitToStore(storage::Commit commit, const DurabilitySetting& setting, Answer done) {
  if (!MayCommit(commit)) return done(Err(CommitError{.code = CommitErrorCode::kNoLease}));
  done = CheckingLease(commit, std::move(done));
  const PoolId pool = commit.pool;
  store_.Submit(std::move(commit), [this, pool, setting,
                                    done = std::move(done)](storage::StoreResult<storage::Committed> result) mutable {
    if (!result) return done(Err(CommitError{.store = std::move(result).error()}));
    if (setting.mode != pb::SYNC || !result->position) return done(DurablyCommitted{*std::move(result)});
    if (gate_ == nullptr) return done(DurablyCommitted{*std::move(result), /*fell_back=*/true});
    const storage::pb::Position position = *result->position;
    gate_->Confirm(pool, setting, position,
                   [committed = *std::move(result), done = std::move(done)](Confirmation confirmation) mutable {
                     if (confirmation == Confirmation::kUnconfirmed) {
                       return done(Err(CommitError{.code = CommitErrorCode::kUnconfirmed,
                                                   .position = std::move(committed.position)}));
                     }
                     done(DurablyCommitted{std::move(committed), confirmation == Confirmation::kFellBack});
                   });
  });
}

}  // namespace symbolon::replication
