#include "crypto/rsa_reservoir.h"

namespace symbolon::crypto {

RsaReservoir::RsaReservoir(std::size_t capacity, Generate generate)
    : capacity_(capacity), generate_(std::move(generate)), thread_([this] { Fill(); }) {}

RsaReservoir::~RsaReservoir() { Shutdown(); }

std::optional<SigningKey> RsaReservoir::Take(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  filled_.wait_until(lock, deadline, [&] { return stopping_ || !keys_.empty(); });
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
  std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void RsaReservoir::Fill() {
  std::unique_lock lock(mutex_);
  while (true) {
    drained_.wait(lock, [&] { return stopping_ || keys_.size() < capacity_; });
    if (stopping_) return;
    lock.unlock();
    SigningKey key = generate_();
    lock.lock();
    if (stopping_) return;
    keys_.push_back(std::move(key));
    filled_.notify_one();
  }
}

std::optional<SigningKey> RsaReservoir::TakeFirst() {
  if (keys_.empty()) return std::nullopt;
  SigningKey key = std::move(keys_.front());
  keys_.pop_front();
  drained_.notify_one();
  return key;
}

}  // namespace symbolon::crypto
