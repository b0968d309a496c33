#include "replication/position_gate.h"

#include <iterator>
#include <utility>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

constexpr std::size_t kWaitersMax = 10'000;

// At such a head it is decided whether the position is passed or was set aside.
bool Decides(const storage::pb::Position& head, const PoolPosition& wanted) {
  return storage::ComparePositions(head, wanted.position) >= 0;
}

}  // namespace

Passage FindPassage(storage::Store& store, const PoolPosition& position) {
  const auto snapshot = store.MakeSnapshot();
  const auto head = snapshot->Head(position.pool);
  const auto history = snapshot->History(position.pool);
  if (head && history) return PassageOf(position.position, *history, *head);
  log::Error("replication: pool {}: its position cannot be read", position.pool.value());
  return Passage::kAhead;
}

PositionGate::~PositionGate() {
  for (Waiter& waiter : waiters_) waiter.done(Passage::kAhead);
}

void PositionGate::Await(PoolPosition position, std::chrono::nanoseconds until,
                         std::move_only_function<void(Passage)> done) {
  Passage passage = FindPassage(store_, position);
  if (passage == Passage::kAhead) {
    const std::lock_guard lock(mutex_);
    const auto head = heads_.find(position.pool);
    // Came while we looked: its notice is gone.
    const bool missed = head != heads_.end() && Decides(head->second, position);
    if (!missed && waiters_.size() < kWaitersMax) {
      waiters_.push_back({std::move(position), until, std::move(done)});
      return;
    }
  }
  if (passage == Passage::kAhead) passage = FindPassage(store_, position);
  done(passage);
}

void PositionGate::OnHead(const PoolId& pool, const storage::pb::Head& head) {
  std::vector<Waiter> decided;
  {
    const std::lock_guard lock(mutex_);
    storage::pb::Position& known = heads_[pool];
    *known.mutable_epoch() = head.epoch();
    known.set_sequence(head.sequence());
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (waiter.wanted.pool != pool || !Decides(known, waiter.wanted)) return false;
      decided.push_back(std::move(waiter));
      return true;
    });
  }
  Answer(std::move(decided));
}

void PositionGate::OnTick(Instant now) {
  std::vector<Waiter> late;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (now.since_boot < waiter.until) return false;
      late.push_back(std::move(waiter));
      return true;
    });
  }
  Answer(std::move(late));
}

void PositionGate::Answer(std::vector<Waiter> waiters) {
  for (Waiter& waiter : waiters) waiter.done(FindPassage(store_, waiter.wanted));
}

}  // namespace symbolon::replication
