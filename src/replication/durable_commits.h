// The one place at which changes of a pool's directory are committed for somebody who gets an answer: it commits, and
// answers when the pool's durability allows (replication protocol §6).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "replication/durability_gate.h"
#include "replication/roles.h"
#include "replication/write_lease.h"
#include "storage/store.h"

namespace symbolon::replication {

enum class CommitErrorCode {
  // The store's own answer: CommitError::store.
  kStore,
  // BOUNDED: the replicas lag too much. Nothing was written; may be tried again.
  kBehind,
  // SYNC: no replica is in reach. Nothing was written; may be tried again.
  kOutOfReach,
  // This Region may not change the pool at present: the authority does not let it, or its process stood still and it
  // has
  // not heard the other Regions since. Nothing was written; may be tried again.
  kNoLease,
  // Written here, and not confirmed: with SYNC by a replica, or by a lease that still stood. The write stays if this
  // Region does: its outcome is not known until a replica has it, or another Region has become primary.
  kUnconfirmed,
};

struct CommitError {
  CommitErrorCode code = CommitErrorCode::kStore;
  std::optional<storage::StoreError> store;
  // With kBehind; nullopt: no ACTIVE secondary is heard of.
  std::optional<std::chrono::microseconds> lag;
  // With kUnconfirmed.
  std::optional<storage::pb::Position> position;
};

struct DurablyCommitted {
  storage::Committed committed;
  // SYNC: answered without a replica, as the pool's setting has it. The answer says so.
  bool fell_back = false;
};

using DurableCommitResult = Result<DurablyCommitted, CommitError>;

// Thread-safe.
class DurableCommits {
 public:
  // `gate` and `lease`: nullptr where there are no other Regions. They outlive this object and what it was given.
  DurableCommits(storage::Store& store, DurabilityGate* gate, const WriteLease* lease = nullptr)
      : store_(store), gate_(gate), lease_(lease) {}

  // `role`: the pool's role record as the plan read it, which is in the commit's read set. Never blocks; `done` runs
  // once, on any thread, also within the call. Changes of the role record itself do not wait: they are how a pool whose
  // replicas are lost is helped. Nor do facts and regional settings.
  void Submit(storage::Commit commit, const pb::RoleRecord& role,
              std::move_only_function<void(DurableCommitResult)> done);

 private:
  using Answer = std::move_only_function<void(DurableCommitResult)>;

  void SubmitToStore(storage::Commit commit, const DurabilitySetting& setting, Answer done);
  // The lease is looked at before the commit and again before the answer: the process may have been stopped between.
  bool MayCommit(const storage::Commit& commit) const;
  Answer CheckingLease(const storage::Commit& commit, Answer done) const;

  storage::Store& store_;
  DurabilityGate* const gate_;
  const WriteLease* const lease_;
};

}  // namespace symbolon::replication
