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
    // The newest entry of this epoch that every member of the pool has acknowledged; nullopt: not all are known to have
    // any of it.
    std::function<std::optional<std::uint64_t>(const PoolId& pool, const storage::pb::Epoch& epoch)> everybody_has;
  };

  // All facts are looked at again after so long, and providers' keys are asked for; in between, those of which
  // something new is said.
  static constexpr std::chrono::seconds kRetryInterval{20};
  static constexpr std::chrono::hours kKeysInterval{1};
  explicit Absorption(Services services);
  ~Absorption();

  // Settles what can be settled. Blocks: for the store and for providers.
  void Tick();
  // Tick ends soon, without having done all.
  void Stop() { stopping_ = true; }

  struct Counters {
    // Since this process started.
    std::uint64_t absorbed = 0;
    std::uint64_t refused = 0;
    // Of the last look at all, and of what was said since: statements that have no record yet, and those that have one
    // and are kept for members that may lack it.
    std::uint64_t waiting = 0;
    std::uint64_t kept = 0;
  };
  Counters counters() const;

 private:
  struct Attempt;
  // What is to be looked at of a pool: these subjects of facts, or all.
  struct Changed {
    std::set<Bytes> subjects;
    bool everything = false;
  };
  // Of a pool whose primary this Region is, in one epoch. Another one begins anew: of what this epoch wrote a later one
  // may have set aside the end.
  struct Known {
    storage::pb::Epoch epoch;
    // Services::everybody_has, at the last look.
    std::optional<std::uint64_t> everybody_has;
    // By subject: the head at which what is said was first found settled. Whoever has that entry needs the fact no
    // more, however the log goes on. At most kSettledMax; others come in when these are gone.
    std::map<Bytes, std::uint64_t> settled_at;
    std::uint64_t waiting = 0;
  };

  void OnNotice(const storage::Notice& notice);
  void VisitPool(const PoolId& pool, const Changed& changed);
  // What is remembered of the pool, as of this head.
  Known& KnownOf(const PoolId& pool, const storage::pb::Head& head);
  // Those that are not over. nullopt: they cannot be read.
  std::optional<std::set<Bytes>> SubjectsOf(const PoolId& pool, const storage::Snapshot& snapshot);
  static bool WaitsForMembers(const Known& known, const Bytes& subject);
  // Of what is settled at the attempt's snapshot.
  bool EverybodyHas(const Attempt& attempt, const Bytes& subject);
  void RememberKeys(const PoolId& pool);
  // False: this Region is not the pool's primary, or may not write now.
  bool Open(const PoolId& pool, Attempt& attempt);
  Absorbed Settle(const PoolId& pool, const Bytes& subject);
  std::optional<ProviderKey> Trusted(Attempt& attempt, const directory::pb::IdentityProviderRecord& provider,
                                     const ProviderKey& key);
  bool Commit(Attempt& attempt, bool& conflict);

  const Services services_;
  std::optional<std::chrono::nanoseconds> visited_all_;
  std::map<PoolId, Known> known_;
  // By IdentityProviderRecord::id: when its keys were asked for.
  std::map<std::string, std::chrono::nanoseconds> keys_asked_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> absorbed_ = 0, refused_ = 0, waiting_ = 0, kept_ = 0;

  std::mutex mutex_;
  std::map<PoolId, Changed> changed_;  // guarded by mutex_
  // Last: its notices use what stands above.
  std::unique_ptr<storage::Subscription> subscription_;
};

}  // namespace symbolon::federation
