// Where requests wait that ask for a state at least as new as a position (replication protocol §7).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "replication/options.h"
#include "replication/position.h"
#include "storage/store.h"

namespace symbolon::replication {

// Whether this store has come past it. Of a store that cannot be read, kAhead.
Passage FindPassage(storage::Store& store, const PoolPosition& position);

// Thread-safe.
class PositionGate {
 public:
  explicit PositionGate(storage::Store& store) : store_(store) {}
  // Lets everybody go, as when the time is over.
  ~PositionGate();

  // `done` runs once, on any thread, also within the call: as soon as the position is passed or known to be set aside;
  // with kAhead when `until` (a time since boot) is over, or at once when too many wait.
  void Await(PoolPosition position, std::chrono::nanoseconds until, std::move_only_function<void(Passage)> done);

  // ---- for the machine ----
  // The pool's log grew or was replaced.
  void OnHead(const PoolId& pool, const storage::pb::Head& head);
  // Lets go those whose time is over.
  void OnTick(Instant now);

 private:
  struct Waiter {
    PoolPosition wanted;
    std::chrono::nanoseconds until;
    std::move_only_function<void(Passage)> done;
  };
  void Answer(std::vector<Waiter> waiters);

  storage::Store& store_;

  std::mutex mutex_;
  // guarded by mutex_
  std::map<PoolId, storage::pb::Position> heads_;
  std::vector<Waiter> waiters_;
};

}  // namespace symbolon::replication
