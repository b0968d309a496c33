// Until when this Region may change which pools' directories, where an authority decides that (replication protocol
// §4). The machine says so; whoever commits and answers looks, on the clock that goes on while a process is stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "base/ids.h"

namespace symbolon::replication {

// Thread-safe.
class WriteLease {
 public:
  // `clock` outlives this object.
  explicit WriteLease(Clock& clock) : clock_(clock) {}

  // This Region may change something at all, now.
  bool live() const;
  // It may change the pool's directory, now.
  bool Admits(const PoolId& pool) const;
  // An entry of the epoch with this counter is one that it may answer for, now.
  bool Admits(const PoolId& pool, std::uint64_t epoch_counter) const;
  // How long it still may; zero or less: it may not.
  std::chrono::nanoseconds remaining() const;

  // ---- for the machine ----
  // By Clock::SinceBoot.
  void SetDeadline(std::chrono::nanoseconds deadline);
  void Admit(const PoolId& pool, std::uint64_t epoch_counter);
  void Deny(const PoolId& pool);
  // Nothing is admitted any more.
  void DenyAll();

 private:
  bool IsLiveLocked() const { return clock_.SinceBoot() < deadline_; }

  Clock& clock_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::chrono::nanoseconds deadline_{};
  std::map<PoolId, std::uint64_t> epochs_;
};

}  // namespace symbolon::replication
