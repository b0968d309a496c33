// What has to happen from time to time, on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace symbolon::node {

// Tasks may block; they run one after the other, each for the first time when its interval has passed once.
class Housekeeping {
 public:
  struct Task {
    std::chrono::milliseconds interval;
    std::function<void()> run;
  };

  explicit Housekeeping(std::vector<Task> tasks);
  // Waits for the task under way.
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;
  Housekeeping& operator=(const Housekeeping&) = delete;

 private:
  void Run(const std::stop_token& stop);

  const std::vector<Task> tasks_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace symbolon::node
