// Threads for coroutines that no connection of the server waits for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace symbolon::http {

// As the server's: one io_context per thread, and a coroutine stays on its thread. Thread-safe.
class CoroutineThreads {
 public:
  using Start = std::function<boost::asio::awaitable<void>()>;

  // `thread_count` 0: as many as the machine has cores. `limit`: so many coroutines at a time.
  CoroutineThreads(std::size_t thread_count, std::size_t limit);
  // Stops.
  ~CoroutineThreads();
  CoroutineThreads(const CoroutineThreads&) = delete;
  CoroutineThreads& operator=(const CoroutineThreads&) = delete;

  // Runs what `start` returns, on one of the threads, which others run on too: do not block (blocking.h, await.h). An
  // exception is logged. False, and `start` is not called: too many are under way, or Stop was called.
  [[nodiscard]] bool TrySpawn(Start start);
  // Starts no more and returns when those under way have ended, however long that takes: what they wait for must answer
  // still. Idempotent; not to be called on one of the threads.
  void Stop();

 private:
  struct Thread {
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
    std::thread thread;
  };
  // Counts a coroutine as ended.
  struct Ended {
    void operator()(CoroutineThreads* threads) const;
  };

  const std::size_t limit_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t under_way_ = 0;  // guarded by mutex_
  std::size_t next_ = 0;       // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
};

}  // namespace symbolon::http
