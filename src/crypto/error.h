// What can be wrong with octets that came from outside. Failures of OpenSSL itself with good input (no memory, no
// entropy) end the process.
#pragma once

#include "base/result.h"

namespace symbolon::crypto {

enum class CryptoError {
  kMalformed,     // Not the encoding that was promised.
  kNotAuthentic,  // Altered, cut short, or made under another key or for another purpose.
};

template <class T>
using CryptoResult = Result<T, CryptoError>;

}  // namespace symbolon::crypto
