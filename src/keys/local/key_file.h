// The local provider's file: all its keys, sealed under a root key that lies in a file of its own.
#pragma once

#include <filesystem>

#include "base/clock.h"
#include "crypto/xaes.h"
#include "keys/local/durable_file.h"

namespace symbolon::keys::local {

namespace pb {
class StoredKeys;
}

// Both files are read and written whole. Not thread-safe.
class KeyFile {
 public:
  // Reads the root key, or draws one (durably, mode 0600) when there is neither a root key nor a key file yet. The root
  // key file holds 64 hexadecimal digits; losing it loses every key.
  static FileResult<KeyFile> Open(std::filesystem::path key_file, const std::filesystem::path& root_key_file,
                                  Random& random);

  // False: there is no key file yet. Fails when it does not open under the root key.
  FileResult<bool> Read(pb::StoredKeys& keys) const;
  // Durable when it succeeds.
  FileResult<void> Write(const pb::StoredKeys& keys, Random& random) const;

 private:
  KeyFile(std::filesystem::path path, crypto::XaesKey root_key)
      : path_(std::move(path)), root_key_(std::move(root_key)) {}

  std::filesystem::path path_;
  crypto::XaesKey root_key_;
};

// Overwrites the key material that a message holds.
void WipeStoredKeys(pb::StoredKeys& keys);

}  // namespace symbolon::keys::local
