#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace symbolon {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  int Release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

FileError Failed(const char* action, const std::filesystem::path& path,
                 FileError::Code code = FileError::Code::kFailed) {
  return {code, std::string(action) + " " + path.string() + ": " + std::generic_category().message(errno)};
}

bool WriteAll(int descriptor, BytesView content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::filesystem::path DirectoryOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

FileResult<void> WriteFileDurably(const std::filesystem::path& path, BytesView content) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  {
    // Left over from a crash: its mode need not be ours.
    if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return Err(Failed("cannot remove", temporary));
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) return Err(Failed("cannot create", temporary));
    if (!WriteAll(file.get(), content)) return Err(Failed("cannot write", temporary));
    if (::fsync(file.get()) != 0) return Err(Failed("cannot sync", temporary));
  }
  const Descriptor directory(::open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return Err(Failed("cannot open", DirectoryOf(path)));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Err(Failed("cannot rename", temporary));
  if (::fsync(directory.get()) != 0) {
    return Err(Failed("cannot sync", DirectoryOf(path), FileError::Code::kAmbiguous));
  }
  return {};
}

FileResult<std::optional<Secret>> ReadSecretFile(const std::filesystem::path& path, std::size_t bytes_max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return Err(Failed("cannot open", path));
  }
  struct stat status;
  if (::fstat(file.get(), &status) != 0) return Err(Failed("cannot read", path));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Err(FileError{FileError::Code::kFailed, path.string() + " holds keys and others may read it: chmod 600"});
  }
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > bytes_max) {
    return Err(FileError{FileError::Code::kFailed, path.string() + " is larger than such a file can be"});
  }
  Bytes content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Err(Failed("cannot read", path));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return Secret(std::move(content));
}

FileResult<DirectoryLock> DirectoryLock::Take(const std::filesystem::path& lock_file) {
  Descriptor file(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return Err(Failed("cannot create", lock_file));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Err(Failed("cannot lock", lock_file));
    return Err(FileError{FileError::Code::kFailed, DirectoryOf(lock_file).string() + " is in use by another process (" +
                                                       lock_file.string() + ")"});
  }
  return DirectoryLock(file.Release());
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace symbolon
