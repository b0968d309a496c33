// Files of the lab: written whole or not at all, readable by their owner only.
// Thread-safe; errors name the file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cli/failure.h"

namespace symbolon::cli {

// Replaces `path` in one step; mode 0600.
CliResult<void> WriteFile(const std::filesystem::path& path, std::string_view content);
CliResult<std::string> ReadFile(const std::filesystem::path& path);
// Makes `path` and what is missing above it; mode 0700 for new folders.
CliResult<void> MakeFolder(const std::filesystem::path& path);
// At most `lines` last lines of a text file; "" when it cannot be read.
std::string LastLines(const std::filesystem::path& path, std::size_t lines);

}  // namespace symbolon::cli
