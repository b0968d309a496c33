// The real source of randomness.
#pragma once

#include "base/clock.h"

namespace symbolon::crypto {

// OpenSSL's generator, seeded by the operating system, one per thread. Cryptographically strong; thread-safe. Not for a
// process that forks and goes on in the child.
Random& SystemRandom();

}  // namespace symbolon::crypto
