// Keeps a flow at a steady pace: so many octets a second, in small bursts. Not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

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
    return due_bytes_ > 0;
  }
  void Take(std::size_t size_bytes) { due_bytes_ -= static_cast<double>(size_bytes); }

 private:
  // More than the time between two looks.
  static constexpr double kBurstSeconds = 0.1;

  const double bytes_per_second_;
  double due_bytes_ = 0;
  std::chrono::nanoseconds refilled_at_{};
};

}  // namespace symbolon::replication
