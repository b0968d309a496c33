#include "node/root_key.h"

#include <fmt/format.h>

#include <memory>

#include "keys/local/root_key_change.h"
#include "node/folders.h"

namespace symbolon::node {
namespace {

using keys::local::RootKeyGuard;
using keys::local::RootKeyProtection;

RootKeyGuard UnderPassphrase(SecretSource source) {
  // A file descriptor can be read once, and a passphrase may be asked twice.
  return {
      .protection = RootKeyProtection::kPassphrase,
      .passphrase = [source = std::move(source), known = std::make_shared<Secret>()]() -> Result<Secret, std::string> {
        if (known->empty()) {
          SYMBOLON_TRY(*known, ReadSecret(source));
        }
        return known->Clone();
      }};
}

RootKeyGuard UnderCmk(const std::string& arn, const FurtherKeys& further) {
  return {.protection = RootKeyProtection::kCmk, .cmk_arn = arn, .provider = further.Serving(arn)};
}

RootKeyGuard GuardOf(const KeysConfig& config, const FurtherKeys& further) {
  if (config.root_passphrase.given()) return UnderPassphrase(config.root_passphrase);
  if (!config.root_key_cmk.empty()) return UnderCmk(config.root_key_cmk, further);
  return {};
}

}  // namespace

keys::local::LocalKeyProvider::Options LocalKeyOptions(const Config& config, const FurtherKeys& further) {
  return {.directory = FolderOf(config, "keys"),
          .root_key_file = config.keys.root_key_file,
          .region = config.region,
          .account = config.account,
          .root_key_guard = GuardOf(config.keys, further)};
}

Result<void, NodeError> ProtectRootKey(const Config& config, const std::filesystem::path& former_passphrase_file,
                                       Clock& clock, Random& random) {
  SYMBOLON_TRY(const FurtherKeys further, FurtherKeys::Open(config, clock, random));
  const auto former_of = [&](BytesView content) -> RootKeyGuard {
    switch (keys::local::ProtectionOfRootKey(content).value_or(RootKeyProtection::kNone)) {
      case RootKeyProtection::kNone:
        return {};
      case RootKeyProtection::kPassphrase:
        return UnderPassphrase(former_passphrase_file.empty() ? config.keys.root_passphrase
                                                              : SecretSource{.file = former_passphrase_file});
      case RootKeyProtection::kCmk:
        return UnderCmk(keys::local::CmkOfRootKey(content), further);
    }
    return {};
  };
  const auto changed = keys::local::ChangeRootKeyProtection(LocalKeyOptions(config, further), former_of, random);
  if (!changed) return Err(NodeError{changed.error().detail});
  return {};
}

}  // namespace symbolon::node
