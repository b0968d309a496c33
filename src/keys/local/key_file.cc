#include "keys/local/key_file.h"

#include "keys/local/key_store.pb.h"

namespace symbolon::keys::local {
namespace {

// In front of the sealed octets, and their additional data. The first release wrote 1, and would lose what it does not
// know if it read 2.
constexpr std::string_view kMagic = "symbolon keys 2\n";
constexpr std::string_view kMagicOfFirstRelease = "symbolon keys 1\n";
constexpr std::size_t kKeyFileBytesMax = 64 << 20;

FileError Unusable(const std::filesystem::path& path, std::string_view why) {
  return {FileError::Code::kFailed, path.string() + " " + std::string(why)};
}

FileResult<Secret> MakeRootKey(const std::filesystem::path& path, const RootKeyGuard& guard, Random& random) {
  Secret key(random.Octets(crypto::kXaesKeyBytes));
  const auto content = ProtectRootKey(key, guard, random);
  if (!content) return Err(Unusable(path, "cannot be made: " + content.error()));
  SYMBOLON_TRY_VOID(WriteFileDurably(path, content->view()));
  return key;
}

}  // namespace

FileResult<KeyFile> KeyFile::Open(std::filesystem::path key_file, const std::filesystem::path& root_key_file,
                                  const RootKeyGuard& guard, Random& random) {
  SYMBOLON_TRY(const auto stored, ReadSecretFile(root_key_file, kRootKeyFileBytesMax));
  if (stored) {
    const auto root_key = OpenRootKey(stored->view(), guard);
    if (!root_key) return Err(Unusable(root_key_file, root_key.error()));
    return KeyFile(std::move(key_file), *root_key);
  }
  std::error_code error;
  const bool has_keys = std::filesystem::exists(key_file, error);
  if (error) return Err(Unusable(key_file, "cannot be looked at: " + error.message()));
  // A new root key would open nothing of it.
  if (has_keys) return Err(Unusable(key_file, "is there, its root key file " + root_key_file.string() + " is not"));
  SYMBOLON_TRY(const Secret root_key, MakeRootKey(root_key_file, guard, random));
  return KeyFile(std::move(key_file), root_key);
}

FileResult<bool> KeyFile::Read(pb::StoredKeys& keys) const {
  SYMBOLON_TRY(const auto stored, ReadSecretFile(path_, kKeyFileBytesMax));
  if (!stored) return false;
  const BytesView magic = stored->view().substr(0, kMagic.size());
  if (magic != kMagic && magic != kMagicOfFirstRelease) return Err(Unusable(path_, "is no key file of this version"));
  const auto plain = root_key_.Open(magic, stored->view().substr(magic.size()));
  if (!plain) return Err(Unusable(path_, "does not open under this root key: another root key file, or damaged"));
  if (!keys.ParseFromArray(plain->view().data(), static_cast<int>(plain->size()))) {
    return Err(Unusable(path_, "opens under this root key and holds no keys: written by another version?"));
  }
  return true;
}

FileResult<void> KeyFile::Write(const pb::StoredKeys& keys, Random& random) const {
  const Secret plain(keys.SerializeAsString());
  if (plain.size() > kKeyFileBytesMax - 1024) return Err(Unusable(path_, "would be larger than such a file can be"));
  Bytes content(kMagic);
  root_key_.AppendSealed(content, random, kMagic, plain.view());
  return WriteFileDurably(path_, content);
}

void WipeStoredKeys(pb::StoredKeys& keys) {
  Wipe(keys.mutable_transport_private_key()->data(), keys.transport_private_key().size());
  for (auto& key : *keys.mutable_keys()) {
    for (auto& material : *key.mutable_materials()) {
      Wipe(material.mutable_octets()->data(), material.octets().size());
    }
    for (auto& wrapping : *key.mutable_import_keys()) {
      Wipe(wrapping.mutable_private_key()->data(), wrapping.private_key().size());
    }
  }
}

}  // namespace symbolon::keys::local
