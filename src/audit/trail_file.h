// Private to this module: the file that a trail grows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "audit/error.h"
#include "base/bytes.h"

namespace symbolon::audit::internal {

// Whether the folder's disk takes lines: writes kRoomBytes to a file "room" there and takes them back. Syncs nothing,
// so it costs next to nothing, and notices a disk that is full, read-only or gone, but not one that fails when it
// syncs.
AuditResult<void> CheckRoom(const std::filesystem::path& directory);
inline constexpr std::size_t kRoomBytes = 64 << 10;

// Not thread-safe.
class TrailFile {
 public:
  // An empty one, in place of what is there under that name; its folder is synced. Mode 0600.
  static AuditResult<TrailFile> Create(const std::filesystem::path& path);
  // Its first octets; what is behind them is cut off.
  static AuditResult<TrailFile> Continue(const std::filesystem::path& path, std::uint64_t size_bytes);

  TrailFile(TrailFile&& other) noexcept
      : path_(std::move(other.path_)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        size_bytes_(other.size_bytes_) {}
  TrailFile& operator=(TrailFile&& other) noexcept;
  ~TrailFile();

  // Written and synced when it succeeds; otherwise the file may hold any part of it.
  AuditResult<void> Append(BytesView octets);
  // Whether its name still names it: nobody removed or replaced it.
  bool IsInPlace() const;

  const std::filesystem::path& path() const { return path_; }
  // Of what is durable.
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  TrailFile(std::filesystem::path path, int descriptor, std::uint64_t size_bytes)
      : path_(std::move(path)), descriptor_(descriptor), size_bytes_(size_bytes) {}

  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_bytes_;
};

}  // namespace symbolon::audit::internal
