// One thread of the server: its io_context, the connections on it, and their time-outs. Private to symbolon_http.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <unordered_set>

#include "base/clock.h"
#include "http/server.h"

namespace symbolon::http {

// What a connection is doing; each phase has a time-out of its own.
enum class Phase { kHandshake, kIdle, kHeader, kBody, kHandler, kWrite, kLinger };

// A connection as its worker sees it from outside of its coroutine. Lives on the worker's thread.
class WatchedConnection {
 public:
  WatchedConnection(class Worker& worker);
  virtual ~WatchedConnection();
  WatchedConnection(const WatchedConnection&) = delete;
  WatchedConnection& operator=(const WatchedConnection&) = delete;

 protected:
  // Begins a phase: its time starts now, and a time-out of an earlier one is forgotten.
  void Enter(Phase phase);
  Phase phase() const { return phase_; }
  // The phase's time is over; its I/O was cancelled.
  bool expired() const { return expired_; }
  // The server stops and waits no longer: no more I/O.
  bool aborted() const { return aborted_; }
  Worker& worker() { return worker_; }

 private:
  friend class Worker;
  // Makes pending reads and writes return with an error.
  virtual void CancelIo() = 0;
  // No octet of a next request has come, so nobody is wronged by closing.
  virtual bool AwaitsRequest() const = 0;

  Worker& worker_;
  Phase phase_ = Phase::kHeader;
  std::chrono::nanoseconds deadline_ = std::chrono::nanoseconds::max();
  bool expired_ = false;
  bool aborted_ = false;
};

class Worker {
 public:
  Worker(const ServerOptions& options, Clock& clock, ServerCounters& counters);

  void Start();
  // Any thread. Idle connections are closed now, the others when their request is answered or `deadline` (in SinceBoot)
  // is over.
  void Drain(std::chrono::nanoseconds deadline);
  // Any thread, once no connection is left.
  void Join();

  boost::asio::io_context& io() { return io_; }
  const ServerOptions& options() const { return options_; }
  Clock& clock() { return clock_; }
  ServerCounters& counters() { return counters_; }
  // Connections dealt to this worker; read by the acceptor's thread.
  std::atomic<std::size_t>& connection_count() { return connection_count_; }

  // On the worker's thread only.
  bool draining() const { return draining_; }
  std::string_view DateNow();

 private:
  friend class WatchedConnection;
  void ScheduleTick();
  void Tick();

  const ServerOptions& options_;
  Clock& clock_;
  ServerCounters& counters_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  boost::asio::steady_timer timer_{io_};
  std::thread thread_;
  std::atomic<std::size_t> connection_count_ = 0;

  // On the worker's thread only.
  std::unordered_set<WatchedConnection*> connections_;
  bool draining_ = false;
  bool stopped_ = false;
  std::chrono::nanoseconds drain_deadline_ = std::chrono::nanoseconds::max();
  std::int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace symbolon::http
