#include "audit/trail_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace symbolon::audit::internal {
namespace {

tl::unexpected<AuditError> Failed(const char* action, const std::filesystem::path& path) {
  return Err(
      AuditError{fmt::format("cannot {} {}: {}", action, path.string(), std::generic_category().message(errno))});
}

AuditResult<void> SyncFolderOf(const std::filesystem::path& path) {
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failed("open the folder of", path);
  const bool synced = ::fsync(folder) == 0;
  const int error = errno;
  ::close(folder);
  errno = error;
  if (!synced) return Failed("sync the folder of", path);
  return {};
}

AuditResult<void> WriteAll(int descriptor, BytesView octets, const std::filesystem::path& path) {
  while (!octets.empty()) {
    const ssize_t written = ::write(descriptor, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", path);
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

AuditResult<void> CheckRoom(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "room";
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return Failed("create", path);
  auto written = WriteAll(descriptor, Bytes(kRoomBytes, '\0'), path);
  if (::ftruncate(descriptor, 0) != 0 && written) written = Failed("cut", path);
  ::close(descriptor);
  return written;
}

AuditResult<TrailFile> TrailFile::Create(const std::filesystem::path& path) {
  TrailFile file(path, ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600), 0);
  if (file.descriptor_ < 0) return Failed("create", path);
  SYMBOLON_TRY_VOID(SyncFolderOf(path));
  return file;
}

AuditResult<TrailFile> TrailFile::Continue(const std::filesystem::path& path, std::uint64_t size_bytes) {
  TrailFile file(path, ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), size_bytes);
  if (file.descriptor_ < 0) return Failed("open", path);
  struct stat status{};
  if (::fstat(file.descriptor_, &status) != 0) return Failed("look at", path);
  if (static_cast<std::uint64_t>(status.st_size) < size_bytes) {
    return Err(AuditError{fmt::format("{} is shorter than what was written to it", path.string())});
  }
  if (static_cast<std::uint64_t>(status.st_size) == size_bytes) return file;
  if (::ftruncate(file.descriptor_, static_cast<off_t>(size_bytes)) != 0) return Failed("cut", path);
  if (::fsync(file.descriptor_) != 0) return Failed("sync", path);
  return file;
}

TrailFile& TrailFile::operator=(TrailFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

TrailFile::~TrailFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AuditResult<void> TrailFile::Append(BytesView octets) {
  SYMBOLON_TRY_VOID(WriteAll(descriptor_, octets, path_));
  if (::fdatasync(descriptor_) != 0) return Failed("sync", path_);
  size_bytes_ += octets.size();
  return {};
}

bool TrailFile::IsInPlace() const {
  struct stat here{};
  struct stat named{};
  return ::fstat(descriptor_, &here) == 0 && ::stat(path_.c_str(), &named) == 0 && here.st_dev == named.st_dev &&
         here.st_ino == named.st_ino;
}

}  // namespace symbolon::audit::internal
