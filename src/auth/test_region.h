// For tests: one Region with one pool in memory, whose plans run as the pipeline runs them. Two of them may hold the
// same pool and exchange facts.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/context.h"
#include "auth/error.h"
#include "base/manual_clock.h"
#include "crypto/signing_key.h"
#include "directory/users.h"
#include "keys/pool_keys.h"

namespace symbolon::auth {

// Octets that look random and are the same in every run. Thread-safe is what it is not.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::string_view seed) : seed_(seed) {}
  Bytes Octets(std::size_t count) override;

 private:
  std::string seed_;
  std::uint64_t block_ = 0;
};

// A pool that Regions share: its id and opened keys.
struct TestPool {
  explicit TestPool(std::string_view id = "eu-central-1_TestPool1");
  PoolId id;
  std::shared_ptr<const keys::PoolKeys> keys;
};

// Keys of either algorithm, made once for all tests.
const std::vector<crypto::SigningKey>& TestSigningKeys(crypto::SignatureAlgorithm algorithm);

class TestRegion {
 public:
  TestRegion(std::string_view name, const TestPool& pool, ManualClock& clock);

  // The pool's record as plans see it.
  directory::pb::PoolRecord pool;
  // Whether plans may write the directory.
  bool is_primary = true;
  TokenSigner signer;

  // Runs a plan until it commits. An error throws its changes away unless it keeps them.
  template <class T>
  AuthResult<T> Run(const std::function<AuthResult<T>(const Context&)>& plan) {
    directory::Env env(clock_.Now(), random_, settings_);
    for (;;) {
      auto tx = Begin();
      AuthResult<T> result =
          plan(Context{.tx = *tx, .env = env, .pool = pool, .signer = signer, .is_primary = is_primary});
      EXPECT_FALSE(tx->failure()) << tx->failure()->detail;
      last_wrote_ = false;
      if (!result && !result.error().keep_changes) return result;
      if (Commit(*tx)) return result;
    }
  }
  // For plans that only change something.
  void Change(const std::function<void(const Context&)>& plan);
  // An answer without changes.
  template <class Look>
  auto See(const Look& look) {
    directory::Env env(clock_.Now(), random_, settings_);
    auto tx = Begin();
    return look(Context{.tx = *tx, .env = env, .pool = pool, .signer = signer, .is_primary = is_primary});
  }

  // For tests of plans that run side by side.
  std::unique_ptr<directory::Transaction> Begin();
  // False after a conflict.
  bool Commit(directory::Transaction& tx);

  // Whether the last plan that ran committed anything.
  bool last_wrote() const { return last_wrote_; }

  // Merges all facts of `other` into this Region.
  void MergeFactsOf(const TestRegion& other);
  // Replaces this Region's directory by that of `other`.
  void CopyDirectoryOf(const TestRegion& other);

  const directory::RegionSettings& settings() const { return settings_; }
  ManualClock& clock() { return clock_; }
  Random& random() { return random_; }

 private:
  struct Cell {
    std::optional<Bytes> value;
    std::uint64_t version = 0;
  };
  using Cells = std::map<storage::Key, Cell>;
  class Snapshot;

  PoolId pool_id_;
  std::shared_ptr<const keys::PoolKeys> keys_;
  ManualClock& clock_;
  SeededRandom random_;
  directory::RegionSettings settings_;
  Cells cells_;
  std::uint64_t version_ = 0;
  bool last_wrote_ = false;
};

}  // namespace symbolon::auth
