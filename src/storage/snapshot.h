// A published state of LocalStore, and reading it.
#pragma once

#include <memory>
#include <unordered_map>

#include "storage/engine.h"
#include "storage/local_store.pb.h"
#include "storage/parse.h"
#include "storage/store.h"

namespace symbolon::storage {

// Pools whose live copy of the directory is not keys::kFirstGeneration.
using Generations = std::unordered_map<PoolId, std::uint64_t>;

// Immutable; cheap to copy.
struct View {
  std::shared_ptr<const EngineSnapshot> engine;
  std::uint64_t version = 0;
  std::shared_ptr<const Generations> generations;

  std::uint64_t GenerationOf(const PoolId& pool) const;
  StoreResult<std::optional<pb::PoolState>> PoolState(const PoolId& pool) const;
  // The last number of this fact log that is known; 0: none.
  StoreResult<std::uint64_t> FactNumber(const PoolId& pool, BytesView region, BytesView incarnation) const;
  template <class Message>
  StoreResult<std::optional<Message>> GetMessage(BytesView key) const {
    SYMBOLON_TRY(const std::optional<Bytes> octets, engine->Get(key));
    return ParseStored<Message>(octets);
  }
};

class LocalSnapshot final : public Snapshot {
 public:
  explicit LocalSnapshot(View view) : view_(std::move(view)) {}

  StoreResult<std::optional<Bytes>> Get(const Key& key) const override;
  StoreResult<Page> Scan(const KeyRange& range, const std::optional<Bytes>& after, std::size_t limit) const override;
  StoreResult<std::optional<pb::Head>> Head(const PoolId& pool) const override;
  StoreResult<pb::History> History(const PoolId& pool) const override;
  StoreResult<std::optional<pb::Epoch>> Promised(const PoolId& pool) const override;
  StoreResult<std::vector<PoolId>> Pools(const std::optional<PoolId>& after, std::size_t limit) const override;
  StoreResult<pb::FactVector> Facts(const PoolId& pool) const override;
  std::uint64_t version() const override { return view_.version; }

 private:
  const View view_;
};

}  // namespace symbolon::storage
