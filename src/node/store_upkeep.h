// What a store needs from time to time: facts and messages that nobody needs any more go.
#pragma once

#include "base/clock.h"
#include "storage/store.h"

namespace symbolon::node {

// Failures are logged, and it is tried again with the next call. Not from two threads.
class StoreUpkeep {
 public:
  // `alone`: there are no other Regions, which could lack an earlier statement; with them the replication machine knows
  // what may go.
  StoreUpkeep(storage::Store& store, Clock& clock, bool alone) : store_(store), clock_(clock), alone_(alone) {}

  // Those that have expired, and earlier statements of the same.
  void ForgetFacts();
  // Messages past their time.
  void SweepOutbox();

 private:
  void CompactFacts();

  storage::Store& store_;
  Clock& clock_;
  const bool alone_;
};

}  // namespace symbolon::node
