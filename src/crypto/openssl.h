// Private to this module: owners for OpenSSL's objects, algorithms fetched once, and contexts that threads reuse.
// OpenSSL 3 looks every algorithm up anew when it is named implicitly, under one lock for the process; naming the
// fetched object and keeping contexts is what lets hashing and sealing scale with cores.
#pragma once

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace symbolon::crypto::internal {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using OwnedMdContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using OwnedMacContext = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;
using OwnedCipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using OwnedKeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
// Wiped before it is freed.
using OwnedNumber = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;
using OwnedNumberContext = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;

// Live until the process ends.
const EVP_MD* Sha256Algorithm();
const EVP_CIPHER* Aes256GcmAlgorithm();
const EVP_CIPHER* Aes256EcbAlgorithm();

// An HMAC that knows its digest ("SHA256") and has no key yet.
OwnedMacContext NewHmac(std::string_view digest);
// Begins a new computation.
void SetHmacKey(EVP_MAC_CTX* context, BytesView key);

inline const unsigned char* Octets(BytesView bytes) {
  // Some functions take a null pointer as "none", even with length 0.
  return reinterpret_cast<const unsigned char*>(bytes.data() == nullptr ? "" : bytes.data());
}
inline unsigned char* Octets(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// What fails inside its scope leaves nothing in the thread's queue of OpenSSL errors, where TLS would find it.
class DropErrors {
 public:
  DropErrors() { ERR_set_mark(); }
  DropErrors(const DropErrors&) = delete;
  DropErrors& operator=(const DropErrors&) = delete;
  ~DropErrors() { ERR_pop_to_mark(); }
};

// A small number for the calling thread, so that threads begin their search in different slots.
std::size_t ThreadNumber();

// Idle copies of one prepared context (a keyed MAC, a signature set-up), each used by one thread at a time. Thread-safe
// and lock-free; holds at most kSlots idle ones and frees what is more. `Owned` is a unique_ptr.
template <class Owned>
class ContextPool {
 public:
  using Context = typename Owned::element_type;

  ContextPool() = default;
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;
  ~ContextPool() {
    for (auto& slot : slots_) Owned(slot.exchange(nullptr, std::memory_order_acquire));
  }

  // An idle context, or what `make` returns.
  template <class Make>
  Owned Take(Make&& make) {
    const std::size_t first = ThreadNumber();
    for (std::size_t i = 0; i < kSlots; ++i) {
      auto& slot = slots_[(first + i) % kSlots];
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      if (Context* idle = slot.exchange(nullptr, std::memory_order_acquire)) return Owned(idle);
    }
    return std::forward<Make>(make)();
  }

  void Return(Owned context) {
    const std::size_t first = ThreadNumber();
    for (std::size_t i = 0; i < kSlots; ++i) {
      Context* empty = nullptr;
      if (slots_[(first + i) % kSlots].compare_exchange_strong(empty, context.get(), std::memory_order_release,
                                                               std::memory_order_relaxed)) {
        context.release();
        return;
      }
    }
  }

 private:
  static constexpr std::size_t kSlots = 16;
  std::array<std::atomic<Context*>, kSlots> slots_{};
};

}  // namespace symbolon::crypto::internal
