// Octets that must not linger or be printed.
#pragma once

#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace symbolon {

// Overwrites in a way that the compiler may not remove.
void Wipe(void* data, std::size_t size_bytes);

// Owns key material, a password or a token. Not copyable, not printable, not comparable with == (crypto::EqualSecrets
// compares in constant time); its octets are wiped when it dies or is moved from. Clone() says that a copy is meant.
class Secret {
 public:
  Secret() = default;
  // Takes the octets over; whatever buffer `bytes` came from is the caller's to wipe.
  explicit Secret(Bytes bytes) : bytes_(std::move(bytes)) {}
  static Secret CopyOf(BytesView bytes) { return Secret(Bytes(bytes)); }

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.Clear(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Clear();
      bytes_ = other.bytes_;
      other.Clear();
    }
    return *this;
  }
  ~Secret() { Clear(); }

  Secret Clone() const { return Secret(bytes_); }
  // Valid until this object is changed, moved from or destroyed.
  BytesView view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  void Clear();

 private:
  Bytes bytes_;
};

}  // namespace symbolon
