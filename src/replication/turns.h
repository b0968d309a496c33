// Whose turn it is to work on what is not thread-safe: one thread's at a time. Events wait for the thread that is there
// for them; who brings one while nothing else is on may take the turn and do it at once, because waking a thread takes
// longer than most events do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>

namespace symbolon::replication {

// Thread-safe.
class Turns {
 public:
  using Event = std::move_only_function<void()>;
  using SteadyClock = std::chrono::steady_clock;

  // For the thread that calls Await. False: closed, and the event dropped.
  bool Post(Event event);
  // True: nobody works, nothing waits, and the turn is the caller's until it calls End. Not while it has one.
  bool TryBegin();
  // Until there is something to do: the turn is the caller's until it calls End. What waited, in its order; nothing
  // when it is the time that the last End named. nullopt: `stop` is requested.
  std::optional<std::deque<Event>> Await(const std::stop_token& stop);
  // `wake_at`: when Await is to return, whatever comes.
  void End(SteadyClock::time_point wake_at);
  // Drops what waits and comes, and waits for the turn under way to end. Not within a turn.
  void Close();

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  // guarded by mutex_
  std::deque<Event> events_;
  SteadyClock::time_point wake_at_ = SteadyClock::now();
  bool taken_ = false;
  bool closed_ = false;
  // Who waits for the turn to end.
  int awaiting_end_ = 0;
};

}  // namespace symbolon::replication
