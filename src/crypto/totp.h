// One-time passwords as authenticator apps compute them: HOTP (RFC 4226) and TOTP (RFC 6238) with HMAC-SHA-1, six
// digits and steps of 30 seconds, which is all that such apps agree on. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace symbolon::crypto {

inline constexpr std::chrono::seconds kTotpStep{30};
inline constexpr std::size_t kTotpDigits = 6;

// The step that a time lies in, counted from 1970; times before are in step 0.
std::uint64_t TotpStepAt(Timestamp time);
// When a step begins.
Timestamp TotpStepBegin(std::uint64_t step);

// The code of a counter: `digits` decimal digits, 6 to 8 (RFC 4226 §5.3).
std::string HotpCode(BytesView key, std::uint64_t counter, std::size_t digits = kTotpDigits);

// The steps whose code this is, among the present one and `window` steps before and after it; ascending, mostly none or
// one. Compares with all of them, and takes the same time wherever a code differs.
std::vector<std::uint64_t> MatchTotp(BytesView key, std::string_view code, Timestamp now, std::uint64_t window);

}  // namespace symbolon::crypto
