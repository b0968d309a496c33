#include "crypto/rsa_reservoir.h"

#include <sys/resource.h>

#include <utility>

namespace symbolon::crypto {
namespace {

// So many are made as fast as they can be: one pool's. The others have time.
constexpr int kMadeAtOnce = 2;
constexpr int kNiceness = 10;

}  // namespace

RsaReservoir::RsaReservoir(std::size_t capacity, Generate generate)
    : capacity_(capacity),
      generate_(std::move(generate)),
      filling_([this] { FillUp(); }),
      serving_([this] { ServeWaiting(); }) {}

RsaReservoir::~RsaReservoir() { Shutdown(); }

std::optional<SigningKey> RsaReservoir::Take(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (keys_.empty()) {
    ++waiting_;
    awaited_.notify_one();
    filled_.wait_until(lock, deadline, [&] { return stopping_ || !keys_.empty(); });
    --waiting_;
  }
  return TakeFirst();
}

std::optional<SigningKey> RsaReservoir::TryTake() {
  std::lock_guard lock(mutex_);
  return TakeFirst();
}

std::size_t RsaReservoir::size() const {
  std::lock_guard lock(mutex_);
  return keys_.size();
}

void RsaReservoir::Shutdown() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    keys_.clear();
  }
  filled_.notify_all();
  drained_.notify_all();
  awaited_.notify_all();
  std::lock_guard lock(join_mutex_);
  for (std::thread* thread : {&filling_, &serving_}) {
    if (thread->joinable()) thread->join();
  }
}

void RsaReservoir::FillUp() {
  std::unique_lock lock(mutex_);
  int made = 0;
  do {
    // Of this thread alone. If it is refused, spares are made as fast as everything else.
    if (made++ == kMadeAtOnce) (void)setpriority(PRIO_PROCESS, 0, kNiceness);
    drained_.wait(lock, [&] { return stopping_ || keys_.size() < capacity_; });
  } while (!stopping_ && MakeOne(lock));
}

void RsaReservoir::ServeWaiting() {
  std::unique_lock lock(mutex_);
  do {
    awaited_.wait(lock, [&] { return stopping_ || waiting_ > keys_.size(); });
  } while (!stopping_ && MakeOne(lock));
}

bool RsaReservoir::MakeOne(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  SigningKey key = generate_();
  lock.lock();
  if (stopping_) return false;
  keys_.push_back(std::move(key));
  filled_.notify_one();
  return true;
}

std::optional<SigningKey> RsaReservoir::TakeFirst() {
  if (keys_.empty()) return std::nullopt;
  SigningKey key = std::move(keys_.front());
  keys_.pop_front();
  drained_.notify_one();
  return key;
}

}  // namespace symbolon::crypto
