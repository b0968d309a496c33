// The life of one connection. Private to symbolon_http.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "http/server.h"
#include "http/worker.h"

namespace symbolon::http {

// A place among the connections, taken by the acceptor and given back when the connection is over, on any thread.
class ConnectionSlot {
 public:
  // nullopt when `limit` are taken.
  static std::optional<ConnectionSlot> Take(Worker& worker, std::size_t limit);
  ConnectionSlot(ConnectionSlot&& other) noexcept : worker_(std::exchange(other.worker_, nullptr)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot();

 private:
  explicit ConnectionSlot(Worker& worker) : worker_(&worker) {}
  Worker* worker_;
};

// Serve a connection to its end, on the worker's thread. The socket belongs to the worker's io_context.
boost::asio::awaitable<void> ServePlain(ConnectionSlot slot, boost::asio::ip::tcp::socket socket, Worker& worker,
                                        const ListenerOptions& listener);
boost::asio::awaitable<void> ServeTls(ConnectionSlot slot, boost::asio::ip::tcp::socket socket, Worker& worker,
                                      const ListenerOptions& listener, boost::asio::ssl::context& tls);

}  // namespace symbolon::http
