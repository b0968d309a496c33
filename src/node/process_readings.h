// What the kernel says about this process (proc(5)).
#pragma once

#include <cstdint>
#include <optional>

namespace symbolon::node {

struct ProcessReadings {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_file_descriptors = 0;
};

// nullopt where /proc cannot be read. Thread-safe.
std::optional<ProcessReadings> ReadProcess();

}  // namespace symbolon::node
