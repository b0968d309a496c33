// A thread that does what it is given, one after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/dead_stack.h"

namespace symbolon::replication {

// Thread-safe. What waits when it is destroyed is dropped, and the work under way finished.
class Worker {
 public:
  Worker() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}
  ~Worker() {
    thread_.request_stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Post(std::move_only_function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    wake_.notify_one();
  }

 private:
  void Run(const std::stop_token& stop) {
    while (true) {
      std::move_only_function<void()> work;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
        if (stop.stop_requested()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
      work = nullptr;
      WipeDeadStack();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::move_only_function<void()>> queue_;  // guarded by mutex_
  std::jthread thread_;                                // last: it uses all of the above
};

}  // namespace symbolon::replication
