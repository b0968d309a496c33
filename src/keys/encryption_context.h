// How an encryption context enters the additional data of a ciphertext.
#pragma once

#include "base/bytes.h"
#include "keys/provider.h"

namespace symbolon::keys {

// Number of pairs (4 octets) ‖ for each pair, ascending by name: length of name (4) ‖ name ‖ length of value (4) ‖
// value. Numbers are big-endian. No two contexts are encoded alike.
void AppendEncryptionContext(Bytes& out, const EncryptionContext& context);

}  // namespace symbolon::keys
