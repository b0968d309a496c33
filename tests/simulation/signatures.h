// Signatures of simulated Regions, and somebody who has a Region's place in the network, but not its log key.
#pragma once

#include "base/bytes.h"
#include "plants.h"
#include "replication/log_signatures.h"

namespace symbolon::simulation {

// As Ed25519's, but cheap, so that a run can have many. They prove as much as the simulator needs: only who has the
// object signs by its key. Deterministic.
class SimSigner final : public replication::LogSigner {
 public:
  // `public_key`: replication::kLogKeyBytes. A plant may make it check less than it should.
  explicit SimSigner(Bytes public_key, Plant plant = Plant::kNone)
      : public_key_(std::move(public_key)), plant_(plant) {}

  const Bytes& public_key() const override { return public_key_; }
  Bytes Sign(BytesView statement) const override;
  bool Verify(BytesView public_key, BytesView statement, BytesView signature) const override;

 private:
  const Bytes public_key_;
  const Plant plant_;
};

// What an impostor makes of what the Region sends: changed, and not signed by its key.
void Forge(replication::pb::Frame& frame);

}  // namespace symbolon::simulation
