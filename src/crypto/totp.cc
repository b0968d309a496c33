#include "crypto/totp.h"

#include <algorithm>
#include <array>

#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace symbolon::crypto {
namespace {

using internal::Octets;

constexpr std::size_t kSha1Bytes = 20;

std::array<unsigned char, kSha1Bytes> HmacSha1(BytesView key, BytesView data) {
  thread_local const internal::OwnedMacContext context = internal::NewHmac("SHA1");
  internal::SetHmacKey(context.get(), key);
  std::array<unsigned char, kSha1Bytes> mac{};
  std::size_t size = 0;
  SYMBOLON_CHECK(EVP_MAC_update(context.get(), Octets(data), data.size()) == 1 &&
                 EVP_MAC_final(context.get(), mac.data(), &size, mac.size()) == 1 && size == mac.size());
  internal::SetHmacKey(context.get(), {});  // Leave no key behind.
  return mac;
}

}  // namespace

std::uint64_t TotpStepAt(Timestamp time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(ToSeconds(time), 0)) /
         static_cast<std::uint64_t>(kTotpStep.count());
}

Timestamp TotpStepBegin(std::uint64_t step) { return FromSeconds(static_cast<std::int64_t>(step) * kTotpStep.count()); }

std::string HotpCode(BytesView key, std::uint64_t counter, std::size_t digits) {
  SYMBOLON_CHECK(digits >= 6 && digits <= 8);
  Bytes data;
  AppendBigEndian64(data, counter);
  const auto mac = HmacSha1(key, data);
  // Dynamic truncation.
  const std::size_t offset = mac.back() & 0x0f;
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | mac[offset + i];
  number &= 0x7fff'ffff;
  std::string code(digits, '0');
  for (std::size_t i = digits; i-- > 0; number /= 10) code[i] = static_cast<char>('0' + number % 10);
  return code;
}

std::vector<std::uint64_t> MatchTotp(BytesView key, std::string_view code, Timestamp now, std::uint64_t window) {
  const std::uint64_t present = TotpStepAt(now);
  std::vector<std::uint64_t> matches;
  for (std::uint64_t step = present - std::min(present, window); step <= present + window; ++step) {
    if (EqualSecrets(HotpCode(key, step), code)) matches.push_back(step);
  }
  return matches;
}

}  // namespace symbolon::crypto
