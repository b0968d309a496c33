#include "replication/digest_tree.h"

#include <algorithm>
#include <utility>

#include "base/result.h"
#include "crypto/hash.h"

namespace symbolon::replication {
namespace {

Bytes EmptyDigest() { return Bytes(crypto::kSha256Bytes, '\0'); }

Bytes SizeOf(BytesView text) {
  Bytes size;
  AppendBigEndian32(size, static_cast<std::uint32_t>(text.size()));
  return size;
}

// Of the ends of leaves and spans, where empty is after all others.
bool EndsBefore(BytesView a, BytesView b) { return !a.empty() && (b.empty() || a < b); }

}  // namespace

DigestTreeBuilder::DigestTreeBuilder(int leaf_bits)
    : leaf_bits_(leaf_bits), open_{.last_key = {}, .records = 0, .digest = EmptyDigest()} {
  SYMBOLON_CHECK(leaf_bits >= 0 && leaf_bits <= kLeafBitsMax);
}

void DigestTreeBuilder::Add(BytesView key, BytesView value_digest) {
  SYMBOLON_CHECK(!key.empty() && value_digest.size() == crypto::kSha256Bytes);
  open_.digest = crypto::Sha256({open_.digest, SizeOf(key), key, value_digest});
  ++open_.records;
  ++records_;
  const std::uint64_t hash = ReadBigEndian32(crypto::Sha256(key));
  if (hash >> (kLeafBitsMax - leaf_bits_) == 0) CloseLeaf(key);
}

void DigestTreeBuilder::CloseLeaf(BytesView last_key) {
  open_.last_key = last_key;
  leaves_.push_back(std::exchange(open_, TreeLeaf{.last_key = {}, .records = 0, .digest = EmptyDigest()}));
}

TreeLeaves DigestTreeBuilder::Finish() {
  CloseLeaf({});
  return std::move(leaves_);
}

int LeafBitsFor(std::uint64_t records) {
  int bits = 0;
  while (bits < DigestTreeBuilder::kLeafBitsMax && records >> bits > kTreeLeavesWanted) ++bits;
  return bits;
}

Bytes TreeRoot(const TreeLeaves& leaves) {
  crypto::Sha256Stream hash;
  hash.Update("symbolon directory 1");
  for (const TreeLeaf& leaf : leaves) {
    Bytes head = SizeOf(leaf.last_key) + leaf.last_key;
    AppendBigEndian64(head, leaf.records);
    hash.Update(head);
    hash.Update(leaf.digest);
  }
  return hash.Finish();
}

bool WellFormed(const TreeLeaves& leaves) {
  if (leaves.empty() || !leaves.back().last_key.empty()) return false;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].digest.size() != crypto::kSha256Bytes) return false;
    if (i > 0 && !EndsBefore(leaves[i - 1].last_key, leaves[i].last_key)) return false;
  }
  return true;
}

std::vector<KeySpan> DifferingSpans(const TreeLeaves& a, const TreeLeaves& b) {
  SYMBOLON_CHECK(WellFormed(a) && WellFormed(b));
  std::vector<KeySpan> spans;
  // The last end that both have.
  Bytes start;
  // Both leaves in hand begin after it.
  bool aligned = true;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].last_key != b[j].last_key) {
      aligned = false;
      ++(EndsBefore(a[i].last_key, b[j].last_key) ? i : j);
      continue;
    }
    if (!aligned || a[i].digest != b[j].digest || a[i].records != b[j].records) {
      if (!spans.empty() && spans.back().through == start) {
        spans.back().through = a[i].last_key;
      } else {
        spans.push_back({start, a[i].last_key});
      }
    }
    start = a[i].last_key;
    aligned = true;
    ++i;
    ++j;
  }
  return spans;
}

std::vector<KeySpan> JoinSpans(std::vector<KeySpan> a, const std::vector<KeySpan>& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::ranges::sort(a, {}, &KeySpan::after);
  std::vector<KeySpan> joined;
  for (KeySpan& span : a) {
    const bool apart = joined.empty() || (!joined.back().through.empty() && joined.back().through < span.after);
    if (apart) {
      joined.push_back(std::move(span));
    } else if (EndsBefore(joined.back().through, span.through)) {
      joined.back().through = std::move(span.through);
    }
  }
  return joined;
}

}  // namespace symbolon::replication
