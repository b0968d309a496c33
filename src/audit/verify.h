// Whether an audit trail is whole and unaltered, found out from its files alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/line.h"

namespace symbolon::audit {

// How far a trail was, as another Region's trail has it.
struct Witness {
  std::string region;
  std::string chain;
  ChainEnd end;
  // Base64.
  std::string public_key;
};

struct VerifyOptions {
  // Whose signatures count; nullopt: those of the key that the trail itself names, which says less.
  std::optional<Bytes> public_key;
  // The trail's first files are kept elsewhere: it may begin later.
  bool earlier_files_elsewhere = false;
  // What others have seen of it; those of other trails are left out.
  std::vector<Witness> witnesses;
  // Where the newest checkpoint is kept outside the trail's folder; empty: nowhere. Need not be there.
  std::filesystem::path outside_file;
};

struct Verification {
  std::string chain;
  std::string region;
  Bytes public_key;
  std::uint64_t files = 0;
  std::uint64_t lines = 0;
  std::uint64_t events = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t first_sequence = 0;
  ChainEnd end;
  // Up to this line a signature covers the trail.
  std::uint64_t signed_sequence = 0;
  // What one should know, and what is wrong; at most kProblemsMax, the first ones.
  std::vector<std::string> notes;
  std::vector<std::string> problems;
  // What it says of other Regions' trails.
  std::vector<Witness> witnesses;

  bool good() const { return problems.empty(); }
  static constexpr std::size_t kProblemsMax = 100;
};

// Blocks; reads every line once, in time proportional to lines and witnesses. May run beside the process that writes
// the trail. Fails when it cannot be read at all.
AuditResult<Verification> VerifyTrail(const std::filesystem::path& directory, const VerifyOptions& options);

}  // namespace symbolon::audit
