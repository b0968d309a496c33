// SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) and comparison in constant time. All free functions are
// thread-safe and fast when called often: threads keep their contexts.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/secret.h"

namespace symbolon::crypto {

inline constexpr std::size_t kSha256Bytes = 32;

// 32 octets.
Bytes Sha256(BytesView data);
// Of the parts one after the other, without joining them.
Bytes Sha256(std::initializer_list<BytesView> parts);

// SHA-256 of data that comes in pieces. Not thread-safe; movable. After Finish() it starts again, empty.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();

  void Update(BytesView data);
  Bytes Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC-SHA256, 32 octets, under a key that is used once or seldom. Any key length.
Bytes HmacSha256(BytesView key, BytesView data);
Bytes HmacSha256(BytesView key, std::initializer_list<BytesView> parts);

// A key for many HMACs: the key's own hashing is done once. Thread-safe; movable (not while in use).
class HmacKey {
 public:
  explicit HmacKey(BytesView key);
  HmacKey(HmacKey&&) noexcept;
  HmacKey& operator=(HmacKey&&) noexcept;
  ~HmacKey();

  // 32 octets.
  Bytes Sha256(BytesView data) const;
  Bytes Sha256(std::initializer_list<BytesView> parts) const;

 private:
  Bytes Mac(std::span<const BytesView> parts) const;

  struct State;
  std::unique_ptr<State> state_;
};

// RFC 5869 §2.2: the pseudo-random key, 32 octets. An empty salt means 32 zero octets, as the RFC has it.
Secret HkdfSha256Extract(BytesView salt, BytesView input_key);
// RFC 5869 §2.3: `size_bytes` octets, at most 255 · 32.
Secret HkdfSha256Expand(BytesView pseudo_random_key, BytesView info, std::size_t size_bytes);
// Both steps.
Secret HkdfSha256(BytesView salt, BytesView input_key, BytesView info, std::size_t size_bytes);

// Takes the same time wherever the two differ. Lengths are not secret: different ones answer at once.
bool EqualSecrets(BytesView a, BytesView b);

}  // namespace symbolon::crypto
