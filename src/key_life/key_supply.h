// Keeps Regions that have a CMK of their own (keys/regional_keys.h) supplied: each pool's primary asks them whether
// they open all keys of the pool, and sends what is lacking, after the first copy, after a key has changed while a
// replica was away, after a Region has lost its disk. Each Region drops from its own record what the pool has no more.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "key_life/services.h"

namespace symbolon::key_life {

// Thread-safe, except where said.
class KeySupply {
 public:
  struct Options {
    // After a failure.
    std::chrono::nanoseconds retry = std::chrono::seconds(2);
    // A Region that had all keys may have lost them.
    std::chrono::nanoseconds ask_again = std::chrono::minutes(1);
  };

  KeySupply(Services services, Options options);
  ~KeySupply();

  // Does what is due; to be called about every second. Blocks, for a call's time-out for each Region out of reach. Not
  // from two threads.
  void Tick();

 private:
  struct Asked;
  struct Known;

  void OnNotice(const storage::Notice& notice);
  // False: they cannot all be listed.
  bool FindPools();
  void Supply(const PoolId& pool, Known& known, std::set<Region>& silent);
  void DropFormer(const PoolId& pool);

  const Services services_;
  const Options options_;

  std::mutex mutex_;
  // Pools whose keys or members may have changed; guarded by mutex_.
  std::set<PoolId> news_;

  // of whoever calls Tick
  bool listed_ = false;
  std::map<PoolId, std::unique_ptr<Known>> known_;

  std::unique_ptr<storage::Subscription> subscription_;  // last
};

}  // namespace symbolon::key_life
