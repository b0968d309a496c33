// Which keys changed lately, and at which version: what the committer validates read sets against.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "storage/store.h"

namespace symbolon::storage {

// Keys are keys::Window(...). Not thread-safe.
class RecentWrites {
 public:
  // Remembers about the last `keys_max` changes; nothing from before `version` is known.
  RecentWrites(std::size_t keys_max, std::uint64_t version) : keys_max_(keys_max), floor_(version) {}

  // Versions never fall.
  void Add(Bytes window_key, std::uint64_t version);
  // Every key may have changed at this version.
  void AddEverything(std::uint64_t version);

  // Whether something that `commit` read has changed since its snapshot, or might have. Range reads take as long as
  // there are changes since then.
  bool Conflicts(const Commit& commit) const;

 private:
  using Newest = std::unordered_map<Bytes, std::uint64_t>;

  bool RangeChangedSince(const Bytes& prefix, std::uint64_t version) const;

  const std::size_t keys_max_;
  // Of snapshots below this version nothing is known.
  std::uint64_t floor_;
  Newest newest_;
  // In the order of their versions. A key that changed again stands here again; its node lives until its newest goes.
  std::deque<std::pair<std::uint64_t, const Newest::value_type*>> order_;
};

}  // namespace symbolon::storage
