// Which pool an app client or a domain belongs to, for requests that name nothing else. Kept in memory (clients and
// domains are few beside users), filled from the store once and kept up to date by its notices; readable while a pool
// is locked.
#pragma once

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::directory {

// A domain that two Regions gave to a pool each, before either knew of the other, belongs in each Region to the pool
// that was born there. Thread-safe. The store must outlive it.
class Routes {
 public:
  static storage::StoreResult<std::unique_ptr<Routes>> Open(storage::Store& store);

  std::optional<PoolId> PoolOfClient(std::string_view client_id) const;
  // Domains compare in lower case, as DNS names do.
  std::optional<PoolId> PoolOfDomain(std::string_view domain) const;

 private:
  // Every pool that has the name; the first is the one that is meant.
  using Table = std::unordered_map<std::string, std::vector<PoolId>>;

  explicit Routes(storage::Store& store) : store_(store) {}
  static std::optional<PoolId> Find(const Table& table, const std::string& name);

  // These with mutex_ held.
  storage::StoreResult<void> LoadPool(const storage::Snapshot& snapshot, const PoolId& pool);
  void Add(Table& table, const std::string& name, const PoolId& pool);
  static void Remove(Table& table, const std::string& name, const PoolId& pool);
  void Forget(const PoolId& pool);
  Table* TableOf(std::uint16_t record_type);

  void OnNotice(const storage::Notice& notice);

  storage::Store& store_;
  mutable std::shared_mutex mutex_;
  Table clients_;  // guarded by mutex_
  Table domains_;  // guarded by mutex_
  // Last: its notices use all of the above.
  std::unique_ptr<storage::Subscription> subscription_;
};

}  // namespace symbolon::directory
