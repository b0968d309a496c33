#include "http/server.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <thread>
#include <vector>

#include "base/log.h"
#include "http/connection.h"
#include "http/worker.h"

namespace symbolon::http {
namespace {

using boost::asio::awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kUseTuple = boost::asio::as_tuple(boost::asio::use_awaitable);
// When the process is out of file descriptors, accepting again at once would only burn the processor.
constexpr std::chrono::milliseconds kAcceptRetry(100);
constexpr std::string_view kOverLimit =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct Listener {
  ListenerOptions options;
  tcp::acceptor acceptor;
  std::unique_ptr<boost::asio::ssl::context> tls;
};

Result<std::unique_ptr<boost::asio::ssl::context>, ServerError> MakeTlsContext(const TlsOptions& options) {
  auto context = std::make_unique<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_options(boost::asio::ssl::context::no_compression | SSL_OP_NO_RENEGOTIATION, error);
  // A connection that waits for its next request holds nothing of the last one.
  SSL_CTX_set_options(context->native_handle(), SSL_OP_CLEANSE_PLAINTEXT);
  if (!error) context->use_certificate_chain_file(options.certificate_file, error);
  if (error) return Err(ServerError{fmt::format("{}: {}", options.certificate_file, error.message())});
  context->use_private_key_file(options.key_file, boost::asio::ssl::context::pem, error);
  if (error) return Err(ServerError{fmt::format("{}: {}", options.key_file, error.message())});
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Err(ServerError{fmt::format("{}: not the key of {}", options.key_file, options.certificate_file)});
  }
  return context;
}

void LogEscaped(std::exception_ptr exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    log::Error("http: a connection ended by an exception: {}", error.what());
  }
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerOptions& options, Clock& clock) : options_(options), clock_(clock) {
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t thread_count = options.thread_count > 0 ? options.thread_count : cores;
    for (std::size_t i = 0; i < thread_count; ++i) {
      workers_.push_back(std::make_unique<Worker>(options_, clock_, counters_));
    }
  }

  Result<std::uint16_t, ServerError> Listen(ListenerOptions options) {
    SYMBOLON_CHECK(!started_ && options.handler && options.body_limit_bytes);
    error_code error;
    const auto address = boost::asio::ip::make_address(options.address, error);
    if (error) return Err(ServerError{fmt::format("'{}' is not an IP address", options.address)});
    std::unique_ptr<boost::asio::ssl::context> tls;
    if (options.tls) {
      SYMBOLON_TRY(tls, MakeTlsContext(*options.tls));
    }

    const tcp::endpoint endpoint(address, options.port);
    tcp::acceptor acceptor(workers_.front()->io());
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) {
      return Err(
          ServerError{fmt::format("cannot listen on {} port {}: {}", options.address, options.port, error.message())});
    }
    const std::uint16_t port = acceptor.local_endpoint().port();
    listeners_.push_back(std::make_unique<Listener>(Listener{std::move(options), std::move(acceptor), std::move(tls)}));
    return port;
  }

  void Start() {
    SYMBOLON_CHECK(!started_);
    started_ = true;
    for (auto& listener : listeners_) {
      boost::asio::co_spawn(workers_.front()->io(), Accept(*listener), LogEscaped);
    }
    for (auto& worker : workers_) worker->Start();
  }

  void Stop(std::chrono::milliseconds drain) {
    if (!started_ || stopped_) return;
    stopped_ = true;
    // 1. Accept no more. From here on the number of connections only falls.
    std::atomic<bool> closed = false;
    boost::asio::post(workers_.front()->io(), [this, &closed] {
      stopping_ = true;
      for (auto& listener : listeners_) {
        error_code ignored;
        listener->acceptor.close(ignored);
      }
      closed = true;
      closed.notify_one();
    });
    closed.wait(false);
    // 2. Let the connections end.
    const auto deadline = clock_.SinceBoot() + drain;
    for (auto& worker : workers_) worker->Drain(deadline);
    for (auto open = counters_.connections_open.load(); open != 0; open = counters_.connections_open.load()) {
      counters_.connections_open.wait(open);
    }
    // 3. Nothing is left to run.
    for (auto& worker : workers_) worker->Join();
  }

  const ServerCounters& counters() const { return counters_; }

 private:
  // On the first worker's thread.
  awaitable<void> Accept(Listener& listener) {
    boost::asio::steady_timer retry(workers_.front()->io());
    while (!stopping_) {
      Worker& worker = LeastLoaded();
      auto [error, socket] = co_await listener.acceptor.async_accept(worker.io(), kUseTuple);
      if (stopping_) co_return;
      if (error == boost::asio::error::connection_aborted) continue;
      if (error) {
        log::Warning("http: cannot accept a connection: {}", error.message());
        retry.expires_after(kAcceptRetry);
        co_await retry.async_wait(kUseTuple);
        continue;
      }
      ++counters_.connections_accepted;
      auto slot = ConnectionSlot::Take(worker, options_.connection_limit);
      if (!slot) {
        ++counters_.connections_refused;
        Refuse(std::move(socket));
        continue;
      }
      auto connection = listener.tls
                            ? ServeTls(*std::move(slot), std::move(socket), worker, listener.options, *listener.tls)
                            : ServePlain(*std::move(slot), std::move(socket), worker, listener.options);
      boost::asio::co_spawn(worker.io(), std::move(connection), LogEscaped);
    }
  }

  Worker& LeastLoaded() {
    // Ties go round, so that short connections that come one after the other do not all meet on one thread.
    next_worker_ = (next_worker_ + 1) % workers_.size();
    Worker* least = workers_[next_worker_].get();
    for (auto& worker : workers_) {
      if (worker->connection_count() < least->connection_count()) least = worker.get();
    }
    return *least;
  }

  // A few octets always fit into a new socket's send buffer; if not, closing says it too.
  static void Refuse(tcp::socket socket) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(boost::asio::buffer(kOverLimit), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  const ServerOptions options_;
  Clock& clock_;
  ServerCounters counters_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool started_ = false;
  bool stopped_ = false;
  // On the first worker's thread only.
  bool stopping_ = false;
  std::size_t next_worker_ = 0;
};

Server::Server(const ServerOptions& options, Clock& clock) : impl_(std::make_unique<Impl>(options, clock)) {}
Server::~Server() { impl_->Stop(std::chrono::milliseconds(0)); }
Result<std::uint16_t, ServerError> Server::Listen(ListenerOptions options) { return impl_->Listen(std::move(options)); }
void Server::Start() { impl_->Start(); }
void Server::Stop(std::chrono::milliseconds drain) { impl_->Stop(drain); }
const ServerCounters& Server::counters() const { return impl_->counters(); }

}  // namespace symbolon::http
