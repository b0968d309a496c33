// The two ends of a link as gRPC's callback API has them. Private to this folder.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>

#include "replication/grpc/link_service.grpc.pb.h"
#include "replication/transport.h"

namespace symbolon::replication::grpc_link {

// One connection, of either direction. Thread-safe. gRPC may run a reaction within the call that caused it, hence the
// recursive mutexes.
class LinkStream {
 public:
  virtual ~LinkStream() = default;
  virtual void Send(pb::Frame frame) = 0;
  virtual void Resume() = 0;
  virtual void Close() = 0;
};

// Keeps track of what gRPC has not given back yet.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  virtual Transport::Events& events() = 0;
  // A peer opened it. False: stopping; the link has to end.
  virtual bool Add(LinkId link, const Region& peer, std::shared_ptr<LinkStream> stream) = 0;
  // gRPC is done with the stream; `link` 0: it never got a name. The stream is handed over, because it must not be
  // destroyed on gRPC's threads: the last channel would join the thread that lets go of it.
  virtual void OnDone(LinkId link, std::shared_ptr<void> stream) = 0;
};

// A stream that this Region opened. Lives until gRPC is done with it.
class DialledStream final : public grpc::ClientBidiReactor<pb::Frame, pb::Frame>,
                            public LinkStream,
                            public std::enable_shared_from_this<DialledStream> {
 public:
  DialledStream(StreamOwner& owner, LinkId link, const std::shared_ptr<grpc::Channel>& channel)
      : owner_(owner), link_(link), stub_(wire::Link::NewStub(channel)) {}

  void Begin();
  void Send(pb::Frame frame) override;
  void Resume() override;
  void Close() override;

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  StreamOwner& owner_;
  const LinkId link_;
  const std::unique_ptr<wire::Link::Stub> stub_;
  grpc::ClientContext context_;
  std::shared_ptr<DialledStream> self_;
  pb::Frame incoming_;
  pb::Frame outgoing_;
  std::recursive_mutex mutex_;
  bool closed_ = false;  // guarded by mutex_
};

// A stream that a peer opened. Lives until gRPC is done with it.
class AcceptedStream final : public grpc::ServerBidiReactor<pb::Frame, pb::Frame>,
                             public LinkStream,
                             public std::enable_shared_from_this<AcceptedStream> {
 public:
  AcceptedStream(StreamOwner& owner, grpc::CallbackServerContext& context) : owner_(owner), context_(context) {}

  void Begin(const Region& peer);
  void End(const grpc::Status& status);
  void Send(pb::Frame frame) override;
  void Resume() override;
  void Close() override;

  void OnSendInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  StreamOwner& owner_;
  grpc::CallbackServerContext& context_;
  LinkId link_ = 0;
  std::shared_ptr<AcceptedStream> self_;
  pb::Frame incoming_;
  pb::Frame outgoing_;
  std::recursive_mutex mutex_;
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace symbolon::replication::grpc_link
