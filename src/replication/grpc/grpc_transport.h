// The link between Regions: gRPC over mutual TLS. A certificate names its Region as a DNS name (subjectAltName); both
// sides check it against the topology.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "replication/transport.h"

namespace symbolon::replication::grpc_link {

struct TransportOptions {
  // "127.0.0.1:9412"; port 0 takes a free one.
  std::string listen;
  // The other Regions and where they listen.
  std::map<Region, std::string> peers;
  // PEM: who signs the Regions' certificates, and this Region's certificate and private key.
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(TransportOptions options);
  // Stops.
  ~GrpcTransport() override;

  Result<void, TransportError> Start(Events& events) override;
  void Stop() override;
  void Dial(const Region& peer, LinkId link) override;
  void Close(LinkId link) override;
  void Send(LinkId link, pb::Frame frame) override;
  void Resume(LinkId link) override;
  bool IsReady(const Region& peer) override;
  void Control(const Region& peer, const pb::ControlRequest& request, std::chrono::milliseconds timeout,
               std::function<void(std::optional<pb::ControlAnswer>)> done) override;

  // Where it listens, after Start.
  std::uint16_t port() const;
  // Where a peer listens from now on; it must be one of those given. For peers that took a free port.
  void SetPeerAddress(const Region& peer, std::string address);

  class Impl;

 private:
  const std::unique_ptr<Impl> impl_;
};

}  // namespace symbolon::replication::grpc_link
