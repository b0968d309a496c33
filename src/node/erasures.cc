#include "node/erasures.h"

namespace symbolon::node {

void NodeErasures::Start(key_life::Services services, const replication::SuffixFolder& suffixes,
                         const crypto::Ed25519Key& key, audit::Trail& trail, std::vector<Region> gone) {
  here_.emplace(services, &suffixes, key);
  erasures_.emplace(std::move(services), *here_, key, &trail, erasure::Erasures::Options{.gone = std::move(gone)});
  answers_ = &*here_;
}

void NodeErasures::StartThreads() {
  here_thread_.emplace(*here_);
  thread_.emplace(*erasures_);
}

void NodeErasures::StopThreads() {
  thread_.reset();
  here_thread_.reset();
}

replication::ControlResult<Bytes> NodeErasures::Answer(const Region& from, const Bytes& request) {
  erasure::RegionErasures* const here = answers_;
  if (here != nullptr) return here->Answer(from, request);
  return Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, "starting"});
}

}  // namespace symbolon::node
