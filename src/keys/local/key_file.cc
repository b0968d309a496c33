#include "keys/local/key_file.h"

#include "keys/local/key_store.pb.h"

namespace symbolon::keys::local {
namespace {

// In front of the sealed octets, and their additional data.
constexpr std::string_view kMagic = "symbolon keys 1\n";
constexpr std::size_t kKeyFileBytesMax = 64 << 20;
constexpr std::size_t kRootKeyFileBytesMax = 1024;

FileError Unusable(const std::filesystem::path& path, std::string_view why) {
  return {FileError::Code::kFailed, path.string() + " " + std::string(why)};
}

FileResult<Secret> ParseRootKey(const Secret& text, const std::filesystem::path& path) {
  BytesView digits = text.view();
  while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r')) digits.remove_suffix(1);
  auto octets = HexDecode(digits);
  if (!octets || octets->size() != crypto::kXaesKeyBytes) {
    return Err(Unusable(path, "is no root key: it should hold 64 hexadecimal digits"));
  }
  return Secret(*std::move(octets));
}

FileResult<Secret> MakeRootKey(const std::filesystem::path& path, Random& random) {
  Secret key(random.Octets(crypto::kXaesKeyBytes));
  const Secret text(HexEncode(key.view()) + "\n");
  SYMBOLON_TRY_VOID(WriteFileDurably(path, text.view()));
  return key;
}

}  // namespace

FileResult<KeyFile> KeyFile::Open(std::filesystem::path key_file, const std::filesystem::path& root_key_file,
                                  Random& random) {
  SYMBOLON_TRY(auto stored, ReadSecretFile(root_key_file, kRootKeyFileBytesMax));
  if (stored) {
    SYMBOLON_TRY(const Secret root_key, ParseRootKey(*stored, root_key_file));
    return KeyFile(std::move(key_file), crypto::XaesKey(root_key.view()));
  }
  std::error_code error;
  const bool has_keys = std::filesystem::exists(key_file, error);
  if (error) return Err(Unusable(key_file, "cannot be looked at: " + error.message()));
  // A new root key would open nothing of it.
  if (has_keys) return Err(Unusable(key_file, "is there, its root key file " + root_key_file.string() + " is not"));
  SYMBOLON_TRY(const Secret root_key, MakeRootKey(root_key_file, random));
  return KeyFile(std::move(key_file), crypto::XaesKey(root_key.view()));
}

FileResult<bool> KeyFile::Read(pb::StoredKeys& keys) const {
  SYMBOLON_TRY(const auto stored, ReadSecretFile(path_, kKeyFileBytesMax));
  if (!stored) return false;
  if (!stored->view().starts_with(kMagic)) return Err(Unusable(path_, "is no key file of this version"));
  const auto plain = root_key_.Open(kMagic, stored->view().substr(kMagic.size()));
  if (!plain) return Err(Unusable(path_, "does not open under this root key: another root key file, or damaged"));
  if (!keys.ParseFromArray(plain->view().data(), static_cast<int>(plain->size()))) {
    return Err(Unusable(path_, "opens under this root key and holds no keys: written by another version?"));
  }
  return true;
}

FileResult<void> KeyFile::Write(const pb::StoredKeys& keys, Random& random) const {
  const Secret plain(keys.SerializeAsString());
  Bytes content(kMagic);
  root_key_.AppendSealed(content, random, kMagic, plain.view());
  return WriteFileDurably(path_, content);
}

void WipeStoredKeys(pb::StoredKeys& keys) {
  Wipe(keys.mutable_transport_private_key()->data(), keys.transport_private_key().size());
  for (auto& key : *keys.mutable_keys()) {
    Bytes* octets = key.mutable_material()->mutable_octets();
    Wipe(octets->data(), octets->size());
  }
}

}  // namespace symbolon::keys::local
