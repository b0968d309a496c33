#include "replication/durability_gate.h"

#include <algorithm>
#include <utility>

namespace symbolon::replication {
namespace {

constexpr std::size_t kWaitersMax = 10'000;

}  // namespace

DurabilityGate::~DurabilityGate() {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    pools_.clear();
    for (Waiter& waiter : waiters_) {
      calls.push_back(waiter.position ? ConfirmLocked(waiter, Confirmation::kUnconfirmed)
                                      : *DecideLocked(waiter, Patience::kOver));
    }
    waiters_.clear();
  }
  for (Call& call : calls) call();
}

void DurabilityGate::Admit(const PoolId& pool, const DurabilitySetting& setting,
                           std::move_only_function<void(Admitted)> done) {
  Begin({.pool = pool, .setting = setting, .admitted = std::move(done)});
}

void DurabilityGate::Confirm(const PoolId& pool, const DurabilitySetting& setting,
                             const storage::pb::Position& position, std::move_only_function<void(Confirmation)> done) {
  Begin({.pool = pool, .setting = setting, .position = position, .confirmed = std::move(done)});
}

void DurabilityGate::Begin(Waiter waiter) {
  std::optional<Call> call;
  {
    const std::lock_guard lock(mutex_);
    call = DecideLocked(waiter, waiters_.size() >= kWaitersMax ? Patience::kOver : Patience::kWaits);
    if (!call) waiters_.push_back(std::move(waiter));
  }
  if (call) (*call)();
}

const DurabilityGate::PoolReach* DurabilityGate::FindLocked(const PoolId& pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? nullptr : &found->second;
}

DurabilityGate::PoolReach* DurabilityGate::FindLocked(const PoolId& pool) {
  return const_cast<PoolReach*>(std::as_const(*this).FindLocked(pool));
}

std::optional<DurabilityGate::Call> DurabilityGate::DecideLocked(Waiter& waiter, Patience patience) {
  PoolReach* const reach = FindLocked(waiter.pool);
  const bool expired = patience != Patience::kWaits;
  if (!waiter.position) {
    // Who falls back commits first.
    const bool sync = waiter.setting.mode == pb::SYNC;
    if (Suffices(reach, waiter.setting) || (sync && waiter.setting.falls_back)) return AdmitLocked(waiter, {});
    if (!expired) return std::nullopt;
    if (sync) return AdmitLocked(waiter, {Admission::kOutOfReach, std::nullopt});
    return AdmitLocked(waiter, {Admission::kBehind, reach != nullptr ? reach->lag : std::nullopt});
  }
  if (reach != nullptr && reach->epoch_counter >= waiter.position->epoch().counter()) {
    // A later epoch began without the writer being told: whether it holds the entry is not this gate's to know.
    if (reach->epoch_counter > waiter.position->epoch().counter()) {
      return ConfirmLocked(waiter, Confirmation::kUnconfirmed);
    }
    if (reach->acknowledged >= waiter.position->sequence()) return ConfirmLocked(waiter, Confirmation::kConfirmed);
  }
  const bool in_vain = reach != nullptr && reach->acknowledged < reach->missed;
  if (waiter.setting.falls_back && (expired || in_vain)) {
    if (reach == nullptr || reach->may_fall_back) return ConfirmLocked(waiter, Confirmation::kFellBack);
    reach->wants_fall_back = true;
    return patience == Patience::kOver ? std::optional(ConfirmLocked(waiter, Confirmation::kUnconfirmed))
                                       : std::nullopt;
  }
  if (expired) return ConfirmLocked(waiter, Confirmation::kUnconfirmed);
  return std::nullopt;
}

DurabilityGate::Call DurabilityGate::AdmitLocked(Waiter& waiter, Admitted admitted) {
  if (admitted.admission != Admission::kAdmitted) ++counters_.refused;
  return [done = std::move(waiter.admitted), admitted]() mutable { done(admitted); };
}

DurabilityGate::Call DurabilityGate::ConfirmLocked(Waiter& waiter, Confirmation confirmation) {
  switch (confirmation) {
    case Confirmation::kConfirmed:
      ++counters_.confirmed;
      break;
    case Confirmation::kFellBack:
      ++counters_.fell_back;
      break;
    case Confirmation::kUnconfirmed:
      ++counters_.unconfirmed;
      break;
  }
  return [done = std::move(waiter.confirmed), confirmation]() mutable { done(confirmation); };
}

DurabilityGate::Calls DurabilityGate::TakeDecidedLocked(const PoolId& pool) {
  Calls calls;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (waiter.pool != pool) return false;
    auto call = DecideLocked(waiter, waiter.expired ? Patience::kExpired : Patience::kWaits);
    if (!call) return false;
    calls.push_back(*std::move(call));
    return true;
  });
  return calls;
}

bool DurabilityGate::Suffices(const PoolReach* reach, const DurabilitySetting& setting) {
  switch (setting.mode) {
    case pb::BOUNDED:
      return reach != nullptr && reach->lag && *reach->lag < std::chrono::seconds(setting.lag_bound_seconds);
    case pb::SYNC:
      return reach != nullptr && reach->in_reach && reach->acknowledged >= reach->missed;
    default:
      return true;
  }
}

bool DurabilityGate::IsOutOfReach(const PoolId& pool, const DurabilitySetting& setting) const {
  const std::lock_guard lock(mutex_);
  return !Suffices(FindLocked(pool), setting);
}

bool DurabilityGate::WantsFallBack(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  const PoolReach* reach = FindLocked(pool);
  return reach != nullptr && reach->wants_fall_back;
}

DurabilityGate::Counters DurabilityGate::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void DurabilityGate::Update(const PoolId& pool, const Reach& reach) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    PoolReach& known = pools_[pool];
    if (known.epoch_counter != reach.epoch_counter) known.missed = 0;
    static_cast<Reach&>(known) = reach;
    if (reach.may_fall_back) known.wants_fall_back = false;
    if (!waiters_.empty()) calls = TakeDecidedLocked(pool);
  }
  for (Call& call : calls) call();
}

void DurabilityGate::Forget(const PoolId& pool) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    if (pools_.erase(pool) == 0) return;
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (waiter.pool != pool) return false;
      // Who is to be admitted finds out by committing; who has committed may have been set aside.
      calls.push_back(waiter.position ? ConfirmLocked(waiter, Confirmation::kUnconfirmed) : AdmitLocked(waiter, {}));
      return true;
    });
  }
  for (Call& call : calls) call();
}

void DurabilityGate::OnTick(Instant now) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (!waiter.until) waiter.until = now.since_boot + wait_limit_;
      if (now.since_boot < *waiter.until) return false;
      const auto pool = pools_.find(waiter.pool);
      if (waiter.position && pool != pools_.end()) {
        pool->second.missed = std::max(pool->second.missed, waiter.position->sequence());
      }
      waiter.expired = true;
      auto call =
          DecideLocked(waiter, now.since_boot < *waiter.until + wait_limit_ ? Patience::kExpired : Patience::kOver);
      if (!call) return false;
      calls.push_back(*std::move(call));
      return true;
    });
  }
  for (Call& call : calls) call();
}

}  // namespace symbolon::replication
