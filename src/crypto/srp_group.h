// Private to this module: arithmetic modulo the 3072-bit prime of RFC 5054 with generator 2, in time that does not
// depend on the secrets. Thread-safe; every thread keeps its working memory.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/openssl.h"

namespace symbolon::crypto::internal {

inline constexpr std::size_t kSrpNumberBytes = 384;
inline constexpr std::size_t kSrpExponentBytes = 32;

class SrpGroup {
 public:
  // Computes the table below at its first call (some milliseconds).
  static const SrpGroup& Instance();

  const BIGNUM* modulus() const { return modulus_; }

  // 2^exponent for an exponent of kSrpExponentBytes, big-endian: 64 multiplications and no squaring, four to six times
  // as fast as OpenSSL's general power.
  OwnedNumber PowerOfTwo(BytesView exponent) const;
  // base^exponent; base is below the modulus, exponent big-endian of any length.
  OwnedNumber Power(const BIGNUM* base, BytesView exponent) const;
  // a · b and a + b of numbers below the modulus.
  OwnedNumber Multiply(const BIGNUM* a, const BIGNUM* b) const;
  OwnedNumber Add(const BIGNUM* a, const BIGNUM* b) const;

 private:
  SrpGroup();

  struct MontgomeryFree {
    void operator()(BN_MONT_CTX* context) const { BN_MONT_CTX_free(context); }
  };

  const BIGNUM* const modulus_;
  std::unique_ptr<BN_MONT_CTX, MontgomeryFree> montgomery_;
  // For each of the 64 exponent digits d of four bits, at position i: h · 2^(d · 16^i) in Montgomery form, where the
  // factor h makes every entry a number of full length. (Small powers of two have zero words on top, which OpenSSL cuts
  // off and whose absence could be measured.) The product starts with h^-64.
  std::vector<std::uint64_t> table_;
  OwnedNumber start_;
};

// Big-endian.
OwnedNumber NumberFromOctets(BytesView octets);
// kSrpNumberBytes long.
Secret NumberToOctets(const BIGNUM* number);

}  // namespace symbolon::crypto::internal
