// A Region's part in erasures, whoever asks for it: a queue, and a thread that works it off, because it takes longer
// than a call between Regions may.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "erasure/in_region.h"
#include "replication/control.h"

namespace symbolon::erasure {

// Thread-safe.
class RegionErasures {
 public:
  RegionErasures(key_life::Services services, const replication::SuffixFolder* suffixes, crypto::Ed25519Key key);

  // Takes the work on, unless it was taken on or is done; answers how far it is. Never blocks. Nothing of it survives a
  // restart: who asks goes on asking until it has the statement.
  WorkDone Ask(const Work& work);
  // Another Region's question (link.proto). Only the pool's primary is answered, where the pool is known.
  replication::ControlResult<Bytes> Answer(const Region& from, const Bytes& request);

  // Does what waits, of one pool. False: nothing waits. Not from two threads.
  bool Step();
  // Blocks until something waits (true) or `stop` is requested (false).
  bool WaitForWork(const std::stop_token& stop);

 private:
  struct Entry {
    Work work;
    WorkCounts counts;
    enum class State { kWaiting, kRunning, kStopped } state = State::kWaiting;
    WorkDone done;
  };
  using Entries = std::map<Bytes, Entry>;

  void Forget();

  const key_life::Services services_;
  const InRegion in_region_;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  Entries entries_;
};

// Drives it until it is destroyed, when it finishes the step under way.
class RegionErasuresThread {
 public:
  explicit RegionErasuresThread(RegionErasures& erasures);

 private:
  std::jthread thread_;
};

}  // namespace symbolon::erasure
