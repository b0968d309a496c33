#include "storage/packed_records.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace symbolon::storage {
namespace {

using Pairs = std::vector<std::pair<Bytes, Bytes>>;

Pairs Unpacked(const PackedRecords& packed) {
  Pairs pairs;
  for (const RecordView& record : packed) pairs.emplace_back(record.id, record.value);
  return pairs;
}

PackedRecords Packed(const Pairs& pairs) {
  PackedRecords packed;
  for (const auto& [id, value] : pairs) packed.Add(id, value);
  return packed;
}

TEST(PackedRecords, WhatWasPackedComesOutInOrderHereAndElsewhere) {
  const Pairs pairs = {{"a", "1"}, {"", ""}, {"b", ""}, {Bytes("\0c", 2), Bytes(70'000, 'v')}};
  PackedRecords packed = Packed(pairs);
  EXPECT_EQ(Unpacked(packed), pairs);
  EXPECT_EQ(packed.count(), 4u);
  EXPECT_EQ(packed.size_bytes(), 1u + 1 + 1 + 2 + 70'000);
  EXPECT_EQ(packed.last_id(), BytesView("\0c", 2));

  const auto elsewhere = PackedRecords::Parse(packed.octets());
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(Unpacked(*elsewhere), pairs);
  EXPECT_EQ(elsewhere->count(), packed.count());
  EXPECT_EQ(elsewhere->size_bytes(), packed.size_bytes());
  EXPECT_EQ(elsewhere->last_id(), packed.last_id());

  (void)std::move(packed).TakeOctets();
  EXPECT_TRUE(packed.empty());
  EXPECT_EQ(Unpacked(packed), Pairs());
}

TEST(PackedRecords, NothingIsAPackOfNoRecords) {
  const auto packed = PackedRecords::Parse("");
  ASSERT_TRUE(packed);
  EXPECT_TRUE(packed->empty());
  EXPECT_EQ(Unpacked(*packed), Pairs());
}

TEST(PackedRecords, WhatIsCutAnywhereInARecordOrNamesMoreThanThereIsIsNone) {
  const Bytes octets = Packed({{"key", "value"}}).octets();
  for (std::size_t length = 1; length < octets.size(); ++length) {
    EXPECT_FALSE(PackedRecords::Parse(octets.substr(0, length))) << length;
  }
  EXPECT_FALSE(PackedRecords::Parse(octets + '\0'));
  Bytes longer = octets;
  longer[0] = '\xff';
  EXPECT_FALSE(PackedRecords::Parse(longer));
}

}  // namespace
}  // namespace symbolon::storage
