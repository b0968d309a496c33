// Private to this module: where a trail ends that an earlier process wrote.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "audit/error.h"
#include "audit/line.h"
#include "audit/reader.h"

namespace symbolon::audit::internal {

// The last file of a trail, as far as its lines follow each other.
struct TrailEnd {
  FileHeader header;
  ChainEnd end;
  // Where the last good line ends, and what is behind it.
  std::uint64_t size_bytes = 0;
  Bytes torn;
  // Since the last checkpoint.
  std::uint64_t unsigned_lines = 0;
};

// nullopt: there is no trail yet. A last file without a good line is kept under another name. Fails when the newest
// checkpoint that is kept beside the trail, or in `outside_file` (empty: none), is not in it.
AuditResult<std::optional<TrailEnd>> FindTrailEnd(const std::filesystem::path& directory, BytesView public_key,
                                                  const std::filesystem::path& outside_file);

}  // namespace symbolon::audit::internal
