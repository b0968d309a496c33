// Until when this Region may change which pools' directories (replication protocol §4). The machine says so; whoever
// commits and answers looks, on the clock that goes on while a process is stopped.
//
// Where an authority decides, the lease is the authority's, and names every pool. Where the operator alone does, it
// runs from the machine's last step: a process that stood still may have missed that another Region was promoted, and
// admits and answers nothing before its machine has looked.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/ids.h"

namespace symbolon::replication {

// Thread-safe.
class WriteLease {
 public:
  // What is said of pools of which the machine has said nothing.
  enum class Others { kDenied, kAdmitted };

  // `clock` outlives this object.
  WriteLease(Clock& clock, Others others) : clock_(clock), others_(others) {}

  // This Region may change something at all, now.
  bool live() const;
  // It may change the pool's directory, now.
  bool Admits(const PoolId& pool) const;
  // An entry of the epoch with this counter is one that it may answer for, now; of pools that are admitted unnamed,
  // whatever the epoch.
  bool Admits(const PoolId& pool, std::uint64_t epoch_counter) const;

  // ---- for the machine ----
  // By Clock::SinceBoot.
  void SetDeadline(std::chrono::nanoseconds deadline);
  void Admit(const PoolId& pool, std::uint64_t epoch_counter);
  void Deny(const PoolId& pool);
  // Nothing is known of the pool any more.
  void Forget(const PoolId& pool);
  // Nothing is admitted any more.
  void DenyAll();

 private:
  bool IsLiveLocked() const { return clock_.SinceBoot() < deadline_; }

  Clock& clock_;
  const Others others_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::chrono::nanoseconds deadline_{};
  // By pool that something was said of; nullopt: denied.
  std::map<PoolId, std::optional<std::uint64_t>> epochs_;
};

}  // namespace symbolon::replication
