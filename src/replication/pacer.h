// Keeps a flow at a steady pace: so many octets a second, in small bursts. Not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace symbolon::replication {

class Pacer {
 public:
  // 0: no pace is kept.
  explicit Pacer(std::uint64_t bytes_per_second) : bytes_per_second_(static_cast<double>(bytes_per_second)) {}

  // Something may go now. It may be larger than what is due; then nothing goes for a while.
  bool Open(std::chrono::nanoseconds now) {
    if (bytes_per_second_ == 0) return true;
    const double passed_s = std::chrono::duration<double>(now - refilled_at_).count();
    refilled_at_ = now;
    due_bytes_ = std::min(due_bytes_ + passed_s * bytes_per_second_, bytes_per_second_ * kBurstSeconds);
    refused_ = due_bytes_ <= 0;
    return !refused_;
  }
  void Take(std::size_t size_bytes) { due_bytes_ -= static_cast<double>(size_bytes); }

  // When what Open refused last may go; nullopt: nothing was refused.
  std::optional<std::chrono::nanoseconds> opens_at() const {
    if (!refused_) return std::nullopt;
    const std::chrono::duration<double> missing(-due_bytes_ / bytes_per_second_);
    return refilled_at_ + std::chrono::ceil<std::chrono::microseconds>(missing) + std::chrono::microseconds(1);
  }
  void ForgetRefusal() { refused_ = false; }

  // Portions of this size make an even flow: some hundreds a second, and no more than `limit_bytes`.
  std::size_t portion_bytes(std::size_t limit_bytes) const {
    if (bytes_per_second_ == 0) return limit_bytes;
    return std::min(limit_bytes,
                    std::max(kPortionBytesMin, static_cast<std::size_t>(bytes_per_second_ / kPortionsPerSecond)));
  }

 private:
  // More than the time between two looks.
  static constexpr double kBurstSeconds = 0.1;

  static constexpr double kPortionsPerSecond = 500;
  static constexpr std::size_t kPortionBytesMin = 16 << 10;

  const double bytes_per_second_;
  double due_bytes_ = 0;
  bool refused_ = false;
  std::chrono::nanoseconds refilled_at_{};
};

}  // namespace symbolon::replication
