#include "crypto/srp_group.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace symbolon::crypto::internal {
namespace {

constexpr std::size_t kDigits = kSrpExponentBytes * 2;
constexpr std::size_t kDigitValues = 16;
constexpr std::size_t kWords = kSrpNumberBytes / sizeof(std::uint64_t);

using Words = std::array<std::uint64_t, kWords>;

BN_CTX* ThreadNumberContext() {
  thread_local const OwnedNumberContext context(BN_CTX_new());
  SYMBOLON_CHECK(context != nullptr);
  return context.get();
}

OwnedNumber NewNumber() {
  OwnedNumber number(BN_new());
  SYMBOLON_CHECK(number != nullptr);
  return number;
}

// All ones if a equals b, else zero; the compiler must not see that it is one of two values, or it may branch.
std::uint64_t EqualMask(std::uint64_t a, std::uint64_t b) {
  std::uint64_t mask = ((a ^ b) - 1) >> 63;  // Both are small.
  mask = ~(mask - 1);
  asm volatile("" : "+r"(mask));
  return mask;
}

// The entry of this value among one digit's entries, all of which are read.
void Select(const std::uint64_t* entries, unsigned value, Words& selected) {
  selected.fill(0);
  for (std::size_t i = 0; i < kDigitValues; ++i) {
    const std::uint64_t mask = EqualMask(i, value);
    const std::uint64_t* const entry = entries + i * kWords;
    for (std::size_t word = 0; word < kWords; ++word) selected[word] |= entry[word] & mask;
  }
}

}  // namespace

OwnedNumber NumberFromOctets(BytesView octets) {
  OwnedNumber number(BN_bin2bn(Octets(octets), static_cast<int>(octets.size()), nullptr));
  SYMBOLON_CHECK(number != nullptr);
  return number;
}

Secret NumberToOctets(const BIGNUM* number) {
  Bytes octets(kSrpNumberBytes, '\0');
  SYMBOLON_CHECK(BN_bn2binpad(number, Octets(octets), static_cast<int>(octets.size())) > 0);
  return Secret(std::move(octets));
}

const SrpGroup& SrpGroup::Instance() {
  static const SrpGroup group;
  return group;
}

SrpGroup::SrpGroup()
    : modulus_(BN_get_rfc3526_prime_3072(nullptr)),
      montgomery_(BN_MONT_CTX_new()),
      table_(kDigits * kDigitValues * kWords) {
  BN_CTX* const context = ThreadNumberContext();
  SYMBOLON_CHECK(modulus_ != nullptr && montgomery_ != nullptr &&
                 BN_MONT_CTX_set(montgomery_.get(), modulus_, context) == 1);

  const OwnedNumber two = NewNumber();
  SYMBOLON_CHECK(BN_set_word(two.get(), 2) == 1);
  const OwnedNumber h = Power(two.get(), Bytes(kSrpExponentBytes, '\xff'));

  const OwnedNumber base = NewNumber();  // 2^(16^i)
  const OwnedNumber entry = NewNumber(), h_montgomery = NewNumber();
  SYMBOLON_CHECK(BN_to_montgomery(base.get(), two.get(), montgomery_.get(), context) == 1 &&
                 BN_to_montgomery(h_montgomery.get(), h.get(), montgomery_.get(), context) == 1);
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    SYMBOLON_CHECK(BN_copy(entry.get(), h_montgomery.get()) != nullptr);
    for (std::size_t value = 0; value < kDigitValues; ++value) {
      std::uint64_t* const words = table_.data() + (digit * kDigitValues + value) * kWords;
      SYMBOLON_CHECK(
          BN_bn2lebinpad(entry.get(), reinterpret_cast<unsigned char*>(words), static_cast<int>(kSrpNumberBytes)) > 0);
      SYMBOLON_CHECK(words[kWords - 1] != 0);
      SYMBOLON_CHECK(BN_mod_mul_montgomery(entry.get(), entry.get(), base.get(), montgomery_.get(), context) == 1);
    }
    for (int squaring = 0; squaring < 4; ++squaring) {
      SYMBOLON_CHECK(BN_mod_mul_montgomery(base.get(), base.get(), base.get(), montgomery_.get(), context) == 1);
    }
  }

  start_.reset(BN_mod_inverse(nullptr, h.get(), modulus_, context));
  SYMBOLON_CHECK(start_ != nullptr);
  start_ = Power(start_.get(), Bytes(1, static_cast<char>(kDigits)));
}

OwnedNumber SrpGroup::PowerOfTwo(BytesView exponent) const {
  SYMBOLON_CHECK(exponent.size() == kSrpExponentBytes);
  OwnedNumber product = NewNumber(), factor = NewNumber();
  SYMBOLON_CHECK(BN_copy(product.get(), start_.get()) != nullptr);
  Words words;
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    const unsigned octet = static_cast<unsigned char>(exponent[kSrpExponentBytes - 1 - digit / 2]);
    const unsigned value = digit % 2 == 0 ? octet & 0xf : octet >> 4;
    Select(table_.data() + digit * kDigitValues * kWords, value, words);
    SYMBOLON_CHECK(BN_lebin2bn(reinterpret_cast<const unsigned char*>(words.data()), static_cast<int>(kSrpNumberBytes),
                               factor.get()) != nullptr);
    // A number times one in Montgomery form is the product itself, so nothing has to be converted at the end.
    SYMBOLON_CHECK(BN_mod_mul_montgomery(product.get(), product.get(), factor.get(), montgomery_.get(),
                                         ThreadNumberContext()) == 1);
  }
  Wipe(words.data(), sizeof words);
  return product;
}

OwnedNumber SrpGroup::Power(const BIGNUM* base, BytesView exponent) const {
  const OwnedNumber power = NumberFromOctets(exponent);
  BN_set_flags(power.get(), BN_FLG_CONSTTIME);
  OwnedNumber result = NewNumber();
  SYMBOLON_CHECK(BN_mod_exp_mont_consttime(result.get(), base, power.get(), modulus_, ThreadNumberContext(),
                                           montgomery_.get()) == 1);
  return result;
}

OwnedNumber SrpGroup::Multiply(const BIGNUM* a, const BIGNUM* b) const {
  OwnedNumber result = NewNumber();
  SYMBOLON_CHECK(BN_to_montgomery(result.get(), a, montgomery_.get(), ThreadNumberContext()) == 1 &&
                 BN_mod_mul_montgomery(result.get(), result.get(), b, montgomery_.get(), ThreadNumberContext()) == 1);
  return result;
}

OwnedNumber SrpGroup::Add(const BIGNUM* a, const BIGNUM* b) const {
  OwnedNumber result = NewNumber();
  SYMBOLON_CHECK(BN_mod_add_quick(result.get(), a, b, modulus_) == 1);
  return result;
}

}  // namespace symbolon::crypto::internal
