// Erasures of users in the node: this Region's part, the primary's work, and their threads.
#pragma once

#include <atomic>
#include <optional>

#include "erasure/erasures.h"

namespace symbolon::node {

// Lives as long as other Regions may ask; its threads end before what they need (StopThreads).
class NodeErasures {
 public:
  // `services`: as for the life of keys, its `ask` with this module's messages.
  // `gone`: Regions that are, for good.
  void Start(key_life::Services services, const replication::SuffixFolder& suffixes, const crypto::Ed25519Key& key,
             audit::Trail& trail, std::vector<Region> gone);
  void StartThreads();
  void StopThreads();

  // Thread-safe. kUnavailable until it is started.
  replication::ControlResult<Bytes> Answer(const Region& from, const Bytes& request);
  // Started.
  const erasure::Erasures& erasures() const { return *erasures_; }

 private:
  std::optional<erasure::RegionErasures> here_;
  std::optional<erasure::Erasures> erasures_;
  std::atomic<erasure::RegionErasures*> answers_ = nullptr;
  std::optional<erasure::RegionErasuresThread> here_thread_;
  std::optional<erasure::ErasuresThread> thread_;
};

}  // namespace symbolon::node
