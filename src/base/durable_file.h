// Small files that are there whole or not at all.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace symbolon {

struct FileError {
  enum class Code {
    kFailed,     // Nothing has changed.
    kAmbiguous,  // The new content may or may not survive a crash.
  };
  Code code;
  std::string detail;
};

template <class T>
using FileResult = Result<T, FileError>;

// Replaces the file's content, mode 0600: written beside it, synced, renamed, directory synced. Durable when it
// returns.
FileResult<void> WriteFileDurably(const std::filesystem::path& path, BytesView content);

// nullopt: there is no such file. Refuses more than `bytes_max`.
FileResult<std::optional<Secret>> ReadSecretFile(const std::filesystem::path& path, std::size_t bytes_max);

// Holds a lock file for the life of this object, so that one process only works in a directory.
class DirectoryLock {
 public:
  static FileResult<DirectoryLock> Take(const std::filesystem::path& lock_file);
  DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace symbolon
