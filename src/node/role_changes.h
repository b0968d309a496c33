// Finds the pools of which a role record may ask for something.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::node {

class RoleChanges {
 public:
  explicit RoleChanges(storage::Store& store);

  // Calls `look` with each pool whose role record changed since the last time: the first time with all pools that are
  // there; and again with those of which it answered false. Not from two threads.
  void Visit(const std::function<bool(const PoolId& pool)>& look);

 private:
  void OnNotice(const storage::Notice& notice);

  storage::Store& store_;
  bool listed_ = false;

  std::mutex mutex_;
  std::set<PoolId> changed_;  // guarded by mutex_

  std::unique_ptr<storage::Subscription> subscription_;  // last
};

}  // namespace symbolon::node
