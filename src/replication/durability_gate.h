// Where the answers of a pool's writes wait for what its durability asks (replication protocol §6): for a secondary's
// acknowledgement, or for the lag to become small enough. The machine tells it what members have acknowledged; writers
// wait in it without a thread of theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "replication/options.h"
#include "replication/roles.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

// Thread-safe.
class DurabilityGate {
 public:
  enum class Admission {
    kAdmitted,
    // BOUNDED: the lag stays above the bound.
    kBehind,
    // SYNC without falling back: nobody is in reach who could acknowledge.
    kOutOfReach,
  };
  struct Admitted {
    Admission admission = Admission::kAdmitted;
    // Of the ACTIVE secondary that lags least, with kBehind; nullopt: none is ACTIVE, or it is not known.
    std::optional<std::chrono::microseconds> lag;
  };
  enum class Confirmation {
    // A secondary has it on disk.
    kConfirmed,
    // Nobody confirms it, and the pool's setting is to go on without.
    kFellBack,
    // Nobody has confirmed it so far. It is durable here.
    kUnconfirmed,
  };

  explicit DurabilityGate(std::chrono::nanoseconds wait_limit) : wait_limit_(wait_limit) {}
  // Lets everybody go, unconfirmed.
  ~DurabilityGate();

  // Before a commit. `done` runs once, on any thread, also within the call. Somebody in reach may come within the wait
  // limit.
  void Admit(const PoolId& pool, const DurabilitySetting& setting, std::move_only_function<void(Admitted)> done);
  // After a commit of SYNC durability, with its position.
  void Confirm(const PoolId& pool, const DurabilitySetting& setting, const storage::pb::Position& position,
               std::move_only_function<void(Confirmation)> done);
  // Writes of the pool are refused, or go on without waiting for anybody: SYNC, nobody is in reach; BOUNDED, the lag is
  // too much.
  bool IsOutOfReach(const PoolId& pool, const DurabilitySetting& setting) const;

  struct Counters {
    std::uint64_t confirmed = 0;
    std::uint64_t fell_back = 0;
    std::uint64_t unconfirmed = 0;
    std::uint64_t refused = 0;
  };
  // Since the start, of SYNC and BOUNDED pools.
  Counters counters() const;

  // ---- for the machine ----
  struct Reach {
    // Of the epoch in which this Region is primary.
    std::uint64_t epoch_counter = 0;
    // The newest entry that some member that counts has acknowledged.
    std::uint64_t acknowledged = 0;
    // A member that counts follows the log now.
    bool in_reach = false;
    // Of the ACTIVE secondary that lags least; nullopt: not known.
    std::optional<std::chrono::microseconds> lag;
    // Nobody could become primary without a person's doing who lacks what is answered without a secondary. Until then
    // whoever would fall back waits, once more as long.
    bool may_fall_back = true;
  };
  // Of a pool whose primary this Region is.
  void Update(const PoolId& pool, const Reach& reach);
  // This Region is not its primary any more.
  void Forget(const PoolId& pool);
  // A write waits for may_fall_back.
  bool WantsFallBack(const PoolId& pool) const;
  // Lets go those who have waited long enough.
  void OnTick(Instant now);

 private:
  struct PoolReach : Reach {
    // A write waited in vain for the acknowledgement of this entry: nobody waits before it has come.
    std::uint64_t missed = 0;
    bool wants_fall_back = false;
  };
  // Of a waiter.
  enum class Patience { kWaits, kExpired, kOver };
  struct Waiter {
    PoolId pool;
    DurabilitySetting setting;
    // Of a commit to be confirmed; otherwise one is to be admitted.
    std::optional<storage::pb::Position> position;
    std::move_only_function<void(Admitted)> admitted;
    std::move_only_function<void(Confirmation)> confirmed;
    // From the first tick on.
    std::optional<std::chrono::nanoseconds> until;
    bool expired = false;
  };
  using Call = std::move_only_function<void()>;
  using Calls = std::vector<Call>;

  const PoolReach* FindLocked(const PoolId& pool) const;
  PoolReach* FindLocked(const PoolId& pool);
  static bool Suffices(const PoolReach* reach, const DurabilitySetting& setting);
  // What to tell the waiter, if it is decided.
  std::optional<Call> DecideLocked(Waiter& waiter, Patience patience);
  Call AdmitLocked(Waiter& waiter, Admitted admitted);
  Call ConfirmLocked(Waiter& waiter, Confirmation confirmation);
  void Begin(Waiter waiter);
  Calls TakeDecidedLocked(const PoolId& pool);

  const std::chrono::nanoseconds wait_limit_;

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<PoolId, PoolReach> pools_;
  std::vector<Waiter> waiters_;
  Counters counters_;
};

}  // namespace symbolon::replication
