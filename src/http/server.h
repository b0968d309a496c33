// An HTTP/1.1 server: keep-alive, pipelining, chunked requests, 100-continue, optional TLS, everything bounded.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"

namespace symbolon::http {

// Runs on the thread of the connection, which serves others too: do not block (blocking.h, await.h). One request of a
// connection at a time. An exception is logged and answered by 500, and the connection closed.
using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

// How large the body of a request may be, asked when its header has come and before its body is read (Request::body is
// empty). Beyond it 413 is answered. Called on the connection's thread.
using BodyLimit = std::function<std::size_t(const Request& head)>;

struct TlsOptions {
  // PEM; the certificate's chain follows it. TLS 1.2 and newer are spoken.
  std::string certificate_file;
  std::string key_file;
};

struct ListenerOptions {
  // An IP address, not a name.
  std::string address = "127.0.0.1";
  // 0: a free one.
  std::uint16_t port = 0;
  Handler handler;
  BodyLimit body_limit_bytes = [](const Request&) -> std::size_t { return 1024 * 1024; };
  std::optional<TlsOptions> tls;
};

struct ServerOptions {
  // 0: as many as the machine has cores.
  std::size_t thread_count = 0;
  // Beyond it a new connection is answered by 503 and closed.
  std::size_t connection_limit = 10'000;
  std::size_t header_limit_bytes = 16 * 1024;
  std::size_t header_count_limit = 100;
  // For a whole header, counted from its first octet or from the connection's beginning (slow-loris); 408 beyond it.
  // Also the time for a TLS handshake.
  std::chrono::milliseconds header_timeout = std::chrono::seconds(10);
  // For a whole body; 408 beyond it.
  std::chrono::milliseconds body_timeout = std::chrono::seconds(30);
  // Between two requests.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);
  // For a whole response.
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
  // Time-outs are found out by looking this often, so they are late by up to it.
  std::chrono::milliseconds tick = std::chrono::milliseconds(250);
};

// Counts since the start, except connections_open. Read at any time by any thread.
struct ServerCounters {
  std::atomic<std::uint64_t> connections_open = 0;
  std::atomic<std::uint64_t> connections_accepted = 0;
  // Over connection_limit.
  std::atomic<std::uint64_t> connections_refused = 0;
  // Passed to a handler.
  std::atomic<std::uint64_t> requests = 0;
  // Answered by the server itself: malformed, too large, unsupported.
  std::atomic<std::uint64_t> requests_refused = 0;
  std::atomic<std::uint64_t> handler_exceptions = 0;
  std::atomic<std::uint64_t> timeouts_header = 0;
  std::atomic<std::uint64_t> timeouts_body = 0;
  std::atomic<std::uint64_t> timeouts_idle = 0;
  std::atomic<std::uint64_t> timeouts_write = 0;
};

// For the operator: what could not be done and why.
struct ServerError {
  std::string message;
};

// One thread and one io_context per core; a connection stays on its thread. One acceptor deals connections out to the
// thread that has the fewest, rather than SO_REUSEPORT: a second server on the same port is an error then, not a silent
// sharing of its requests.
//
// Listen, then Start, then Stop, all from one thread that is none of the server's.
class Server {
 public:
  // `clock` must outlive the server; time-outs count in its SinceBoot.
  Server(const ServerOptions& options, Clock& clock);
  // Stops with no time to drain.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds at once, answers from Start on. Returns the port.
  Result<std::uint16_t, ServerError> Listen(ListenerOptions options);
  void Start();
  // Accepts no more, lets requests under way finish for up to `drain` and then cuts their connections. Returns when
  // every handler has returned, however long that takes: what a handler waits for must answer still, so stop the server
  // before that. Idempotent.
  void Stop(std::chrono::milliseconds drain);

  const ServerCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace symbolon::http
