#include "http/blocking.h"

#include "base/dead_stack.h"

namespace symbolon::http {

BlockingPool::BlockingPool(std::size_t thread_count, std::size_t queue_limit) : queue_limit_(queue_limit) {
  SYMBOLON_CHECK(thread_count > 0);
  threads_.reserve(thread_count);
  for (std::size_t i = 0; i < thread_count; ++i) threads_.emplace_back([this] { Run(); });
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool BlockingPool::TrySubmit(std::move_only_function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void BlockingPool::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    WipeDeadStack();
    lock.lock();
  }
}

}  // namespace symbolon::http
