#include "keys/encryption_context.h"

namespace symbolon::keys {

void AppendEncryptionContext(Bytes& out, const EncryptionContext& context) {
  const auto append = [&](BytesView part) {
    AppendBigEndian32(out, static_cast<std::uint32_t>(part.size()));
    out += part;
  };
  AppendBigEndian32(out, static_cast<std::uint32_t>(context.size()));
  for (const auto& [name, value] : context) {
    append(name);
    append(value);
  }
}

}  // namespace symbolon::keys
