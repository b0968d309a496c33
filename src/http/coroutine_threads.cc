#include "http/coroutine_threads.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <exception>

#include "base/dead_stack.h"
#include "base/log.h"

namespace symbolon::http {
namespace {

void LogException(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& exception) {
    log::Error("a coroutine threw: {}", exception.what());
  }
}

}  // namespace

CoroutineThreads::CoroutineThreads(std::size_t thread_count, std::size_t limit) : limit_(limit) {
  const std::size_t count = thread_count != 0 ? thread_count : std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < count; ++i) {
    Thread& thread = *threads_.emplace_back(std::make_unique<Thread>());
    thread.thread = std::thread([&thread] { thread.io.run(); });
  }
}

CoroutineThreads::~CoroutineThreads() { Stop(); }

bool CoroutineThreads::TrySpawn(Start start) {
  Thread* thread;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || under_way_ >= limit_) return false;
    ++under_way_;
    thread = threads_[next_++ % threads_.size()].get();
  }
  // Also a coroutine that is unwound, because whoever should resume it dropped it, has ended.
  auto under_way = std::unique_ptr<CoroutineThreads, Ended>(this);
  boost::asio::co_spawn(thread->io, std::move(start),
                        [thread, under_way = std::move(under_way)](const std::exception_ptr& thrown) {
                          if (thrown) LogException(thrown);
                          boost::asio::post(thread->io, WipeDeadStack);
                        });
  return true;
}

void CoroutineThreads::Ended::operator()(CoroutineThreads* threads) const {
  const std::lock_guard lock(threads->mutex_);
  if (--threads->under_way_ == 0) threads->idle_.notify_all();
}

void CoroutineThreads::Stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    idle_.wait(lock, [this] { return under_way_ == 0; });
  }
  for (const auto& thread : threads_) {
    thread->work.reset();
    if (thread->thread.joinable()) thread->thread.join();
  }
}

}  // namespace symbolon::http
