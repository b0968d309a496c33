#include "node/role_changes.h"

#include <algorithm>

#include "base/log.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kPoolsAtOnce = 100;

// False: they cannot all be read.
bool AddAllPools(const storage::Snapshot& snapshot, std::set<PoolId>& pools) {
  std::optional<PoolId> after;
  while (true) {
    const auto page = snapshot.Pools(after, kPoolsAtOnce);
    if (!page) log::Error("pools cannot be listed: {}", page.error().detail);
    if (!page) return false;
    if (page->empty()) return true;
    pools.insert(page->begin(), page->end());
    after = page->back();
  }
}

}  // namespace

RoleChanges::RoleChanges(storage::Store& store) : store_(store) {
  subscription_ = store_.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

void RoleChanges::OnNotice(const storage::Notice& notice) {
  const bool concerns = notice.everything || std::ranges::any_of(notice.keys, [](const storage::Key& key) {
                          return key.space == storage::Space::kDirectory && key.type == replication::kRoleRecordType;
                        });
  if (!concerns) return;
  std::lock_guard lock(mutex_);
  changed_.insert(notice.pool);
}

void RoleChanges::Visit(const std::function<bool(const PoolId& pool)>& look) {
  std::set<PoolId> pools;
  {
    std::lock_guard lock(mutex_);
    pools.swap(changed_);
  }
  if (!listed_) listed_ = AddAllPools(*store_.MakeSnapshot(), pools);
  std::erase_if(pools, look);
  std::lock_guard lock(mutex_);
  changed_.merge(pools);
}

}  // namespace symbolon::node
