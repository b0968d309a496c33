// Compares the copies of a pool's directory in several Regions at one position, while writes go on, and names the
// records that differ (docs/adr/0010-verification.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/control.h"
#include "replication/verify.pb.h"
#include "replication/verify_outcome.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

// What a comparison found, or has so far.
struct VerifyReport {
  enum class Phase { kPinning, kRollingForward, kHashing, kComparing, kDone };

  struct RegionResult {
    Region region;
    // Its digest tree is here.
    bool compared = false;
    // Why it could not be compared, or what differs not be named; for people.
    std::string problem;
    // Hashed so far, and about how many there are.
    std::uint64_t records = 0;
    std::uint64_t records_expected = 0;
    // Equal roots: equal directories. Empty until it is compared.
    Bytes root;
  };
  // A record of which not all compared Regions have the same.
  struct Difference {
    // type (2 octets, big-endian) ‖ id
    Bytes key;
    // SHA-256 of the sealed record in each compared Region; nullopt: it has none.
    std::map<Region, std::optional<Bytes>> digests;
  };

  Phase phase = Phase::kPinning;
  // Where the Regions are compared; nullopt: no two could be.
  std::optional<storage::pb::Position> position;
  std::vector<RegionResult> regions;
  // Ascending by key; the first of them only, if there are many.
  std::vector<Difference> differences;
  // All that were found; more than are named if there are many.
  std::uint64_t difference_count = 0;
  // Whether that is all of them.
  bool differences_complete = true;

  VerifyOutcome outcome() const;
};

// How a comparison reaches the Regions, and time. Called on one thread.
class VerifyChannel {
 public:
  virtual ~VerifyChannel() = default;
  // Blocks until the Region answers with a serialised pb::VerifyAnswer. kUnavailable is tried again for a while.
  virtual ControlResult<Bytes> Ask(const Region& region, const pb::VerifyRequest& request) = 0;
  // Time passes. False: give up, nobody wants the result any more.
  virtual bool Pause(std::chrono::nanoseconds time) = 0;
  virtual std::chrono::nanoseconds SinceBoot() = 0;
  // The report so far.
  virtual void OnProgress(const VerifyReport& report) = 0;
};

struct VerifyOptions {
  // Of each Region; 0: as fast as it goes.
  std::uint64_t records_per_second = 0;
  std::size_t differences_named = 1'000;
  // The comparison ends when it has found so many.
  std::uint64_t differences_counted = 100'000;
  // So long a Region that does not answer is asked again.
  std::chrono::nanoseconds patience = std::chrono::seconds(10);
  // So often everything begins again because a Region's log did not reach from what it pinned to where the others are.
  int attempts = 3;
};

// A Region that has to hold the pool. With `problem`: it cannot be compared, and is only named in the report.
struct VerifyParticipant {
  Region region;
  std::string problem;
};

// Blocks until it is done; nullopt: it was given up. `random` draws the session's name.
std::optional<VerifyReport> Verify(const PoolId& pool, const std::vector<VerifyParticipant>& participants,
                                   VerifyChannel& channel, Random& random, const VerifyOptions& options);

}  // namespace symbolon::replication
