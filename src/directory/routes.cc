#include "directory/routes.h"

#include <mutex>

#include "base/log.h"
#include "directory/normalise.h"
#include "directory/record_types.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kPage = 1000;

}  // namespace

storage::StoreResult<std::unique_ptr<Routes>> Routes::Open(storage::Store& store) {
  std::unique_ptr<Routes> routes(new Routes(store));
  // Subscribed before the first look, so that no change falls between: one that is in the snapshot already is only read
  // again.
  routes->subscription_ =
      store.Subscribe([self = routes.get()](const storage::Notice& notice) { self->OnNotice(notice); });
  const auto snapshot = store.MakeSnapshot();
  std::optional<PoolId> after;
  while (true) {
    SYMBOLON_TRY(const std::vector<PoolId> pools, snapshot->Pools(after, kPage));
    if (pools.empty()) return routes;
    for (const PoolId& pool : pools) SYMBOLON_TRY_VOID(routes->LoadPool(*snapshot, pool));
    after = pools.back();
  }
}

std::optional<PoolId> Routes::PoolOfClient(std::string_view client_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = clients_.pool_of.find(std::string(client_id));
  return found == clients_.pool_of.end() ? std::nullopt : std::optional(found->second);
}

std::optional<PoolId> Routes::PoolOfDomain(std::string_view domain) const {
  const std::shared_lock lock(mutex_);
  const auto found = domains_.pool_of.find(FoldCase(domain));
  return found == domains_.pool_of.end() ? std::nullopt : std::optional(found->second);
}

storage::StoreResult<void> Routes::LoadPool(const storage::Snapshot& snapshot, const PoolId& pool) {
  for (const RecordType type : {RecordType::kClient, RecordType::kDomain}) {
    const storage::KeyRange range{
        .space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id_prefix = {}};
    std::optional<Bytes> after;
    do {
      SYMBOLON_TRY(const storage::Page page, snapshot.Scan(range, after, kPage));
      const std::unique_lock lock(mutex_);
      for (const storage::Record& record : page.records) TableOf(range.type)->pool_of.insert_or_assign(record.id, pool);
      after = page.next;
    } while (after);
  }
  return {};
}

void Routes::Forget(const PoolId& pool) {
  const std::unique_lock lock(mutex_);
  for (Table* table : {&clients_, &domains_}) {
    std::erase_if(table->pool_of, [&](const auto& entry) { return entry.second == pool; });
  }
}

Routes::Table* Routes::TableOf(std::uint16_t record_type) {
  if (record_type == static_cast<std::uint16_t>(RecordType::kClient)) return &clients_;
  if (record_type == static_cast<std::uint16_t>(RecordType::kDomain)) return &domains_;
  return nullptr;
}

void Routes::OnNotice(const storage::Notice& notice) {
  if (notice.everything) {
    Forget(notice.pool);
    const auto loaded = LoadPool(*store_.MakeSnapshot(), notice.pool);
    if (!loaded) log::Error("routes of pool {} cannot be read: {}", notice.pool.value(), loaded.error().detail);
    return;
  }
  std::unique_ptr<storage::Snapshot> snapshot;
  for (const storage::Key& key : notice.keys) {
    if (key.space != storage::Space::kDirectory) continue;
    Table* table = TableOf(key.type);
    if (table == nullptr) continue;
    if (!snapshot) snapshot = store_.MakeSnapshot();
    const auto stored = snapshot->Get(key);
    if (!stored) {
      log::Error("a route of pool {} cannot be read: {}", notice.pool.value(), stored.error().detail);
      continue;
    }
    const std::unique_lock lock(mutex_);
    if (stored->has_value()) {
      table->pool_of.insert_or_assign(key.id, notice.pool);
    } else if (const auto found = table->pool_of.find(key.id);
               found != table->pool_of.end() && found->second == notice.pool) {
      table->pool_of.erase(found);
    }
  }
}

}  // namespace symbolon::directory
