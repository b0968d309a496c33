// The real source of randomness.
#pragma once

#include "base/clock.h"

namespace symbolon::crypto {

// OpenSSL's generator, seeded by the operating system, one per thread. Cryptographically strong; thread-safe.
Random& SystemRandom();

}  // namespace symbolon::crypto
