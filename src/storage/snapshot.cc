#include "storage/snapshot.h"

#include "storage/horizon.h"
#include "storage/keys.h"

namespace symbolon::storage {
namespace {

constexpr std::size_t kScanLimitMax = 10'000;

}  // namespace

std::uint64_t View::GenerationOf(const PoolId& pool) const {
  const auto found = generations->find(pool);
  return found == generations->end() ? keys::kFirstGeneration : found->second;
}

StoreResult<std::optional<pb::PoolState>> View::PoolState(const PoolId& pool) const {
  return GetMessage<pb::PoolState>(keys::PoolState(pool));
}

StoreResult<std::uint64_t> View::FactNumber(const PoolId& pool, BytesView region, BytesView incarnation) const {
  SYMBOLON_TRY(const std::optional<Bytes> number, engine->Get(keys::FactProgress(pool, region, incarnation)));
  if (!number) return 0;
  if (number->size() != 8) return Err(StoreError{StoreErrorCode::kCorrupt, "unreadable fact number"});
  return ReadBigEndian64(*number);
}

StoreResult<std::optional<Bytes>> LocalSnapshot::Get(const Key& key) const {
  if (key.space == Space::kFact && key.type == kHorizonType) return view_.engine->Get(keys::Horizon(key.pool));
  return view_.engine->Get(keys::Logical(key, view_.GenerationOf(key.pool)));
}

StoreResult<Page> LocalSnapshot::Scan(const KeyRange& range, const std::optional<Bytes>& after,
                                      std::size_t limit) const {
  SYMBOLON_CHECK(limit >= 1 && limit <= kScanLimitMax);
  const std::uint64_t generation = view_.GenerationOf(range.pool);
  const Bytes prefix = keys::Logical({range.space, range.pool, range.type, range.id_prefix}, generation);
  const std::size_t id_at = prefix.size() - range.id_prefix.size();
  const auto records = view_.engine->Iterate(prefix, keys::PrefixEnd(prefix));
  if (after) {
    // The least key that is greater.
    Bytes next = keys::Logical({range.space, range.pool, range.type, *after}, generation);
    next.push_back('\0');
    records->Seek(next);
  }
  Page page;
  for (; records->Valid(); records->Next()) {
    if (page.records.size() == limit) {
      page.next = page.records.back().id;
      break;
    }
    page.records.push_back({Bytes(records->key().substr(id_at)), Bytes(records->value())});
  }
  SYMBOLON_TRY_VOID(records->status());
  return page;
}

StoreResult<std::optional<pb::Head>> LocalSnapshot::Head(const PoolId& pool) const {
  SYMBOLON_TRY(std::optional<pb::PoolState> state, view_.PoolState(pool));
  if (!state) return std::nullopt;
  return std::move(*state->mutable_head());
}

StoreResult<pb::History> LocalSnapshot::History(const PoolId& pool) const {
  SYMBOLON_TRY(std::optional<pb::History> history, view_.GetMessage<pb::History>(keys::History(pool)));
  return std::move(history).value_or(pb::History());
}

StoreResult<std::optional<pb::Epoch>> LocalSnapshot::Promised(const PoolId& pool) const {
  return view_.GetMessage<pb::Epoch>(keys::Promise(pool));
}

StoreResult<std::vector<PoolId>> LocalSnapshot::Pools(const std::optional<PoolId>& after, std::size_t limit) const {
  const auto states = view_.engine->Iterate(keys::PoolStates(), keys::PrefixEnd(keys::PoolStates()));
  if (after) states->Seek(keys::PrefixEnd(keys::PoolState(*after)));
  std::vector<PoolId> pools;
  for (; states->Valid() && pools.size() < limit; states->Next()) {
    pools.push_back(keys::PoolOfPoolState(states->key()));
  }
  SYMBOLON_TRY_VOID(states->status());
  return pools;
}

StoreResult<pb::FactVector> LocalSnapshot::Facts(const PoolId& pool) const {
  const Bytes prefix = keys::FactProgresses(pool);
  const auto components = view_.engine->Iterate(prefix, keys::PrefixEnd(prefix));
  pb::FactVector vector;
  for (; components->Valid(); components->Next()) {
    if (components->value().size() != 8) return Err(StoreError{StoreErrorCode::kCorrupt, "unreadable fact number"});
    keys::ParsedProgress parsed = keys::ParseFactProgress(pool, components->key());
    pb::FactProgress* progress = vector.add_progress();
    progress->set_region(std::move(parsed.region));
    progress->set_incarnation(std::move(parsed.incarnation));
    progress->set_number(ReadBigEndian64(components->value()));
  }
  SYMBOLON_TRY_VOID(components->status());
  return vector;
}

}  // namespace symbolon::storage
