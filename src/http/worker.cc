#include "http/worker.h"

#include <boost/asio/post.hpp>

#include "base/dead_stack.h"
#include "http/response_head.h"

namespace symbolon::http {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::seconds kLingerTimeout(2);

nanoseconds TimeoutOf(Phase phase, const ServerOptions& options) {
  switch (phase) {
    case Phase::kHandshake:
    case Phase::kHeader:
      return options.header_timeout;
    case Phase::kIdle:
      return options.idle_timeout;
    case Phase::kBody:
      return options.body_timeout;
    case Phase::kHandler:
      return nanoseconds::max();
    case Phase::kWrite:
      return options.write_timeout;
    case Phase::kLinger:
      return kLingerTimeout;
  }
  SYMBOLON_CHECK(false);
}

void Count(Phase phase, ServerCounters& counters) {
  switch (phase) {
    case Phase::kHandshake:
    case Phase::kHeader:
      ++counters.timeouts_header;
      return;
    case Phase::kIdle:
      ++counters.timeouts_idle;
      return;
    case Phase::kBody:
      ++counters.timeouts_body;
      return;
    case Phase::kWrite:
      ++counters.timeouts_write;
      return;
    case Phase::kHandler:
    case Phase::kLinger:
      return;
  }
}

}  // namespace

WatchedConnection::WatchedConnection(Worker& worker) : worker_(worker) { worker_.connections_.insert(this); }

WatchedConnection::~WatchedConnection() { worker_.connections_.erase(this); }

void WatchedConnection::Enter(Phase phase) {
  phase_ = phase;
  expired_ = false;
  const nanoseconds timeout = TimeoutOf(phase, worker_.options());
  deadline_ = timeout == nanoseconds::max() ? timeout : worker_.clock().SinceBoot() + timeout;
}

Worker::Worker(const ServerOptions& options, Clock& clock, ServerCounters& counters)
    : options_(options), clock_(clock), counters_(counters) {}

void Worker::Start() {
  ScheduleTick();
  thread_ = std::thread([this] { io_.run(); });
}

void Worker::Drain(nanoseconds deadline) {
  boost::asio::post(io_, [this, deadline] {
    draining_ = true;
    drain_deadline_ = deadline;
    for (WatchedConnection* connection : connections_) {
      if (connection->AwaitsRequest()) connection->CancelIo();
    }
    Tick();
  });
}

void Worker::Join() {
  boost::asio::post(io_, [this] {
    stopped_ = true;
    timer_.cancel();
    work_.reset();
  });
  if (thread_.joinable()) thread_.join();
}

std::string_view Worker::DateNow() {
  const Timestamp now = clock_.Now();
  if (ToSeconds(now) != date_second_) {
    date_second_ = ToSeconds(now);
    date_ = HttpDate(now);
  }
  return date_;
}

void Worker::ScheduleTick() {
  timer_.expires_after(options_.tick);
  timer_.async_wait([this](const boost::system::error_code&) {
    if (stopped_) return;
    Tick();
    ScheduleTick();
    WipeDeadStack();
  });
}

void Worker::Tick() {
  const nanoseconds now = clock_.SinceBoot();
  const bool abort = now >= drain_deadline_;
  for (WatchedConnection* connection : connections_) {
    if (abort) {
      connection->aborted_ = true;
      connection->CancelIo();
    } else if (now >= connection->deadline_) {
      if (!connection->expired_) Count(connection->phase_, counters_);
      connection->expired_ = true;
      // At each tick again: a write in several parts may have been between two of them.
      connection->CancelIo();
    }
  }
}

}  // namespace symbolon::http
