#include <boost/asio/ssl/stream.hpp>

#include "http/connection_impl.h"

namespace symbolon::http {

boost::asio::awaitable<void> ServeTls(ConnectionSlot slot, boost::asio::ip::tcp::socket socket, Worker& worker,
                                      const ListenerOptions& listener, boost::asio::ssl::context& tls) {
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;
  Connection<Stream> connection(Stream(std::move(socket), tls), worker, listener);
  connection.Enter(Phase::kHandshake);
  const auto [error] = co_await connection.stream().async_handshake(Stream::server, kUseTuple);
  if (error) co_return;
  co_await connection.Run();
  if (connection.aborted()) co_return;
  // So that the client can tell the end from a cut (RFC 8446 §6.1); whether it still listens does not matter.
  connection.Enter(Phase::kLinger);
  co_await connection.stream().async_shutdown(kUseTuple);
  co_await connection.Linger();
}

}  // namespace symbolon::http
