// The local provider's file: all its keys, sealed under a root key that lies in a file of its own (root_key.h).
#pragma once

#include <filesystem>

#include "base/clock.h"
#include "base/durable_file.h"
#include "crypto/xaes.h"
#include "keys/local/root_key.h"

namespace symbolon::keys::local {

namespace pb {
class StoredKeys;
}

// Both files are read and written whole. Not thread-safe.
class KeyFile {
 public:
  // Reads the root key, or draws one (durably, mode 0600) when there is neither a root key nor a key file yet. Losing
  // the root key file (root_key.h), or what protects it, loses every key.
  static FileResult<KeyFile> Open(std::filesystem::path key_file, const std::filesystem::path& root_key_file,
                                  const RootKeyGuard& guard, Random& random);
  KeyFile(std::filesystem::path path, const Secret& root_key) : path_(std::move(path)), root_key_(root_key.view()) {}

  // False: there is no key file yet. Fails when it does not open under the root key.
  FileResult<bool> Read(pb::StoredKeys& keys) const;
  // Durable when it succeeds.
  FileResult<void> Write(const pb::StoredKeys& keys, Random& random) const;

 private:
  std::filesystem::path path_;
  crypto::XaesKey root_key_;
};

// Overwrites the key material that a message holds.
void WipeStoredKeys(pb::StoredKeys& keys);

}  // namespace symbolon::keys::local
