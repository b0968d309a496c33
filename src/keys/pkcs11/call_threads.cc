#include "keys/pkcs11/call_threads.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace symbolon::keys::pkcs11 {

struct CallThreads::State {
  explicit State(std::size_t limit) : queue_limit(limit) {}

  void Run(std::shared_ptr<Token> token, Random& random) {
    {
      TokenSession session(std::move(token), random);
      while (Job job = Next()) job(session);
    }
    std::lock_guard guard(mutex);
    --running;
    changed.notify_all();
  }

  // Empty: it is over.
  Job Next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping) return {};
    Job job = std::move(queue.front());
    queue.pop_front();
    return job;
  }

  const std::size_t queue_limit;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> queue;    // guarded by mutex
  bool stopping = false;    // guarded by mutex
  std::size_t running = 0;  // guarded by mutex
};

CallThreads::CallThreads(std::size_t thread_count, std::size_t queue_limit, std::chrono::nanoseconds patience,
                         std::shared_ptr<Token> token, Random& random)
    : patience_(patience), state_(std::make_shared<State>(queue_limit)) {
  state_->running = thread_count;
  for (std::size_t i = 0; i < thread_count; ++i) {
    std::thread([state = state_, own = token, &random]() mutable { state->Run(std::move(own), random); }).detach();
  }
}

CallThreads::~CallThreads() {
  std::deque<Job> dropped;
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  dropped.swap(state_->queue);
  state_->changed.notify_all();
  state_->changed.wait_for(lock, patience_, [this] { return state_->running == 0; });
}

bool CallThreads::TrySubmit(Job job) {
  std::lock_guard guard(state_->mutex);
  if (state_->queue.size() >= state_->queue_limit) return false;
  state_->queue.push_back(std::move(job));
  state_->changed.notify_one();
  return true;
}

}  // namespace symbolon::keys::pkcs11
