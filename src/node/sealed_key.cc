#include "node/sealed_key.h"

#include <fmt/format.h>

#include "base/durable_file.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kKeyFileBytesMax = 4096;

}  // namespace

keys::EncryptionContext SealedKeyContext(std::string_view use) { return {{"symbolon:key", std::string(use)}}; }

Result<SealedKey, std::string> OpenSealedKey(const std::filesystem::path& file, std::string_view use,
                                             std::string_view why_not, keys::KeyProvider& provider,
                                             const std::string& key_arn) {
  const auto stored = ReadSecretFile(file, kKeyFileBytesMax);
  if (!stored) return Err(stored.error().detail);
  if (*stored) {
    const auto pkcs8 = provider.Decrypt(key_arn, SealedKeyContext(use), (*stored)->view());
    if (!pkcs8) return Err(fmt::format("{} does not open: {}", file.string(), pkcs8.error().detail));
    auto key = crypto::Ed25519Key::FromPkcs8(pkcs8->view());
    if (!key) return Err(fmt::format("{} holds no key", file.string()));
    return SealedKey{*std::move(key), "Decrypt"};
  }
  if (!why_not.empty()) return Err(fmt::format("{} is gone: {}", file.string(), why_not));
  auto key = crypto::Ed25519Key::Generate();
  const auto sealed = provider.Encrypt(key_arn, SealedKeyContext(use), key.ToPkcs8().view());
  if (!sealed) return Err(fmt::format("the {} key cannot be sealed: {}", use, sealed.error().detail));
  const auto written = WriteFileDurably(file, *sealed);
  if (!written) return Err(written.error().detail);
  return SealedKey{std::move(key), "Encrypt"};
}

}  // namespace symbolon::node
