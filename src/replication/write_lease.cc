#include "replication/write_lease.h"

namespace symbolon::replication {

bool WriteLease::live() const {
  const std::lock_guard lock(mutex_);
  return IsLiveLocked();
}

bool WriteLease::Admits(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  const auto said = epochs_.find(pool);
  const bool admitted = said == epochs_.end() ? others_ == Others::kAdmitted : said->second.has_value();
  return admitted && IsLiveLocked();
}

bool WriteLease::Admits(const PoolId& pool, std::uint64_t epoch_counter) const {
  const std::lock_guard lock(mutex_);
  const auto said = epochs_.find(pool);
  const bool admitted = said == epochs_.end() ? others_ == Others::kAdmitted : said->second == epoch_counter;
  return admitted && IsLiveLocked();
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
  epochs_[pool] = std::nullopt;
}

void WriteLease::Forget(const PoolId& pool) {
  const std::lock_guard lock(mutex_);
  epochs_.erase(pool);
}

void WriteLease::DenyAll() {
  const std::lock_guard lock(mutex_);
  deadline_ = {};
  epochs_.clear();
}

}  // namespace symbolon::replication
