// For tests: what stands in this process's memory.
#pragma once

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"

namespace symbolon {

inline constexpr char kMask = 0x5a;

inline Bytes Masked(BytesView octets) {
  Bytes masked(octets);
  for (char& octet : masked) octet ^= kMask;
  return masked;
}

// How often the masked octets' originals stand in writable memory. Compares octet by octet, so as to make no copy.
inline std::size_t Occurrences(const std::vector<Bytes>& masked) {
  std::ifstream maps("/proc/self/maps");
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  std::size_t found = 0;
  std::string line;
  std::vector<char> window(1 << 20);
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, permissions) != 3) continue;
    if (std::string_view(permissions).substr(0, 2) != "rw") continue;
    for (unsigned long at = begin; at < end; at += window.size() - 64) {
      const std::size_t size = std::min<std::size_t>(window.size(), end - at);
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(at));
      memory.read(window.data(), static_cast<std::streamsize>(size));
      const auto count = static_cast<std::size_t>(memory.gcount());
      for (std::size_t i = 0; i + 32 <= count; ++i) {
        for (const Bytes& key : masked) {
          std::size_t same = 0;
          while (same < key.size() && static_cast<char>(window[i + same] ^ kMask) == key[same]) ++same;
          found += same == key.size();
        }
      }
      // This window is itself in memory, and the one that is read may be it.
      Wipe(window.data(), window.size());
    }
  }
  return found;
}

}  // namespace symbolon
