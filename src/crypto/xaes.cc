#include "crypto/xaes.h"

#include <algorithm>
#include <array>

#include "crypto/aead.h"
#include "crypto/gcm.h"

namespace symbolon::crypto {
namespace {

using internal::Octets;
using internal::OwnedCipherContext;

constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kDerivationNonceBytes = kXaesNonceBytes - kGcmNonceBytes;

using Block = std::array<unsigned char, kBlockBytes>;
using MessageKey = std::array<char, kAes256KeyBytes>;

BytesView View(const MessageKey& key) { return BytesView(key.data(), key.size()); }

// The thread's context, for one message.
class ThreadGcmContext {
 public:
  ThreadGcmContext() = default;
  ThreadGcmContext(const ThreadGcmContext&) = delete;
  ThreadGcmContext& operator=(const ThreadGcmContext&) = delete;
  // A key of zeros takes the place of the message's.
  ~ThreadGcmContext() {
    static constexpr MessageKey kZeros{};
    SYMBOLON_CHECK(EVP_EncryptInit_ex2(context_, nullptr, Octets(View(kZeros)), nullptr, nullptr) == 1);
  }

  EVP_CIPHER_CTX* get() const { return context_; }

 private:
  static EVP_CIPHER_CTX* Context() {
    thread_local const OwnedCipherContext context = internal::NewGcmContext();
    return context.get();
  }

  EVP_CIPHER_CTX* const context_ = Context();
};

// Multiplication by x in GF(2^128), as CMAC's sub-keys are made (NIST SP 800-38B §6.1); in constant time.
Block DoubleInField(const Block& block) {
  Block doubled;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    const unsigned next = i + 1 < kBlockBytes ? block[i + 1] : 0;
    doubled[i] = static_cast<unsigned char>((block[i] << 1) | (next >> 7));
  }
  const unsigned char top_bit = block[0] >> 7;
  doubled[kBlockBytes - 1] ^= static_cast<unsigned char>(-top_bit) & 0x87;
  return doubled;
}

}  // namespace

struct XaesKey::State {
  OwnedCipherContext expanded;  // AES-256 under the key; copied from, never computed with.
  Block k1;                     // CMAC's first sub-key.
  internal::ContextPool<OwnedCipherContext> idle;

  ~State() { Wipe(k1.data(), k1.size()); }

  // The key under which the message with this nonce is sealed: two CMACs of one block, by SP 800-108r1.
  MessageKey Derive(BytesView nonce) {
    std::array<unsigned char, 2 * kBlockBytes> blocks{};
    for (std::size_t i = 0; i < 2; ++i) {
      unsigned char* const block = blocks.data() + i * kBlockBytes;
      block[1] = static_cast<unsigned char>(i + 1);
      block[2] = 'X';
      std::copy_n(nonce.begin(), kDerivationNonceBytes, block + kBlockBytes - kDerivationNonceBytes);
      for (std::size_t j = 0; j < kBlockBytes; ++j) block[j] ^= k1[j];
    }
    OwnedCipherContext context = idle.Take([&] {
      OwnedCipherContext copy(EVP_CIPHER_CTX_new());
      SYMBOLON_CHECK(copy != nullptr && EVP_CIPHER_CTX_copy(copy.get(), expanded.get()) == 1);
      return copy;
    });
    MessageKey key;
    int written = 0;
    SYMBOLON_CHECK(EVP_EncryptUpdate(context.get(), reinterpret_cast<unsigned char*>(key.data()), &written,
                                     blocks.data(), static_cast<int>(blocks.size())) == 1 &&
                   written == static_cast<int>(key.size()));
    idle.Return(std::move(context));
    return key;
  }
};

XaesKey::XaesKey(BytesView key) : state_(std::make_unique<State>()) {
  SYMBOLON_CHECK(key.size() == kXaesKeyBytes);
  OwnedCipherContext context(EVP_CIPHER_CTX_new());
  SYMBOLON_CHECK(context != nullptr);
  SYMBOLON_CHECK(EVP_EncryptInit_ex2(context.get(), internal::Aes256EcbAlgorithm(), Octets(key), nullptr, nullptr) ==
                 1);
  SYMBOLON_CHECK(EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1);
  const Block zero{};
  Block l;
  int written = 0;
  SYMBOLON_CHECK(EVP_EncryptUpdate(context.get(), l.data(), &written, zero.data(), kBlockBytes) == 1);
  state_->k1 = DoubleInField(l);
  Wipe(l.data(), l.size());
  state_->expanded = std::move(context);
}

XaesKey::XaesKey(XaesKey&&) noexcept = default;
XaesKey& XaesKey::operator=(XaesKey&&) noexcept = default;
XaesKey::~XaesKey() = default;

Bytes XaesKey::Seal(Random& random, BytesView associated_data, BytesView plaintext) const {
  Bytes sealed;
  AppendSealed(sealed, random, associated_data, plaintext);
  return sealed;
}

void XaesKey::AppendSealed(Bytes& out, Random& random, BytesView associated_data, BytesView plaintext) const {
  const Bytes nonce = random.Octets(kXaesNonceBytes);
  MessageKey key = state_->Derive(nonce);
  out.reserve(out.size() + plaintext.size() + kXaesOverheadBytes);
  out += nonce;
  internal::GcmSeal(ThreadGcmContext().get(), View(key), BytesView(nonce).substr(kDerivationNonceBytes),
                    associated_data, plaintext, out);
  Wipe(key.data(), key.size());
}

CryptoResult<Secret> XaesKey::Open(BytesView associated_data, BytesView sealed) const {
  if (sealed.size() < kXaesOverheadBytes) return Err(CryptoError::kNotAuthentic);
  const BytesView nonce = sealed.substr(0, kXaesNonceBytes);
  MessageKey key = state_->Derive(nonce);
  CryptoResult<Secret> plaintext =
      internal::GcmOpen(ThreadGcmContext().get(), View(key), nonce.substr(kDerivationNonceBytes), associated_data,
                        sealed.substr(kXaesNonceBytes));
  Wipe(key.data(), key.size());
  return plaintext;
}

}  // namespace symbolon::crypto
