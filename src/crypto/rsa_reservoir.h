// Spare RSA-2048 key pairs, made before anybody asks, because making one takes up to a second.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "crypto/signing_key.h"

namespace symbolon::crypto {

// Keeps up to `capacity` keys by a thread of its own, which stands still while the reservoir is full and, but for the
// first two keys, leaves the processor to others: at a start there is better use for it than spares. For who waits for
// a key another thread makes one without such regard. Thread-safe.
class RsaReservoir {
 public:
  using Generate = std::function<SigningKey()>;

  // `generate`: called by both threads.
  explicit RsaReservoir(
      std::size_t capacity, Generate generate = [] { return SigningKey::Generate(SignatureAlgorithm::kRs256); });
  RsaReservoir(const RsaReservoir&) = delete;
  RsaReservoir& operator=(const RsaReservoir&) = delete;
  // As Shutdown().
  ~RsaReservoir();

  // A key that nobody else gets; waits for one to be made. nullopt when none was there in time, or after Shutdown().
  std::optional<SigningKey> Take(std::chrono::steady_clock::time_point deadline);
  // A key that is there already. Does not block.
  std::optional<SigningKey> TryTake();
  // Keys at hand.
  std::size_t size() const;
  // Wakes who waits and ends the threads; blocks until the keys in the making are done. Idempotent.
  void Shutdown();

 private:
  void FillUp();
  void ServeWaiting();
  // With `lock` of mutex_ held before and after. False: stopping.
  bool MakeOne(std::unique_lock<std::mutex>& lock);
  std::optional<SigningKey> TakeFirst();  // With mutex_ held.

  const std::size_t capacity_;
  const Generate generate_;

  mutable std::mutex mutex_;
  std::condition_variable filled_, drained_, awaited_;
  std::deque<SigningKey> keys_;  // Guarded by mutex_, as is what follows.
  std::size_t waiting_ = 0;
  bool stopping_ = false;

  std::mutex join_mutex_;
  std::thread filling_, serving_;  // Guarded by join_mutex_ after construction.
};

}  // namespace symbolon::crypto
