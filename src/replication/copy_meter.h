// How far a copy has come, and how long it will still take at the pace that it has had. Not thread-safe.
#pragma once

#include <algorithm>

#include "replication/status.h"

namespace symbolon::replication {

class CopyMeter {
 public:
  // The copy begins, or goes on where `records` and `bytes` of it are there already. The counts are of all; they may be
  // estimates.
  void Begin(std::uint64_t records, std::uint64_t bytes, std::uint64_t record_count, std::uint64_t byte_count,
             std::chrono::nanoseconds now) {
    progress_ = {.records = records, .record_count = record_count, .bytes = bytes, .byte_count = byte_count};
    begun_bytes_ = bytes;
    begun_at_ = now;
  }
  // So many more are durable at the consumer.
  void Add(std::uint64_t records, std::uint64_t bytes) {
    progress_.records += records;
    progress_.bytes += bytes;
  }

  CopyProgress Progress(std::chrono::nanoseconds now) const {
    CopyProgress progress = progress_;
    progress.record_count = std::max(progress.record_count, progress.records);
    progress.byte_count = std::max(progress.byte_count, progress.bytes);
    const double elapsed_s = std::chrono::duration<double>(now - begun_at_).count();
    const auto since_begin_bytes = static_cast<double>(progress.bytes - begun_bytes_);
    if (elapsed_s <= 0 || since_begin_bytes == 0) return progress;
    progress.bytes_per_second = since_begin_bytes / elapsed_s;
    progress.remaining = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(
        static_cast<double>(progress.byte_count - progress.bytes) / progress.bytes_per_second));
    return progress;
  }

 private:
  CopyProgress progress_;
  std::uint64_t begun_bytes_ = 0;
  std::chrono::nanoseconds begun_at_{};
};

}  // namespace symbolon::replication
