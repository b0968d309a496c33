// A digest tree over the records of a directory, by which Regions find where their copies differ without sending them.
//
// Leaves are runs of records in key order. Where a run ends depends on nothing but the keys in it, so that Regions cut
// alike without agreeing first, and a record that one of them lacks moves no other leaf's bounds. Pure; not
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace symbolon::replication {

struct TreeLeaf {
  // Its last record's key; empty: the last leaf, which reaches to the end and may hold no record.
  Bytes last_key;
  std::uint64_t records = 0;
  Bytes digest;
  bool operator==(const TreeLeaf&) const = default;
};

// Never empty once made by a builder.
using TreeLeaves = std::vector<TreeLeaf>;

// A record ends its leaf when the first `leaf_bits` bits of the SHA-256 of its key are 0. With d the digest of the
// records before it in the leaf, 32 zero octets at first, a record makes it
// SHA-256(d ‖ size of the key(4) ‖ key ‖ value digest(32)).
class DigestTreeBuilder {
 public:
  static constexpr int kLeafBitsMax = 32;
  // 0 to kLeafBitsMax.
  explicit DigestTreeBuilder(int leaf_bits);

  // Keys ascend and are not empty; `value_digest` has 32 octets.
  void Add(BytesView key, BytesView value_digest);
  // Complete leaves so far, and their records with those of the one under way.
  std::size_t leaf_count() const { return leaves_.size(); }
  std::uint64_t record_count() const { return records_; }
  // Once, at the end.
  TreeLeaves Finish();

 private:
  void CloseLeaf(BytesView last_key);

  const int leaf_bits_;
  TreeLeaves leaves_;
  TreeLeaf open_;
  std::uint64_t records_ = 0;
};

// About so many leaves are made of `records` records, if there are so many.
inline constexpr std::uint64_t kTreeLeavesWanted = 4'096;
int LeafBitsFor(std::uint64_t records);

// SHA-256 over all leaves: "symbolon directory 1", then of each leaf the size of its last key(4), the key, the number
// of its records(8), its digest.
Bytes TreeRoot(const TreeLeaves& leaves);

// Whether a builder can have made them: keys ascend, the last one is empty, digests have 32 octets.
bool WellFormed(const TreeLeaves& leaves);

// The keys with after < key <= through; `through` empty: to the end.
struct KeySpan {
  Bytes after;
  Bytes through;
  bool operator==(const KeySpan&) const = default;
};

// Ascending, disjoint; every key whose record differs or is on one side only lies in one of them. Both must be well
// formed.
std::vector<KeySpan> DifferingSpans(const TreeLeaves& a, const TreeLeaves& b);
// The union of both, ascending and disjoint.
std::vector<KeySpan> JoinSpans(std::vector<KeySpan> a, const std::vector<KeySpan>& b);

}  // namespace symbolon::replication
