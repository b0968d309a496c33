// Changes of a pool's directory that the service itself makes.
#pragma once

#include <functional>
#include <string>

#include "directory/transaction.h"
#include "key_life/services.h"
#include "replication/roles.h"

namespace symbolon::key_life {

enum class CommitFailureCode {
  kNoPool,
  // This Region may not change the pool (any more).
  kNotPrimary,
  // Try again later. Whether it was written is not known only where `detail` says so.
  kUnavailable,
};

struct CommitFailure {
  CommitFailureCode code;
  std::string detail;
};

template <class T>
using CommitResult = Result<T, CommitFailure>;

// The pool's role record; this Region must be its primary.
CommitResult<replication::pb::RoleRecord> RoleAsPrimary(const Services& services, const storage::Snapshot& snapshot,
                                                        const PoolId& pool);

// Waits for what the pool's durability asks. kConflict of the store stays what it is: CommitError.
replication::DurableCommitResult SubmitAndWait(const Services& services, storage::Commit commit,
                                               const replication::pb::RoleRecord& role);

// A change of clear records, planned again after conflicts; false: nothing is to be done. Blocks.
using Plan = std::function<bool(directory::Transaction& tx, const replication::pb::RoleRecord& role)>;
// Answers what the plan answered at last.
CommitResult<bool> CommitPlan(const Services& services, const PoolId& pool, const Plan& plan);

// What becomes this Region's own record of a pool's keys, as `make` answers it for a snapshot; nullopt: it stays. Not
// an entry of the directory log. Blocks. Errors: kUnavailable, and those of `make`.
using MakeOwnKeys = std::function<keys::KeyServiceResult<std::optional<Bytes>>(const storage::Snapshot& snapshot)>;
keys::KeyServiceResult<void> CommitOwnKeys(const Services& services, const PoolId& pool, const MakeOwnKeys& make);
// All keys of the pool under another CMK of this Region as well. Blocks.
keys::KeyServiceResult<void> WrapOwnKeys(const Services& services, const PoolId& pool, const std::string& kms_key_arn);

// For logs.
std::string Describe(const replication::CommitError& error);

}  // namespace symbolon::key_life
