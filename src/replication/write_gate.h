// Where changes of pools' directories wait while a Region may not make them yet: while its pool's primary is changing,
// and while a primary that has started again hears whether it still is one.
//
// The gate only holds writers up. That no write slips through is proved elsewhere: by the role record in every commit's
// read set, and by the store, which knows what it promised.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "base/ids.h"
#include "replication/options.h"

namespace symbolon::replication {

// Thread-safe.
class WriteGate {
 public:
  using Callback = std::move_only_function<void()>;

  // Shut for all pools until Open. `open_unless_set`: pools of which the machine has said nothing yet are open then.
  explicit WriteGate(std::chrono::nanoseconds wait_limit, bool open_unless_set = true)
      : wait_limit_(wait_limit), open_unless_set_(open_unless_set) {}
  // Lets everybody go.
  ~WriteGate();

  // Open also where this Region is not the primary: whoever looks at the roles refuses those writes.
  bool IsOpen(const PoolId& pool) const;
  // `done` runs once, on any thread: when the gate opens, when it has been waited for long enough, at once when it is
  // open or too many wait. Look again, then.
  void Await(const PoolId& pool, Callback done);

  // ---- for the machine ----
  void Open();
  void Set(const PoolId& pool, bool open);
  // Nothing is known of the pool any more.
  void Forget(const PoolId& pool);
  // Lets go those who have waited long enough.
  void OnTick(Instant now);

 private:
  struct Waiter {
    PoolId pool;
    // From the first tick on.
    std::optional<std::chrono::nanoseconds> until;
    Callback done;
  };
  bool IsOpenLocked(const PoolId& pool) const { return started_ && set_otherwise_.contains(pool) != open_unless_set_; }
  template <class Condition>
  std::vector<Callback> TakeIf(Condition condition);

  const std::chrono::nanoseconds wait_limit_;
  const bool open_unless_set_;

  mutable std::mutex mutex_;
  // guarded by mutex_
  bool started_ = false;
  std::set<PoolId> set_otherwise_;
  std::vector<Waiter> waiters_;
};

}  // namespace symbolon::replication
