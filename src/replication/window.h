// How many octets are under way: sent and not acknowledged. Not thread-safe.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace symbolon::replication {

// A window may lie within a wider one that others share. One frame may exceed the limit, so that a large entry passes.
class Window {
 public:
  explicit Window(std::size_t limit_bytes, Window* shared = nullptr) : limit_bytes_(limit_bytes), shared_(shared) {}
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() { Clear(); }

  bool open() const { return used_bytes_ < limit_bytes_ && (shared_ == nullptr || shared_->open()); }
  std::size_t used_bytes() const { return used_bytes_; }

  void Take(std::size_t size_bytes) {
    used_bytes_ += size_bytes;
    if (shared_ != nullptr) shared_->Take(size_bytes);
  }
  void Give(std::size_t size_bytes) {
    SYMBOLON_CHECK(size_bytes <= used_bytes_);
    used_bytes_ -= size_bytes;
    if (shared_ != nullptr) shared_->Give(size_bytes);
  }
  void Clear() { Give(used_bytes_); }

 private:
  const std::size_t limit_bytes_;
  Window* const shared_;
  std::size_t used_bytes_ = 0;
};

}  // namespace symbolon::replication
