// What the node counts, as Prometheus reads it (text exposition format 0.0.4). docs/metrics.md explains each name;
// metrics_golden.txt lists them all.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "http/server.h"
#include "node/users.h"
#include "replication/forwarding.h"
#include "replication/status.h"

namespace symbolon::node {

// Thread-safe. Labels hold names of the model, pools and Regions, never anything that a client made up, so that their
// number is bounded.
class Metrics {
 public:
  // Of so many pools at the most.
  static constexpr std::size_t kPoolsMax = 1'000;

  explicit Metrics(const Region& region);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A request that reached an operation. `outcome`: "ok" or the error's name.
  void CountRequest(std::string_view operation, std::string_view outcome, std::chrono::nanoseconds duration,
                    std::size_t unknown_members);
  // A durable commit of the store.
  void CountCommit();

  // A request that was passed on to its pool's primary, or was to be.
  void CountForwarded(replication::ForwardOutcome outcome);

  // A call of a key service for a pool. `outcome`: "ok" or a NameOf (key_metrics.h).
  void CountKeyCall(std::string_view provider, std::string_view operation, std::string_view outcome,
                    std::chrono::nanoseconds duration);

  // What is read when somebody looks.
  struct Readings {
    struct LogPosition {
      PoolId pool;
      std::uint64_t epoch;
      std::uint64_t sequence;
      // Of the log that is kept.
      std::uint64_t kept_entries = 0;
      std::uint64_t kept_bytes = 0;
    };
    struct Replica {
      PoolId pool;
      Region region;
      std::uint64_t lag_entries = 0;
      // nullopt: it takes its first copy.
      std::optional<std::chrono::nanoseconds> lag_time;
      std::optional<std::uint64_t> acknowledged_sequence;
    };
    // Of each pool and each other Region of it.
    struct FactLag {
      PoolId pool;
      Region region;
      std::uint64_t entries = 0;
    };
    // A copy of a pool that this Region sends or takes.
    struct Copy {
      PoolId pool;
      // The replica.
      Region region;
      std::uint64_t records = 0;
      std::uint64_t record_count = 0;
      std::uint64_t bytes = 0;
      std::uint64_t byte_count = 0;
      std::optional<std::chrono::nanoseconds> remaining;
    };
    // Of a pool whose writes wait for its replicas.
    struct Reach {
      PoolId pool;
      bool out_of_reach = false;
    };
    // Since the start, of such pools.
    struct DurabilityWrites {
      std::uint64_t confirmed = 0;
      std::uint64_t fell_back = 0;
      std::uint64_t unconfirmed = 0;
      std::uint64_t refused = 0;
    };
    struct Peer {
      Region region;
      bool connected = false;
      std::optional<Timestamp> last_contact;
      // Its clock minus this Region's.
      std::optional<std::chrono::microseconds> clock_difference;
    };
    std::vector<LogPosition> log_positions;
    // Of the pools whose primary this Region is.
    std::vector<Replica> replicas;
    std::vector<FactLag> fact_lags;
    std::vector<Copy> copies;
    std::vector<Reach> reaches;
    DurabilityWrites durability_writes;
    std::vector<Peer> peers;
    struct Admission {
      PoolId pool;
      bool admits_writes;
      bool handed_over = false;
      // With an authority and automatic promotion: how long none may follow the last one.
      std::optional<std::chrono::nanoseconds> automatic_promotion_wait;
    };
    std::vector<Admission> admissions;
    // Of the pools that this Region follows, if their primary signs.
    struct Signed {
      PoolId pool;
      std::uint64_t sequence;
    };
    std::vector<Signed> signed_positions;
    // The last whole comparison of a pool's copies that ran here.
    struct Verification {
      PoolId pool;
      Timestamp ended;
      std::uint64_t differences = 0;
    };
    std::vector<Verification> verifications;
    // Since the start.
    replication::ReplicationCounters replication;
    // That other Regions saw, and this one, as primary, makes records of.
    struct FirstSignIns {
      std::uint64_t absorbed = 0;
      std::uint64_t refused = 0;
      // Facts: those that cannot be verified yet, and those that are kept for members that may lack the record.
      std::uint64_t waiting = 0;
      std::uint64_t kept = 0;
    };
    FirstSignIns first_sign_ins;
    // nullopt: the operator alone decides who is primary.
    std::optional<replication::AuthorityStatus> authority;
    struct Audit {
      std::uint64_t lines = 0;
      std::uint64_t write_failures = 0;
      std::uint64_t refusals = 0;
      bool failing = false;
    };
    Audit audit;
    // Of customer managed keys (key_metrics.h).
    struct Keys {
      // Of the pools that this node has met; by NameOf the reason.
      std::map<std::string, std::uint64_t> locked;
      std::uint64_t lost = 0;
      struct DataKey {
        PoolId pool;
        std::chrono::nanoseconds age;
      };
      std::vector<DataKey> data_keys;
      // Under way.
      struct Reencryption {
        PoolId pool;
        std::uint64_t records_done = 0;
        std::uint64_t records_expected = 0;
        double records_per_second = 0;
        // For something that problems tell of; known at the primary only.
        bool waits = false;
      };
      std::vector<Reencryption> reencryptions;
      // Multi-Region keys with their primary here that a Region has not confirmed as they are, by Region.
      std::map<std::string, std::uint64_t> untold;
    };
    Keys keys;
    // Of iam.users_file, since the start.
    Users::Counters users;
    // Token signatures since the start.
    std::uint64_t signatures = 0;
    bool ready = false;
  };
  using Source = std::function<void(Readings&)>;
  // Before the first Text(); called on the threads that call it. What `source` refers to must outlive the metrics.
  void AddSource(Source source);
  // The same for the counters of the HTTP server.
  void SetHttpCounters(const http::ServerCounters& counters);

  std::string Text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace symbolon::node
