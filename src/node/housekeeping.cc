#include "node/housekeeping.h"

#include <algorithm>

#include "base/dead_stack.h"

namespace symbolon::node {

Housekeeping::Housekeeping(std::vector<Task> tasks)
    : tasks_(std::move(tasks)), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Housekeeping::~Housekeeping() {
  thread_.request_stop();
  thread_.join();
}

void Housekeeping::Run(const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> due;
  for (const Task& task : tasks_) due.push_back(Clock::now() + task.interval);
  while (!stop.stop_requested() && !tasks_.empty()) {
    const std::size_t next = static_cast<std::size_t>(std::ranges::min_element(due) - due.begin());
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, stop, due[next], [] { return false; });
    }
    if (stop.stop_requested()) return;
    tasks_[next].run();
    WipeDeadStack();
    due[next] = Clock::now() + tasks_[next].interval;
  }
}

}  // namespace symbolon::node
