#include "http/connection_impl.h"

namespace symbolon::http {

std::optional<ConnectionSlot> ConnectionSlot::Take(Worker& worker, std::size_t limit) {
  // Only the acceptor's thread takes, so the check holds until the increment.
  if (worker.counters().connections_open.load() >= limit) return std::nullopt;
  ++worker.counters().connections_open;
  ++worker.connection_count();
  return ConnectionSlot(worker);
}

ConnectionSlot::~ConnectionSlot() {
  if (!worker_) return;
  --worker_->connection_count();
  std::atomic<std::uint64_t>& open = worker_->counters().connections_open;
  if (--open == 0) open.notify_all();
}

boost::asio::awaitable<void> ServePlain(ConnectionSlot slot, boost::asio::ip::tcp::socket socket, Worker& worker,
                                        const ListenerOptions& listener) {
  Connection<boost::asio::ip::tcp::socket> connection(std::move(socket), worker, listener);
  co_await connection.Run();
  co_await connection.Linger();
}

}  // namespace symbolon::http
