// For tests: one Region with one pool in memory, whose plans run as the pipeline runs them. Two of them may hold the
// same pool and exchange facts.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/context.h"
#include "auth/error.h"
#include "base/manual_clock.h"
#include "crypto/signing_key.h"
#include "directory/test_store.h"
#include "directory/users.h"

namespace symbolon::auth {

// A pool that Regions share: its id, of which its keys are made.
struct TestPool {
  explicit TestPool(std::string_view name = "eu-central-1_TestPool1") : id(std::string(name)) {}
  PoolId id;
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
    directory::Env env(clock_.Now(), random(), settings_);
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
    directory::Env env(clock_.Now(), random(), settings_);
    auto tx = Begin();
    return look(Context{.tx = *tx, .env = env, .pool = pool, .signer = signer, .is_primary = is_primary});
  }

  // For tests of plans that run side by side.
  std::unique_ptr<directory::Transaction> Begin() { return store_.Begin(pool_id_); }
  // False after a conflict.
  bool Commit(directory::Transaction& tx);

  // Whether the last plan that ran committed anything.
  bool last_wrote() const { return last_wrote_; }

  // Merges all facts of `other` into this Region.
  void MergeFactsOf(TestRegion& other) { store_.MergeFacts(other.store_, pool_id_); }
  // As housekeeping does.
  void ForgetExpiredFacts() { EXPECT_TRUE(store_.store().ForgetExpiredFacts(clock_.Now(), 1'000)); }
  // Replaces this Region's directory by that of `other`.
  void CopyDirectoryOf(TestRegion& other);

  const directory::RegionSettings& settings() const { return settings_; }
  ManualClock& clock() { return clock_; }
  Random& random() { return store_.random(); }

 private:
  PoolId pool_id_;
  ManualClock& clock_;
  directory::RegionSettings settings_;
  directory::TestStore store_;
  bool last_wrote_ = false;
};

}  // namespace symbolon::auth
