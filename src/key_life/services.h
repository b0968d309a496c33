// What the work on a pool's keys needs from the rest of the node.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/key_service.h"
#include "replication/control.h"
#include "replication/durable_commits.h"
#include "replication/suffix_file.h"
#include "replication/write_gate.h"
#include "storage/store.h"

namespace symbolon::key_life {

class Shredding;

// One call to another Region (link.proto's KeyRequest to its KeyAnswer). Blocks, for seconds at the most.
using AskRegion = std::function<replication::ControlResult<Bytes>(const Region& region, Bytes request)>;

// Why a pool of this Region may not have this CMK at the wish of `owner`: a user, or the account's root (empty). Empty:
// it may. Blocks.
using CheckKeyFor =
    std::function<std::string(const std::string& owner, const PoolId& pool, const std::string& kms_key_arn)>;

// All of it outlives whoever holds this.
struct Services {
  storage::Store& store;
  keys::KeyService& keys;
  replication::DurableCommits& commits;
  Clock& clock;
  Random& random;
  Region here;
  // Empty and nullptr where there are no other Regions.
  AskRegion ask = {};
  replication::WriteGate* gate = nullptr;
  const replication::SuffixFolder* suffixes = nullptr;
  // Who answers other Regions about pools that are to be shredded (shredding.h); nullptr: nobody.
  Shredding* shredding = nullptr;
  // Empty: nobody is asked.
  CheckKeyFor check_key = {};
};

}  // namespace symbolon::key_life
