#include "replication/write_gate.h"

#include <optional>

namespace symbolon::replication {
namespace {

constexpr std::size_t kWaitersMax = 10'000;

void Run(std::vector<WriteGate::Callback> callbacks) {
  for (WriteGate::Callback& callback : callbacks) callback();
}

}  // namespace

WriteGate::~WriteGate() {
  Run(TakeIf([](const Waiter&) { return true; }));
}

template <class Condition>
std::vector<WriteGate::Callback> WriteGate::TakeIf(Condition condition) {
  std::vector<Callback> taken;
  const std::lock_guard lock(mutex_);
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (!condition(waiter)) return false;
    taken.push_back(std::move(waiter.done));
    return true;
  });
  return taken;
}

bool WriteGate::IsOpen(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  return IsOpenLocked(pool);
}

void WriteGate::Await(const PoolId& pool, Callback done) {
  {
    const std::lock_guard lock(mutex_);
    if (!IsOpenLocked(pool) && waiters_.size() < kWaitersMax) {
      waiters_.push_back({pool, std::nullopt, std::move(done)});
      return;
    }
  }
  done();
}

void WriteGate::Open() {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  Run(TakeIf([this](const Waiter& waiter) { return IsOpenLocked(waiter.pool); }));
}

void WriteGate::Set(const PoolId& pool, bool open) {
  {
    const std::lock_guard lock(mutex_);
    if (open == open_unless_set_ ? set_otherwise_.erase(pool) == 0 : !set_otherwise_.insert(pool).second) return;
    if (!open) return;
  }
  Run(TakeIf([this, &pool](const Waiter& waiter) { return waiter.pool == pool && IsOpenLocked(pool); }));
}

void WriteGate::Forget(const PoolId& pool) {
  {
    const std::lock_guard lock(mutex_);
    set_otherwise_.erase(pool);
  }
  Run(TakeIf([&pool](const Waiter& waiter) { return waiter.pool == pool; }));
}

void WriteGate::OnTick(Instant now) {
  Run(TakeIf([&](Waiter& waiter) {
    if (!waiter.until) waiter.until = now.since_boot + wait_limit_;
    return now.since_boot >= *waiter.until;
  }));
}

}  // namespace symbolon::replication
