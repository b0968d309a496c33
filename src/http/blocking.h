// Slow work (a password hash, a library that blocks) away from the threads that serve connections.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "http/await.h"

namespace symbolon::http {

// The pool's queue is full: the work was not and will not be done.
struct Busy {
  bool operator==(const Busy&) const = default;
};

// A fixed number of threads with a bounded queue. Thread-safe. The destructor does what was accepted, then joins.
class BlockingPool {
 public:
  BlockingPool(std::size_t thread_count, std::size_t queue_limit);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // False, without running `job`, when the queue is full. `job` must not throw.
  [[nodiscard]] bool TrySubmit(std::move_only_function<void()> job);

 private:
  void Run();

  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::move_only_function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                              // guarded by mutex_
  std::vector<std::thread> threads_;
};

// `auto result = co_await RunBlocking(pool, [..] { return Slow(); });` gives Result<what Slow returns, Busy>. An
// exception of `function` is thrown again in the coroutine. `function` must not return void.
template <class Function>
boost::asio::awaitable<Result<std::invoke_result_t<Function&>, Busy>> RunBlocking(BlockingPool& pool,
                                                                                  Function function) {
  using T = std::invoke_result_t<Function&>;
  using Outcome = std::variant<T, Busy, std::exception_ptr>;
  Outcome outcome = co_await AwaitCallback<Outcome>([&pool, &function](auto done) {
    // The coroutine's frame, and with it `function`, stays until `done` has been called.
    const bool accepted = pool.TrySubmit([&function, done] {
      std::optional<Outcome> result;
      try {
        result.emplace(std::in_place_index<0>, function());
      } catch (...) {
        result.emplace(std::in_place_index<2>, std::current_exception());
      }
      done(*std::move(result));
    });
    if (!accepted) done(Outcome(std::in_place_index<1>));
  });
  if (outcome.index() == 1) co_return Err(Busy());
  if (outcome.index() == 2) std::rethrow_exception(std::get<2>(outcome));
  co_return std::get<0>(std::move(outcome));
}

}  // namespace symbolon::http
