// Registers in an etcd cluster (v3 API, gRPC over TLS with a client certificate).
//
// A register is the key PREFIX/pools/POOL. A Region's lease is the key PREFIX/holders/REGION/INCARNATION with its
// session's name, bound to a lease of etcd's. To renew it, a new lease is granted and the key is bound to that: both go
// through the cluster's log. etcd's own keep-alive does not: a member that takes itself for the leader answers it alone
// (docs/adr/0008-authority-etcd.md).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "replication/registers.h"

namespace symbolon::replication::etcd {

struct EtcdOptions {
  // "host:port" of members, at least one; the next is tried when one does not answer.
  std::vector<std::string> endpoints;
  // PEM: who signs the members' certificates, and this Region's certificate and private key.
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
  // Under which all keys lie.
  std::string key_prefix = "/symbolon";
  // For one call; what is asked of Registers takes a few.
  std::chrono::milliseconds call_limit{1'000};
};

// Thread-safe.
class EtcdRegisters final : public RegisterClient {
 public:
  explicit EtcdRegisters(EtcdOptions options);
  // Stops.
  ~EtcdRegisters() override;

  void Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease, RegisterCallback<Held> done) override;
  void Read(Revision since, RegisterCallback<RegisterNews> done) override;
  void Swap(RegisterSwap swap, RegisterCallback<std::optional<Revision>> done) override;
  void Stop() override;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace symbolon::replication::etcd
