// For tests: the store of one Region, in memory, and plans that run on it as the pipeline runs them.
#pragma once

#include <map>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/seeded_random.h"
#include "directory/transaction.h"
#include "keys/pool_keys.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::directory {

// A pool's keys, made of its id alone: opened in one Region, they open what another has sealed.
std::shared_ptr<const keys::PoolKeys> TestKeysOf(const Region& here, const PoolId& pool);

// Driven by a thread of its own.
class TestStore {
 public:
  // Stores of one Region and seed draw the same random octets.
  TestStore(std::string_view region, Clock& clock, std::uint64_t seed = 0);

  storage::Store& store() { return *store_; }
  storage::MemoryDisk& disk() { return *disk_; }
  Random& random() { return random_; }

  std::unique_ptr<Transaction> Begin(const PoolId& pool);
  std::shared_ptr<const keys::PoolKeys> KeysOf(const PoolId& pool);
  // The first directory commit of a pool here opens an epoch, so that any Region can be made its writer.
  storage::StoreResult<storage::Committed> Commit(Transaction& tx);

  // Runs a plan that meets no conflict and commits what it changed.
  template <class Plan>
  void Change(const PoolId& pool, const Plan& plan) {
    const auto tx = Begin(pool);
    plan(*tx);
    ExpectCommitted(*tx);
  }
  // An answer without changes.
  template <class Look>
  auto See(const PoolId& pool, const Look& look) {
    const auto tx = Begin(pool);
    auto seen = look(*tx);
    ExpectReadable(*tx);
    return seen;
  }

  // Every record of the pool, as stored, in the directory and regional spaces; of no pool (regional) for an empty id.
  std::map<storage::Key, Bytes> Contents(const PoolId& pool);

  // Replaces the pool's directory by that of `other`, log position included.
  void CopyDirectory(TestStore& other, const PoolId& pool);
  // Merges all facts that `other` has of the pool.
  void MergeFacts(TestStore& other, const PoolId& pool);

 private:
  void ExpectCommitted(Transaction& tx);
  static void ExpectReadable(const Transaction& tx);

  SeededRandom random_;
  std::map<PoolId, std::shared_ptr<const keys::PoolKeys>> keys_;
  std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>();
  std::unique_ptr<storage::LocalStore> store_;
  std::unique_ptr<storage::CommitterThread> thread_;
};

}  // namespace symbolon::directory
