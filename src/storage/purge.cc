// Which keys of the engine Store::Purge is about.
#include <algorithm>

#include "storage/keys.h"
#include "storage/local_store.h"

namespace symbolon::storage {
namespace {

KeySpan Under(Bytes prefix) {
  Bytes end = keys::PrefixEnd(prefix);
  return {std::move(prefix), std::move(end)};
}

KeySpan Only(Bytes key) {
  Bytes end = key + '\0';
  return {std::move(key), std::move(end)};
}

// Ascending, without overlaps.
std::vector<KeySpan> Joined(std::vector<KeySpan> spans) {
  std::ranges::sort(spans, {}, &KeySpan::begin);
  std::vector<KeySpan> joined;
  for (KeySpan& span : spans) {
    if (!joined.empty() && span.begin <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, span.end);
    } else {
      joined.push_back(std::move(span));
    }
  }
  return joined;
}

// `generation`: the pool's live one.
std::vector<KeySpan> SpansOf(const PoolId& pool, const PurgeScope& scope, std::uint64_t generation) {
  std::vector<KeySpan> spans;
  if (scope.everything) {
    for (Bytes& prefix : keys::EverythingOf(pool)) spans.push_back(Under(std::move(prefix)));
    return spans;
  }
  bool of_directory = false;
  for (const Key& key : scope.keys) {
    SYMBOLON_CHECK(key.pool == pool);
    spans.push_back(Only(keys::Logical(key, generation)));
    of_directory = of_directory || key.space == Space::kDirectory;
  }
  if (of_directory) {
    // Copies that the live one took the place of, and those that were given up, may have had them.
    spans.push_back({keys::Records(pool, 0), keys::Records(pool, generation)});
    spans.push_back({keys::Records(pool, generation + 1), keys::PrefixEnd(keys::DirectoryOf(pool))});
  }
  if (scope.directory_log) spans.push_back(Under(keys::LogsOf(pool)));
  if (scope.facts) {
    for (Bytes& prefix : keys::FactsOf(pool)) spans.push_back(Under(std::move(prefix)));
  }
  return Joined(std::move(spans));
}

}  // namespace

StoreResult<Purged> LocalStore::Purge(const PoolId& pool, const PurgeScope& scope) {
  SYMBOLON_CHECK(!pool.empty() && keys::WellFormedName(pool.value()));
  SYMBOLON_TRY_VOID(core_.CheckWritable());
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, core_.view().PoolState(pool));
  // What is published may hold on to what was deleted.
  core_.PublishAsIs();
  return core_.engine().Purge(SpansOf(pool, scope, state ? state->generation() : keys::kFirstGeneration));
}

}  // namespace symbolon::storage
