#include "replication/write_lease.h"

namespace symbolon::replication {

bool WriteLease::live() const {
  const std::lock_guard lock(mutex_);
  return IsLiveLocked();
}

bool WriteLease::Admits(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  return epochs_.contains(pool) && IsLiveLocked();
}

bool WriteLease::Admits(const PoolId& pool, std::uint64_t epoch_counter) const {
  const std::lock_guard lock(mutex_);
  const auto held = epochs_.find(pool);
  return held != epochs_.end() && held->second == epoch_counter && IsLiveLocked();
}

std::chrono::nanoseconds WriteLease::remaining() const {
  const std::lock_guard lock(mutex_);
  return deadline_ - clock_.SinceBoot();
}

void WriteLease::SetDeadline(std::chrono::nanoseconds deadline) {
  const std::lock_guard lock(mutex_);
  deadline_ = deadline;
}

void WriteLease::Admit(const PoolId& pool, std::uint64_t epoch_counter) {
  const std::lock_guard lock(mutex_);
  epochs_[pool] = epoch_counter;
}

void WriteLease::Deny(const PoolId& pool) {
  const std::lock_guard lock(mutex_);
  epochs_.erase(pool);
}

void WriteLease::DenyAll() {
  const std::lock_guard lock(mutex_);
  deadline_ = {};
  epochs_.clear();
}

}  // namespace symbolon::replication
