#include "base/secret.h"

#include <cstring>

namespace symbolon {

void Wipe(void* data, std::size_t size_bytes) { explicit_bzero(data, size_bytes); }

void Secret::Clear() {
  // Up to the capacity: a short string lives inside the object, and an earlier, longer value may have left a tail.
  bytes_.resize(bytes_.capacity());
  Wipe(bytes_.data(), bytes_.size());
  bytes_.clear();
}

}  // namespace symbolon
