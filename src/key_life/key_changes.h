// Changes of a pool's keys, by its primary: another CMK, or a new data-key generation under the same one.
//
// A change is *prepared*: the new record of wrapped keys is committed as an offer, this Region and every ACTIVE replica
// open it, and say so with the key-check value of its new generation. Then it is *taken*: one commit makes it the
// record. A Region that cannot open it, or is not heard in time, ends the change, and the offer is withdrawn: nothing
// has changed (docs/adr/0016-life-of-a-key.md).
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "directory/transaction.h"
#include "key_life/services.h"
#include "replication/roles.h"

namespace symbolon::key_life {

enum class ChangeErrorCode {
  // The key cannot take over, here or in a Region that the message names.
  kUnusableKey,
  // The pool is locked here.
  kLocked,
  // The Region that was asked is of a version that does not know the question.
  kNotUnderstood,
  // Not now: a Region is not in reach, the key provider does not answer, another change is under way. Try again.
  kUnavailable,
  kNotPrimary,
};

struct ChangeError {
  ChangeErrorCode code;
  // For the client to read.
  std::string message;
};

template <class T>
using ChangeResult = Result<T, ChangeError>;

// A change that every ACTIVE replica has confirmed.
struct PreparedChange {
  // The record that offers, as it is in the directory now, and what is to follow it.
  Bytes offering;
  Bytes next;
  std::set<Region> confirmed;
};

// Makes what is prepared the pool's record, in a plan's transaction. False: the record, or who is ACTIVE, has changed
// since; nothing was done.
bool Take(directory::Transaction& tx, const replication::pb::RoleRecord& role, const PreparedChange& prepared);

// A CMK of its own for one Region, which is ready for it.
struct PreparedRegionKey {
  Region region;
  // Empty: the pool's again.
  std::string kms_key_arn;
  // The pool's record as it is in the directory now, and with the checks by which Regions know keys that they are sent.
  Bytes record;
  Bytes checked;
};

// Makes it the Region's, in a plan's transaction. False: the pool's keys have changed since; nothing was done.
bool Take(directory::Transaction& tx, const PreparedRegionKey& prepared);
// The Region has none of its own any more; the pool's record remembers it as a former one. False: that cannot be read,
// and nothing was done.
bool DropRegionKey(directory::Transaction& tx, const Region& region);

// The CMK with which a Region opens the pool: its own, or the pool's, as in that Region.
std::string KmsKeyOf(directory::Transaction& tx, const Region& region, const std::string& pools_arn);

// Thread-safe.
class KeyChanges {
 public:
  struct Options {
    // How long the confirmation of a Region is waited for.
    std::chrono::nanoseconds confirm_limit = std::chrono::seconds(10);
    // How long to wait before a Region is asked again.
    std::chrono::milliseconds ask_again = std::chrono::milliseconds(50);
  };

  KeyChanges(Services services, Options options) : services_(std::move(services)), options_(options) {}

  // `kms_key_arn`: nullopt keeps the CMK; empty: the service's own. Blocks, for confirm_limit and what the provider
  // takes. Whoever does not take it withdraws it.
  ChangeResult<PreparedChange> Prepare(const PoolId& pool, const std::optional<std::string>& kms_key_arn);
  // Another CMK for Region `region` alone: this one, a replica, or one that is to be one (`is_new`). At the wish of
  // `owner` (CheckKeyFor). What is not taken is forgotten by itself. Blocks.
  ChangeResult<PreparedRegionKey> PrepareRegionKey(const PoolId& pool, const Region& region,
                                                   const std::string& kms_key_arn, const std::string& owner,
                                                   bool is_new);
  // Whether Region `region` opens all keys of the pool; it is sent those that it lacks. Answers the pool's record for
  // which that is so. Blocks.
  ChangeResult<Bytes> CheckOpens(const PoolId& pool, const Region& region);
  // If it was not taken. Blocks.
  void Withdraw(const PoolId& pool, const PreparedChange& prepared);
  // A new generation under the same CMK: prepared and taken. Blocks.
  ChangeResult<void> Rotate(const PoolId& pool);

  // Of the pools whose primary this Region is: withdraws offers that nobody is waiting for any more, and rotates where
  // the sealing generation is older than `rotate_after` (0: never). Blocks.
  void Tend(std::chrono::nanoseconds rotate_after);

 private:
  class UnderWay;

  ChangeResult<void> CheckRegions(const PoolId& pool, const replication::pb::RoleRecord& role,
                                  const std::string& kms_key_arn);
  ChangeResult<Bytes> Offer(const PoolId& pool, const std::optional<std::string>& kms_key_arn);
  ChangeResult<void> AskFor(const Region& region, const PoolId& pool, BytesView offering, BytesView check);
  ChangeResult<std::set<Region>> Confirm(const PoolId& pool, const Bytes& offering);
  void WithdrawOffer(const PoolId& pool, const Bytes& offering);
  void TendPool(const PoolId& pool, std::chrono::nanoseconds rotate_after);

  const Services services_;
  const Options options_;
  std::mutex mutex_;
  // Pools whose change is being prepared; guarded by mutex_.
  std::set<PoolId> under_way_;
};

}  // namespace symbolon::key_life
