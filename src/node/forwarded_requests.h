// Clients' requests that nodes of other Regions pass on to this one, because it is the primary of their pool.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <optional>

#include "base/ids.h"
#include "http/coroutine_threads.h"
#include "http/message.h"
#include "replication/control.h"
#include "replication/link.pb.h"

namespace symbolon::node {

// Thread-safe, except Open and Close.
class ForwardedRequests {
 public:
  // Pipeline::HandleForwarded.
  using Handler = std::function<boost::asio::awaitable<replication::ControlResult<http::Response>>(
      Region from, PoolId pool, http::Request request)>;
  using Done = std::function<void(replication::ControlResult<Bytes>)>;

  // They run on threads of their own: as many as serve connections (0: one for each core).
  explicit ForwardedRequests(std::size_t thread_count);

  // From now on they are handled. Once.
  void Open(Handler handler);
  // Returns when none is under way, however long that takes: what they wait for must answer still. Later ones are
  // answered that nothing was done. Idempotent.
  void Close();

  // `done` is called once, on any thread, unless the handler is unwound; then it is dropped.
  void Answer(const Region& from, replication::pb::ControlRequest::Forward request, Done done);

 private:
  std::atomic<bool> is_open_ = false;
  // Set before is_open_, and not changed.
  Handler handler_;
  http::CoroutineThreads threads_;
};

}  // namespace symbolon::node
