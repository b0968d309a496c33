#include "replication/digest_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "crypto/hash.h"

namespace symbolon::replication {
namespace {

using Records = std::map<Bytes, Bytes>;

TreeLeaves TreeOf(const Records& records, int leaf_bits) {
  DigestTreeBuilder builder(leaf_bits);
  for (const auto& [key, value] : records) builder.Add(key, crypto::Sha256(value));
  EXPECT_EQ(builder.record_count(), records.size());
  return builder.Finish();
}

bool Lies(const KeySpan& span, const Bytes& key) {
  return key > span.after && (span.through.empty() || key <= span.through);
}

// Compared one by one.
std::vector<Bytes> DifferingKeys(const Records& a, const Records& b) {
  std::vector<Bytes> keys;
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other == b.end() || other->second != value) keys.push_back(key);
  }
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) keys.push_back(key);
  }
  return keys;
}

Records SomeRecords(std::mt19937& random, std::size_t count) {
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    records[crypto::Sha256(std::to_string(random())).substr(0, 1 + random() % 9)] = std::to_string(random() % 4);
  }
  return records;
}

void Change(std::mt19937& random, Records& records) {
  const auto at = [&] { return std::next(records.begin(), static_cast<std::ptrdiff_t>(random() % records.size())); };
  switch (random() % 3) {
    case 0:
      records[crypto::Sha256(std::to_string(random())).substr(0, 1 + random() % 9)] = "added";
      break;
    case 1:
      if (!records.empty()) records.erase(at());
      break;
    default:
      if (!records.empty()) at()->second += "changed";
      break;
  }
}

TEST(DigestTreeTest, NoRecords_OneLeafThatReachesToTheEnd) {
  const TreeLeaves empty = TreeOf({}, 3);
  ASSERT_EQ(empty.size(), 1u);
  EXPECT_EQ(empty[0].last_key, "");
  EXPECT_EQ(empty[0].records, 0u);
  EXPECT_TRUE(WellFormed(empty));
  const std::vector<KeySpan> everything{{"", ""}};
  EXPECT_EQ(DifferingSpans(empty, TreeOf({{"k", "v"}}, 3)), everything);
  EXPECT_TRUE(DifferingSpans(empty, empty).empty());
}

TEST(DigestTreeTest, EachRecordALeaf_SpansNameTheRecordsThatDiffer) {
  const Records a{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
  Records b = a;
  b["b"] = "other";
  const std::vector<KeySpan> second{{"a", "b"}};
  EXPECT_EQ(DifferingSpans(TreeOf(a, 0), TreeOf(b, 0)), second);
  b["c"] = "other";
  const std::vector<KeySpan> both{{"a", "c"}};
  EXPECT_EQ(DifferingSpans(TreeOf(a, 0), TreeOf(b, 0)), both);
}

TEST(DigestTreeTest, RecordsThatMoveBetweenKeyAndValue_AreNotTheSame) {
  EXPECT_NE(TreeRoot(TreeOf({{"ab", "c"}}, 3)), TreeRoot(TreeOf({{"a", "bc"}}, 3)));
  EXPECT_NE(TreeRoot(TreeOf({{"a", "1"}, {"b", "2"}}, 3)), TreeRoot(TreeOf({{"a", "2"}, {"b", "1"}}, 3)));
}

// Whatever is changed, the roots tell whether anything was, and the spans hold all of it and, where leaves are small
// beside the whole, not much more.
TEST(DigestTreeTest, RecordsChangedAtRandom_SpansHoldExactlyTheLeavesAround) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Records a = SomeRecords(random, random() % 400);
    Records b = a;
    for (std::size_t changes = random() % 6; changes > 0; --changes) Change(random, b);
    const int leaf_bits = static_cast<int>(random() % 7);
    const TreeLeaves tree_a = TreeOf(a, leaf_bits);
    const TreeLeaves tree_b = TreeOf(b, leaf_bits);
    ASSERT_TRUE(WellFormed(tree_a) && WellFormed(tree_b));
    const std::vector<Bytes> differing = DifferingKeys(a, b);
    EXPECT_EQ(TreeRoot(tree_a) == TreeRoot(tree_b), differing.empty());
    const std::vector<KeySpan> spans = DifferingSpans(tree_a, tree_b);
    EXPECT_EQ(spans, DifferingSpans(tree_b, tree_a));
    for (const Bytes& key : differing) {
      EXPECT_EQ(std::ranges::count_if(spans, [&](const KeySpan& span) { return Lies(span, key); }), 1);
    }
    for (const KeySpan& span : spans) {
      EXPECT_TRUE(std::ranges::any_of(differing, [&](const Bytes& key) { return Lies(span, key); }));
    }
    EXPECT_LE(spans.size(), differing.size());
  }
}

TEST(DigestTreeTest, SpansJoined_HoldWhatEitherHeld) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Records base = SomeRecords(random, 100);
    std::vector<std::vector<KeySpan>> parts;
    for (int part = 0; part < 2; ++part) {
      Records other = base;
      for (std::size_t changes = random() % 5; changes > 0; --changes) Change(random, other);
      parts.push_back(DifferingSpans(TreeOf(base, 2), TreeOf(other, 2)));
    }
    const std::vector<KeySpan> joined = JoinSpans(parts[0], parts[1]);
    const auto lies_in = [](const std::vector<KeySpan>& spans, const Bytes& key) {
      return std::ranges::count_if(spans, [&](const KeySpan& span) { return Lies(span, key); });
    };
    for (int octet = 0; octet < 256; ++octet) {
      const Bytes key(2, static_cast<char>(octet));
      EXPECT_EQ(lies_in(joined, key), std::max(lies_in(parts[0], key), lies_in(parts[1], key)));
    }
  }
}

TEST(DigestTreeTest, LeavesThatNoBuilderMakes_AreNotWellFormed) {
  const Bytes digest(32, 'd');
  EXPECT_FALSE(WellFormed({}));
  EXPECT_FALSE(WellFormed({{"a", 1, digest}}));
  EXPECT_FALSE(WellFormed({{"b", 1, digest}, {"a", 1, digest}, {"", 0, digest}}));
  EXPECT_FALSE(WellFormed({{"a", 1, digest}, {"a", 1, digest}, {"", 0, digest}}));
  EXPECT_FALSE(WellFormed({{"", 1, digest}, {"", 0, digest}}));
  EXPECT_FALSE(WellFormed({{"", 1, "short"}}));
}

TEST(DigestTreeTest, LeavesOfLargeDirectories_AreAboutAsManyAsWanted) {
  EXPECT_EQ(LeafBitsFor(0), 0);
  EXPECT_EQ(LeafBitsFor(kTreeLeavesWanted), 0);
  EXPECT_EQ(LeafBitsFor(kTreeLeavesWanted + 1), 1);
  EXPECT_EQ(LeafBitsFor(2 * kTreeLeavesWanted), 1);
  EXPECT_EQ(LeafBitsFor(6'000'000), 11);
}

}  // namespace
}  // namespace symbolon::replication
