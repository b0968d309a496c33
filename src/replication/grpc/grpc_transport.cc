#include "replication/grpc/grpc_transport.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "replication/grpc/streams.h"

namespace symbolon::replication::grpc_link {
namespace {

// Many times a frame's usual size, because an entry is never split.
constexpr int kMessageLimitBytes = 64 << 20;
constexpr const char* kSanProperty = "x509_subject_alternative_name";
constexpr int kReconnectMs = 100;
constexpr int kReconnectMaxMs = 1'000;
// For one attempt, with its several round trips.
constexpr int kConnectTimeoutMs = 5'000;

// Which of the known Regions the caller's certificate names; nullopt: none.
std::optional<Region> PeerOf(const grpc::CallbackServerContext& context, const std::map<Region, std::string>& peers) {
  const auto authenticated = context.auth_context();
  if (authenticated && authenticated->IsPeerAuthenticated()) {
    for (const grpc::string_ref& name : authenticated->FindPropertyValues(kSanProperty)) {
      const Region region(std::string(name.data(), name.size()));
      if (peers.contains(region)) return region;
    }
  }
  log::Warning("refused: the certificate of {} names no other Region of the topology", context.peer());
  return std::nullopt;
}

// A peer's call: finished when it is answered, and when whoever should answer drops it.
class PendingCall {
 public:
  PendingCall(grpc::ServerUnaryReactor& reactor, pb::ControlAnswer& answer) : reactor_(&reactor), answer_(answer) {}
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
  ~PendingCall() {
    if (grpc::ServerUnaryReactor* reactor = reactor_.exchange(nullptr)) {
      reactor->Finish({grpc::StatusCode::UNAVAILABLE, "stopping"});
    }
  }
  void Answer(pb::ControlAnswer given) {
    grpc::ServerUnaryReactor* reactor = reactor_.exchange(nullptr);
    SYMBOLON_CHECK(reactor != nullptr);
    answer_ = std::move(given);
    reactor->Finish(grpc::Status::OK);
  }

 private:
  std::atomic<grpc::ServerUnaryReactor*> reactor_;
  pb::ControlAnswer& answer_;
};

// A call to a peer.
struct Call : std::enable_shared_from_this<Call> {
  grpc::ClientContext context;
  pb::ControlRequest request;
  pb::ControlAnswer answer;
  std::function<void(std::optional<pb::ControlAnswer>)> done;
  std::unique_ptr<wire::Link::Stub> stub;
};

grpc::Status NoRegion() {
  return {grpc::StatusCode::PERMISSION_DENIED, "the certificate names no Region of the topology"};
}

}  // namespace

class GrpcTransport::Impl final : public wire::Link::CallbackService, public StreamOwner {
 public:
  explicit Impl(TransportOptions options) : options_(std::move(options)) {}

  Result<void, TransportError> Listen(Events& events) {
    events_ = &events;
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = options_.ca_pem;
    tls.pem_key_cert_pairs.push_back({options_.key_pem, options_.certificate_pem});
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options_.listen, grpc::SslServerCredentials(tls), &port_);
    builder.SetMaxReceiveMessageSize(kMessageLimitBytes);
    // A second node on the same port is an error, not a silent sharing.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (server_ && port_ != 0) return {};
    server_.reset();
    return Err(
        TransportError{"cannot listen on " + options_.listen + ": is the port free, are certificate and key good?"});
  }

  void Stop() {
    std::map<LinkId, Standing> links;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(stopping_, true)) return;
      links.swap(links_);
      for (const auto& call : calls_) call->context.TryCancel();
    }
    for (const auto& [id, link] : links) link.stream->Close();
    links.clear();
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return under_way_ == 0; });
    lock.unlock();
    server_.reset();
    BuryTheDead();
  }

  void Dial(const Region& peer, LinkId id) {
    BuryTheDead();
    auto link = std::make_shared<DialledStream>(*this, id, ChannelTo(peer));
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      ++under_way_;
      links_[id] = {.stream = link};
    }
    link->Begin();
  }
  void CloseLink(LinkId id) {
    if (const auto link = Take(id)) link->Close();
  }
  std::shared_ptr<LinkStream> Find(LinkId id) {
    const std::lock_guard lock(mutex_);
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : found->second.stream;
  }

  bool IsReady(const Region& peer) { return ChannelTo(peer)->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY; }
  void Ask(const Region& peer, const pb::ControlRequest& request, std::chrono::milliseconds timeout,
           std::function<void(std::optional<pb::ControlAnswer>)> done) {
    BuryTheDead();
    auto call = std::make_shared<Call>();
    call->context.set_deadline(std::chrono::system_clock::now() + timeout);
    call->request = request;
    call->done = std::move(done);
    call->stub = wire::Link::NewStub(ChannelTo(peer));
    bool stopping;
    {
      const std::lock_guard lock(mutex_);
      stopping = stopping_;
      // Of who came to us we know that it is there: if our own connection is being made, the call waits for it.
      call->context.set_wait_for_ready(
          std::ranges::any_of(links_, [&](const auto& link) { return link.second.accepted_from == peer; }));
      if (!stopping) {
        ++under_way_;
        calls_.insert(call);
      }
    }
    if (stopping) return call->done(std::nullopt);
    call->stub->async()->Control(&call->context, &call->request, &call->answer,
                                 [this, ended = call.get()](const grpc::Status& status) { OnAnswer(*ended, status); });
  }

  // ---- the service ----
  grpc::ServerBidiReactor<pb::Frame, pb::Frame>* Connect(grpc::CallbackServerContext* context) override {
    {
      const std::lock_guard lock(mutex_);
      ++under_way_;  // also while stopping: the stream has to end all the same
    }
    const auto stream = std::make_shared<AcceptedStream>(*this, *context);
    if (const auto peer = PeerOf(*context, options_.peers)) {
      // The pause after earlier failures to reach it need not be sat out.
      grpc::experimental::ChannelResetConnectionBackoff(ChannelTo(*peer).get());
      stream->Begin(*peer);
    } else {
      stream->End(NoRegion());
    }
    return stream.get();
  }
  grpc::ServerUnaryReactor* Control(grpc::CallbackServerContext* context, const pb::ControlRequest* request,
                                    pb::ControlAnswer* answer) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto peer = PeerOf(*context, options_.peers);
    if (!peer) {
      reactor->Finish(NoRegion());
      return reactor;
    }
    events_->OnControl(*peer, *request,
                       [call = std::make_shared<PendingCall>(*reactor, *answer)](pb::ControlAnswer given) {
                         call->Answer(std::move(given));
                       });
    return reactor;
  }

  // ---- StreamOwner ----
  Events& events() override { return *events_; }
  bool Add(LinkId id, const Region& peer, std::shared_ptr<LinkStream> link) override {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    links_[id] = {.stream = std::move(link), .accepted_from = peer};
    return true;
  }
  void OnDone(LinkId id, std::shared_ptr<void> stream) override {
    if (id != 0 && Take(id)) events_->OnClosed(id);
    EndOne(std::move(stream));
  }

  int port() const { return port_; }
  void SetPeerAddress(const Region& peer, std::string address) {
    const std::lock_guard lock(mutex_);
    options_.peers.at(peer) = std::move(address);
    channels_.erase(peer);
  }

 private:
  struct Standing {
    std::shared_ptr<LinkStream> stream;
    std::optional<Region> accepted_from = std::nullopt;
  };

  std::shared_ptr<LinkStream> Take(LinkId id) {
    const std::lock_guard lock(mutex_);
    const auto node = links_.extract(id);
    return node ? node.mapped().stream : nullptr;
  }
  void EndOne(std::shared_ptr<void> ended) {
    const std::lock_guard lock(mutex_);
    dead_.push_back(std::move(ended));
    if (--under_way_ == 0) ended_.notify_all();
  }
  void BuryTheDead() {
    std::vector<std::shared_ptr<void>> dead;
    const std::lock_guard lock(mutex_);
    dead.swap(dead_);
  }
  void OnAnswer(Call& call, const grpc::Status& status) {
    call.done(status.ok() ? std::optional(std::move(call.answer)) : std::nullopt);
    std::shared_ptr<Call> ended = call.shared_from_this();
    {
      const std::lock_guard lock(mutex_);
      calls_.erase(ended);
    }
    EndOne(std::move(ended));
  }

  std::shared_ptr<grpc::Channel> ChannelTo(const Region& peer) {
    const std::lock_guard lock(mutex_);
    auto& channel = channels_[peer];
    if (channel) return channel;
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options_.ca_pem;
    tls.pem_private_key = options_.key_pem;
    tls.pem_cert_chain = options_.certificate_pem;
    grpc::ChannelArguments arguments;
    // The certificate must name the Region, whatever its address is called.
    arguments.SetSslTargetNameOverride(peer.value());
    arguments.SetMaxReceiveMessageSize(kMessageLimitBytes);
    // gRPC's own retries end the process when a server that is going away leaves a status out (grpc/grpc issue 34683).
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
    channel = grpc::CreateCustomChannel(options_.peers.at(peer), grpc::SslCredentials(tls), arguments);
    return channel;
  }

  TransportOptions options_;
  Events* events_ = nullptr;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;
  std::condition_variable ended_;
  // guarded by mutex_, as is what follows
  std::map<LinkId, Standing> links_;
  std::map<Region, std::shared_ptr<grpc::Channel>> channels_;
  std::set<std::shared_ptr<Call>> calls_;
  // Streams, and calls to others, that gRPC has not given back yet; and what it gave back, to be destroyed elsewhere
  // than on its threads (StreamOwner::OnDone).
  std::size_t under_way_ = 0;
  std::vector<std::shared_ptr<void>> dead_;
  bool stopping_ = false;
};

GrpcTransport::GrpcTransport(TransportOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
GrpcTransport::~GrpcTransport() { impl_->Stop(); }

Result<void, TransportError> GrpcTransport::Start(Events& events) { return impl_->Listen(events); }
void GrpcTransport::Stop() { impl_->Stop(); }
void GrpcTransport::Dial(const Region& peer, LinkId link) { impl_->Dial(peer, link); }
void GrpcTransport::Close(LinkId link) { impl_->CloseLink(link); }
void GrpcTransport::Send(LinkId link, pb::Frame frame) {
  if (const auto stream = impl_->Find(link)) stream->Send(std::move(frame));
}
void GrpcTransport::Resume(LinkId link) {
  if (const auto stream = impl_->Find(link)) stream->Resume();
}
bool GrpcTransport::IsReady(const Region& peer) { return impl_->IsReady(peer); }
void GrpcTransport::Control(const Region& peer, const pb::ControlRequest& request, std::chrono::milliseconds timeout,
                            std::function<void(std::optional<pb::ControlAnswer>)> done) {
  impl_->Ask(peer, request, timeout, std::move(done));
}
std::uint16_t GrpcTransport::port() const { return static_cast<std::uint16_t>(impl_->port()); }
void GrpcTransport::SetPeerAddress(const Region& peer, std::string address) {
  impl_->SetPeerAddress(peer, std::move(address));
}

}  // namespace symbolon::replication::grpc_link
