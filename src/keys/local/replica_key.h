// Multi-Region keys on their way between the local key services of two Regions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "keys/local/key_facts.h"
#include "keys/local/local_key_error.h"

namespace symbolon::keys::local {

// What the Regions of a key share, as its primary has it, for one of them. Sent again as often as needed: it states
// where things are, not what to do.
struct ReplicaKey {
  struct Material {
    MaterialFacts facts;
    // Sealed to the target's transport key (crypto/hybrid.h), bound to key id, version, primary and target. Empty for a
    // key with imported material, which its owner imports into every Region.
    Bytes sealed;
  };

  std::string key_id;
  // Filled in by the link, which has authenticated it.
  Region sender;
  Region primary;
  // All that there are, the target included.
  std::vector<Region> replicas;
  KeyOrigin origin = KeyOrigin::kAwsKms;
  std::vector<Material> materials;
  std::uint32_t current_version = 0;
  Rotation rotation;
  std::uint64_t sequence = 0;

  // ReplicateKey: the Region shall hold a replica from now on. Otherwise it is told of a change of one that it has.
  bool create = false;
  // With `create`: the target is known to have had it, and refuses it as kAlreadyExists if it still has.
  bool only_if_missing = false;
  // The sender was primary; the target is, from now on.
  bool hand_over = false;

  // Of a replica that is made.
  std::string description;
  Timestamp created{};
  std::string policy;  // empty: the default
  Tags tags;
};

// The link to other Regions' local providers, which authenticates both ends. Thread-safe; all calls block.
class KeyReplicationTransport {
 public:
  virtual ~KeyReplicationTransport() = default;
  // LocalKeyProvider::TransportPublicKey() there. Errors: kUnknownRegion, kUnavailable.
  virtual LocalKeyResult<Bytes> TransportPublicKey(const Region& target) = 0;
  // LocalKeyProvider::AcceptReplica() there. Errors: as there, and kUnknownRegion, kUnavailable.
  virtual LocalKeyResult<void> ImportReplica(const Region& target, const ReplicaKey& key) = 0;
  // LocalKeyProvider::ForgetReplica() there: this Region's replica is gone for good.
  virtual LocalKeyResult<void> AnnounceDeletion(const Region& primary, const std::string& key_id) = 0;
};

}  // namespace symbolon::keys::local
