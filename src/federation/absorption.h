// The primary's part in first sign-ins that other Regions saw (replication protocol §5): what a Region says of somebody
// is verified again, by what the primary itself knows of the provider, and made a record (absorb.h). A key of the
// provider counts when the primary has got it from the issuer: at present, or in the past (ProviderKeysRecord).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "directory/env.h"
#include "directory/record_cache.h"
#include "federation/absorb.h"
#include "federation/oidc_client.h"
#include "keys/key_service.h"
#include "replication/durable_commits.h"
#include "replication/write_gate.h"
#include "storage/store.h"

namespace symbolon::federation {

// Runs on one thread, that of Tick; the rest is thread-safe.
class Absorption {
 public:
  struct Services {
    storage::Store& store;
    keys::KeyService& keys;
    directory::RecordCache& records;
    const directory::RegionSettings& region;
    replication::DurableCommits& commits;
    // nullptr where there are no other Regions.
    const replication::WriteGate* gate = nullptr;
    OidcClient& client;
    Clock& clock;
    Random& random;
    // Whether every member of the pool has acknowledged an entry at or past this sequence of the present history.
    std::function<bool(const PoolId& pool, std::uint64_t sequence)> everybody_has;
  };

  // What waits is looked at again after so long, and providers' keys are asked for.
  static constexpr std::chrono::seconds kRetryInterval{20};
  static constexpr std::chrono::hours kKeysInterval{1};
  explicit Absorption(Services services);
  ~Absorption();

  // Settles what can be settled. Blocks: for the store and for providers.
  void Tick();
  // Tick ends soon, without having done all.
  void Stop() { stopping_ = true; }

  struct Counters {
    std::uint64_t absorbed = 0;
    std::uint64_t refused = 0;
    // Of the last look: statements that have no record yet.
    std::uint64_t waiting = 0;
  };
  Counters counters() const;

 private:
  struct Attempt;

  void OnNotice(const storage::Notice& notice);
  void VisitPool(const PoolId& pool);
  void RememberKeys(const PoolId& pool);
  // False: this Region is not the pool's primary, or may not write now.
  bool Open(const PoolId& pool, Attempt& attempt);
  Absorbed Settle(const PoolId& pool, const Bytes& subject);
  std::optional<ProviderKey> Trusted(Attempt& attempt, const directory::pb::IdentityProviderRecord& provider,
                                     const ProviderKey& key);
  bool Commit(Attempt& attempt, bool& conflict);

  const Services services_;
  std::optional<std::chrono::nanoseconds> visited_all_;
  // By IdentityProviderRecord::id: when its keys were asked for.
  std::map<std::string, std::chrono::nanoseconds> keys_asked_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> absorbed_ = 0, refused_ = 0, waiting_ = 0;

  std::mutex mutex_;
  std::set<PoolId> changed_;  // pools of which something new is said; guarded by mutex_
  // Last: its notices use what stands above.
  std::unique_ptr<storage::Subscription> subscription_;
};

}  // namespace symbolon::federation
