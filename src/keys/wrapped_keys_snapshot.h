// For tests of the keyring: a store with nothing but wrapped keys.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "keys/keyring.h"
#include "storage/store.h"

namespace symbolon::keys {

class WrappedKeysSnapshot final : public storage::Snapshot {
 public:
  std::map<PoolId, Bytes> wrapped;

  storage::StoreResult<std::optional<Bytes>> Get(const storage::Key& key) const override {
    if (key.type != kWrappedKeysRecordType) return std::nullopt;
    EXPECT_EQ(key.space, storage::Space::kDirectory);
    const auto found = wrapped.find(key.pool);
    if (found == wrapped.end()) return std::nullopt;
    return found->second;
  }
  storage::StoreResult<storage::Page> Scan(const storage::KeyRange&, const std::optional<Bytes>&,
                                           std::size_t) const override {
    return storage::Page();
  }
  storage::StoreResult<std::optional<storage::pb::Head>> Head(const PoolId&) const override { return std::nullopt; }
  storage::StoreResult<storage::pb::History> History(const PoolId&) const override { return storage::pb::History(); }
  storage::StoreResult<std::optional<storage::pb::Epoch>> Promised(const PoolId&) const override {
    return std::nullopt;
  }
  storage::StoreResult<std::vector<PoolId>> Pools(const std::optional<PoolId>&, std::size_t) const override {
    return std::vector<PoolId>();
  }
  storage::StoreResult<storage::pb::FactVector> Facts(const PoolId&) const override {
    return storage::pb::FactVector();
  }
  std::uint64_t version() const override { return 0; }
};

}  // namespace symbolon::keys
