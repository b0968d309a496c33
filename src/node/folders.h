// Where a node keeps what outlives it, beside the store.
#pragma once

#include <filesystem>
#include <string_view>

#include "node/config.h"

namespace symbolon::node {

inline std::filesystem::path FolderOf(const Config& config, std::string_view name) {
  return (config.data_dir.empty() ? config.keys.root_key_file.parent_path() : config.data_dir) / name;
}

// There from --restored to the next start, which notes it in the audit trail.
inline std::filesystem::path RestoredNoteOf(const Config& config) { return FolderOf(config, "restored"); }

}  // namespace symbolon::node
