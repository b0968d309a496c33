#include "directory/routes.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <tuple>

#include "base/log.h"
#include "directory/normalise.h"
#include "directory/record_types.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kPage = 1000;

}  // namespace

storage::StoreResult<std::unique_ptr<Routes>> Routes::Open(storage::Store& store) {
  std::unique_ptr<Routes> routes(new Routes(store));
  // Subscribed before the first look, so that no change falls between the two. A notice waits for the lock, and reads
  // what it tells of after the look: what was deleted meanwhile does not stay.
  const std::unique_lock lock(routes->mutex_);
  routes->subscription_ =
      store.Subscribe([self = routes.get()](const storage::Notice& notice) { self->OnNotice(notice); });
  const auto snapshot = store.MakeSnapshot();
  std::optional<PoolId> after;
  while (true) {
    SYMBOLON_TRY(const std::vector<PoolId> pools, snapshot->Pools(after, kPage));
    if (pools.empty()) break;
    for (const PoolId& pool : pools) SYMBOLON_TRY_VOID(routes->LoadPool(*snapshot, pool));
    after = pools.back();
  }
  return routes;
}

std::optional<PoolId> Routes::PoolOfClient(std::string_view client_id) const {
  const std::shared_lock lock(mutex_);
  return Find(clients_, std::string(client_id));
}

std::optional<PoolId> Routes::PoolOfDomain(std::string_view domain) const {
  const std::string folded = FoldCase(domain);
  const std::shared_lock lock(mutex_);
  return Find(domains_, folded);
}

std::optional<PoolId> Routes::Find(const Table& table, const std::string& name) {
  const auto found = table.find(name);
  return found == table.end() ? std::nullopt : std::optional(found->second.front());
}

storage::StoreResult<void> Routes::LoadPool(const storage::Snapshot& snapshot, const PoolId& pool) {
  for (const RecordType type : {RecordType::kClient, RecordType::kDomain}) {
    const storage::KeyRange range{
        .space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id_prefix = {}};
    std::optional<Bytes> after;
    do {
      SYMBOLON_TRY(const storage::Page page, snapshot.Scan(range, after, kPage));
      for (const storage::Record& record : page.records) Add(*TableOf(range.type), record.id, pool);
      after = page.next;
    } while (after);
  }
  return {};
}

void Routes::Add(Table& table, const std::string& name, const PoolId& pool) {
  std::vector<PoolId>& pools = table[name];
  const auto rank = [this](const PoolId& id) { return std::tuple(BirthRegion(id) != store_.region(), id); };
  const auto place = std::ranges::lower_bound(pools, rank(pool), {}, rank);
  if (place == pools.end() || *place != pool) pools.insert(place, pool);
}

void Routes::Remove(Table& table, const std::string& name, const PoolId& pool) {
  const auto found = table.find(name);
  if (found == table.end()) return;
  std::erase(found->second, pool);
  if (found->second.empty()) table.erase(found);
}

void Routes::Forget(const PoolId& pool) {
  for (Table* table : {&clients_, &domains_}) {
    for (auto entry = table->begin(); entry != table->end();) {
      std::erase(entry->second, pool);
      entry = entry->second.empty() ? table->erase(entry) : std::next(entry);
    }
  }
}

Routes::Table* Routes::TableOf(std::uint16_t record_type) {
  if (record_type == static_cast<std::uint16_t>(RecordType::kClient)) return &clients_;
  if (record_type == static_cast<std::uint16_t>(RecordType::kDomain)) return &domains_;
  return nullptr;
}

void Routes::OnNotice(const storage::Notice& notice) {
  const auto is_route = [this](const storage::Key& key) {
    return key.space == storage::Space::kDirectory && TableOf(key.type) != nullptr;
  };
  if (!notice.everything && std::ranges::none_of(notice.keys, is_route)) return;

  const std::unique_lock lock(mutex_);
  // Made under the lock: whichever notice comes last has seen the last change.
  const auto snapshot = store_.MakeSnapshot();
  if (notice.everything) {
    Forget(notice.pool);
    const auto loaded = LoadPool(*snapshot, notice.pool);
    if (!loaded) log::Error("routes of pool {} cannot be read: {}", notice.pool.value(), loaded.error().detail);
    return;
  }
  for (const storage::Key& key : notice.keys) {
    if (!is_route(key)) continue;
    const auto stored = snapshot->Get(key);
    if (!stored) {
      log::Error("a route of pool {} cannot be read: {}", key.pool.value(), stored.error().detail);
    } else if (stored->has_value()) {
      Add(*TableOf(key.type), key.id, key.pool);
    } else {
      Remove(*TableOf(key.type), key.id, key.pool);
    }
  }
}

}  // namespace symbolon::directory
