#include "crypto/hash.h"

#include <openssl/crypto.h>

#include "crypto/openssl.h"

namespace symbolon::crypto {
namespace {

using internal::Octets;
using internal::OwnedMacContext;
using internal::OwnedMdContext;

void StartSha256(EVP_MD_CTX* context) {
  SYMBOLON_CHECK(EVP_DigestInit_ex2(context, internal::Sha256Algorithm(), nullptr) == 1);
}

OwnedMdContext NewSha256() {
  OwnedMdContext context(EVP_MD_CTX_new());
  SYMBOLON_CHECK(context != nullptr);
  StartSha256(context.get());
  return context;
}

Bytes FinishSha256(EVP_MD_CTX* context) {
  Bytes digest(kSha256Bytes, '\0');
  SYMBOLON_CHECK(EVP_DigestFinal_ex(context, Octets(digest), nullptr) == 1);
  return digest;
}

Bytes UpdateAndFinish(EVP_MAC_CTX* context, std::span<const BytesView> parts) {
  for (BytesView part : parts) SYMBOLON_CHECK(EVP_MAC_update(context, Octets(part), part.size()) == 1);
  Bytes mac(kSha256Bytes, '\0');
  std::size_t size = 0;
  SYMBOLON_CHECK(EVP_MAC_final(context, Octets(mac), &size, mac.size()) == 1 && size == kSha256Bytes);
  return mac;
}

Bytes HmacOnce(BytesView key, std::span<const BytesView> parts) {
  thread_local const OwnedMacContext context = internal::NewHmac("SHA256");
  internal::SetHmacKey(context.get(), key);
  Bytes mac = UpdateAndFinish(context.get(), parts);
  internal::SetHmacKey(context.get(), {});  // Leave no key behind.
  return mac;
}

}  // namespace

Bytes Sha256(BytesView data) { return Sha256({data}); }

Bytes Sha256(std::initializer_list<BytesView> parts) {
  thread_local const OwnedMdContext context = NewSha256();
  StartSha256(context.get());
  for (BytesView part : parts) SYMBOLON_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  return FinishSha256(context.get());
}

struct Sha256Stream::State {
  OwnedMdContext context = NewSha256();
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(BytesView data) {
  SYMBOLON_CHECK(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1);
}

Bytes Sha256Stream::Finish() {
  Bytes digest = FinishSha256(state_->context.get());
  StartSha256(state_->context.get());
  return digest;
}

Bytes HmacSha256(BytesView key, BytesView data) { return HmacOnce(key, {&data, 1}); }
Bytes HmacSha256(BytesView key, std::initializer_list<BytesView> parts) { return HmacOnce(key, parts); }

struct HmacKey::State {
  OwnedMacContext keyed = internal::NewHmac("SHA256");  // Copied from, never computed with.
  internal::ContextPool<OwnedMacContext> idle;
};

HmacKey::HmacKey(BytesView key) : state_(std::make_unique<State>()) { internal::SetHmacKey(state_->keyed.get(), key); }
HmacKey::HmacKey(HmacKey&&) noexcept = default;
HmacKey& HmacKey::operator=(HmacKey&&) noexcept = default;
HmacKey::~HmacKey() = default;

Bytes HmacKey::Sha256(BytesView data) const { return Mac({&data, 1}); }
Bytes HmacKey::Sha256(std::initializer_list<BytesView> parts) const { return Mac(parts); }

Bytes HmacKey::Mac(std::span<const BytesView> parts) const {
  OwnedMacContext context = state_->idle.Take([&] { return OwnedMacContext(EVP_MAC_CTX_dup(state_->keyed.get())); });
  // Without a key: starts again under the one that the context has.
  SYMBOLON_CHECK(context != nullptr && EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1);
  Bytes mac = UpdateAndFinish(context.get(), parts);
  state_->idle.Return(std::move(context));
  return mac;
}

Secret HkdfSha256Extract(BytesView salt, BytesView input_key) {
  // HMAC pads its key with zeros, so an empty key is the RFC's string of zeros.
  return Secret(HmacSha256(salt, input_key));
}

Secret HkdfSha256Expand(BytesView pseudo_random_key, BytesView info, std::size_t size_bytes) {
  SYMBOLON_CHECK(size_bytes <= 255 * kSha256Bytes);
  Bytes output;
  output.reserve(size_bytes + kSha256Bytes);  // One buffer, so that no copy of key material is left behind.
  Bytes block;
  for (unsigned char counter = 1; output.size() < size_bytes; ++counter) {
    const char number = static_cast<char>(counter);
    Bytes next = HmacSha256(pseudo_random_key, {block, info, BytesView(&number, 1)});
    Wipe(block.data(), block.size());
    block = std::move(next);
    output += block;
  }
  Wipe(block.data(), block.size());
  Wipe(output.data() + size_bytes, output.size() - size_bytes);
  output.resize(size_bytes);
  return Secret(std::move(output));
}

Secret HkdfSha256(BytesView salt, BytesView input_key, BytesView info, std::size_t size_bytes) {
  return HkdfSha256Expand(HkdfSha256Extract(salt, input_key).view(), info, size_bytes);
}

bool EqualSecrets(BytesView a, BytesView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace symbolon::crypto
