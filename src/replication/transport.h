// The connections between Regions as the replicator uses them; gRPC over mutual TLS in production (replication/grpc).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "replication/link.pb.h"
#include "replication/session.h"

namespace symbolon::replication {

// For the operator: what could not be started, and why.
struct TransportError {
  std::string detail;
};

// Thread-safe.
class Transport {
 public:
  // Called on any thread, also within a call of the transport, which it may call in turn; never blocks. Nothing comes
  // after Stop has returned.
  class Events {
   public:
    virtual ~Events() = default;
    // A name for a link that a peer opens; no other has it.
    virtual LinkId NewLink() = 0;
    // A peer, authenticated as this Region, dialled. The link may be closed from now on.
    virtual void OnAccepted(LinkId link, const Region& peer) = 0;
    virtual void OnConnected(LinkId link) = 0;
    // Once for every link that was dialled or accepted, unless Close was called.
    virtual void OnClosed(LinkId link) = 0;
    // The next frame of the link comes after Resume.
    virtual void OnFrame(LinkId link, pb::Frame frame) = 0;
    // The frame of the last Send has left.
    virtual void OnSent(LinkId link) = 0;
    // A single call of a peer; `answer` is called once, on any thread.
    virtual void OnControl(const Region& from, pb::ControlRequest request,
                           std::function<void(pb::ControlAnswer)> answer) = 0;
  };

  virtual ~Transport() = default;
  // Listens. Once, before everything else. `events` must live until Stop has returned.
  virtual Result<void, TransportError> Start(Events& events) = 0;
  // Ends every link and call. Blocks until all has ended. Idempotent.
  virtual void Stop() = 0;

  virtual void Dial(const Region& peer, LinkId link) = 0;
  virtual void Close(LinkId link) = 0;
  // One at a time: the next after OnSent. Ignored for a link that is closed.
  virtual void Send(LinkId link, pb::Frame frame) = 0;
  virtual void Resume(LinkId link) = 0;
  // Whether a connection to the peer stands, so that a call begun now would be sent. Tries to have one otherwise.
  virtual bool IsReady(const Region& peer) = 0;
  // nullopt: not reached, or not answered in time. While the peer has a link that it dialled, a connection to it is
  // waited for; otherwise a peer that cannot be reached at once is not.
  virtual void Control(const Region& peer, const pb::ControlRequest& request, std::chrono::milliseconds timeout,
                       std::function<void(std::optional<pb::ControlAnswer>)> done) = 0;
};

}  // namespace symbolon::replication
