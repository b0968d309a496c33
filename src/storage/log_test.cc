#include "storage/log.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "storage/plausible_epochs.h"
#include "storage/store.h"

namespace symbolon::storage {
namespace {

pb::Epoch MakeEpoch(std::uint64_t counter, const std::string& region, const Bytes& incarnation) {
  pb::Epoch epoch;
  epoch.set_counter(counter);
  epoch.set_region(region);
  epoch.set_incarnation(incarnation);
  return epoch;
}

Bytes Incarnation() {
  Bytes incarnation;
  for (char octet = 0; octet < 16; ++octet) incarnation.push_back(octet);
  return incarnation;
}

pb::LogEntry FirstEntry() {
  pb::LogEntry entry;
  *entry.mutable_epoch() = MakeEpoch(1, "eu-central-1", Incarnation());
  entry.set_sequence(1);
  entry.set_previous_digest(ZeroDigest());
  entry.set_commit_time_micros(1'700'000'000'000'001);
  entry.set_starts_epoch(true);
  pb::LogChange* put = entry.add_changes();
  put->set_key(Bytes("\0\1user", 6));
  put->set_value_digest(ValueDigest("sealed"));
  put->set_value("sealed");
  pb::LogChange* deletion = entry.add_changes();
  deletion->set_key(Bytes("\0\2gone", 6));
  deletion->set_deleted(true);
  return entry;
}

TEST(EntryDigest, IsOverTheDocumentedOctets) {  // computed independently, with hashlib
  EXPECT_EQ(HexEncode(ValueDigest("sealed")), "c9d0036bed6744bcdf692fc980d8717d7e5f5a4f4e8266b4a84982602fb1cd09");
  const pb::LogEntry first = FirstEntry();
  EXPECT_EQ(HexEncode(EntryDigest(first)), "219f9211101964d2fb28650a56a916448bbe43e6d1d13da798bdda0c04c0efbb");

  pb::LogEntry second;
  *second.mutable_epoch() = first.epoch();
  second.set_sequence(2);
  second.set_previous_digest(EntryDigest(first));
  second.set_commit_time_micros(-5);
  EXPECT_EQ(HexEncode(EntryDigest(second)), "842785110b74f23ccd995bb74390ad1a21950633120009e8cfa8e440e79cbe12");
}

TEST(EntryDigest, DoesNotDependOnBodiesSoThatTheyCanBeErased) {
  pb::LogEntry entry = FirstEntry();
  const Bytes before = EntryDigest(entry);
  entry.mutable_changes(0)->clear_value();
  EXPECT_EQ(EntryDigest(entry), before);
}

TEST(EntryDigest, DependsOnEveryOtherField) {
  const Bytes original = EntryDigest(FirstEntry());
  const std::vector<void (*)(pb::LogEntry&)> edits = {
      [](pb::LogEntry& e) { e.mutable_epoch()->set_counter(2); },
      [](pb::LogEntry& e) { e.mutable_epoch()->set_region("eu-central-2"); },
      [](pb::LogEntry& e) { e.mutable_epoch()->set_incarnation("x"); },
      [](pb::LogEntry& e) { e.set_sequence(2); },
      [](pb::LogEntry& e) { e.set_previous_digest(ValueDigest("")); },
      [](pb::LogEntry& e) { e.set_commit_time_micros(0); },
      [](pb::LogEntry& e) { e.set_starts_epoch(false); },
      [](pb::LogEntry& e) { e.mutable_changes(0)->set_key("other"); },
      [](pb::LogEntry& e) { e.mutable_changes(0)->set_value_digest(ValueDigest("other")); },
      [](pb::LogEntry& e) { e.mutable_changes(1)->set_deleted(false); },
      [](pb::LogEntry& e) { e.mutable_changes()->SwapElements(0, 1); },
      [](pb::LogEntry& e) { e.mutable_changes()->RemoveLast(); },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    pb::LogEntry entry = FirstEntry();
    edits[i](entry);
    EXPECT_NE(EntryDigest(entry), original) << "edit " << i;
  }
}

TEST(CompareEpochs, OrdersByCounterThenRegionThenIncarnation) {
  const std::vector<pb::Epoch> ascending = {MakeEpoch(1, "b", "b"), MakeEpoch(2, "a", "b"), MakeEpoch(2, "b", "a"),
                                            MakeEpoch(2, "b", "b"), MakeEpoch(256, "a", "a")};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      const int order = CompareEpochs(ascending[i], ascending[j]);
      EXPECT_EQ(order < 0, i < j) << i << " " << j;
      EXPECT_EQ(order == 0, i == j) << i << " " << j;
      EXPECT_EQ(SameEpoch(ascending[i], ascending[j]), i == j);
    }
  }
}

TEST(IsPlausible, NoEpochIsFarAboveWhatIsKnownNorHasLongerNamesThanStores) {
  pb::Epoch epoch;
  epoch.set_region("eu-central-1");
  epoch.set_incarnation("i");
  epoch.set_counter(7 + kEpochLeapMax);
  EXPECT_TRUE(IsPlausible(epoch, 7));
  EXPECT_FALSE(IsPlausible(epoch, 6));
  EXPECT_TRUE(IsPlausible(epoch, ~std::uint64_t{0})) << "nor is there an overflow";
  epoch.set_counter(~std::uint64_t{0});
  EXPECT_FALSE(IsPlausible(epoch, 7));
  EXPECT_TRUE(IsPlausible(epoch, ~std::uint64_t{0} - 1));
  epoch.set_counter(1);
  epoch.set_incarnation(Bytes(kNameBytesMax + 1, 'i'));
  EXPECT_FALSE(IsPlausible(epoch, 1));
  epoch.set_incarnation("i");
  epoch.set_region(std::string(kNameBytesMax + 1, 'r'));
  EXPECT_FALSE(IsPlausible(epoch, 1));
  EXPECT_TRUE(IsPlausible(pb::Epoch(), 0)) << "none";
}

TEST(ComparePositions, OrdersByEpochThenSequence) {
  pb::Position early;
  *early.mutable_epoch() = MakeEpoch(1, "a", "a");
  early.set_sequence(9);
  pb::Position late;
  *late.mutable_epoch() = MakeEpoch(2, "a", "a");
  late.set_sequence(3);
  EXPECT_LT(ComparePositions(early, late), 0);
  early.set_sequence(3);
  *early.mutable_epoch() = late.epoch();
  EXPECT_EQ(ComparePositions(early, late), 0);
  early.set_sequence(4);
  EXPECT_GT(ComparePositions(early, late), 0);
}

pb::FactValue RandomFact(std::mt19937& random) {
  pb::FactValue fact;
  fact.set_maximum(random() % 5);
  for (const char* region : {"a", "b", "c"}) {
    if (random() % 2) (*fact.mutable_region_maximum())[region] = random() % 5;
  }
  for (unsigned count = random() % 4; count > 0; --count)
    fact.add_elements(std::string(1, static_cast<char>('a' + random() % 4)));
  for (unsigned count = random() % 3; count > 0; --count) {
    fact.add_removed_elements(std::string(1, static_cast<char>('a' + random() % 4)));
  }
  fact.set_expires_at_micros(static_cast<std::int64_t>(random() % 3));
  return fact;
}

pb::FactValue Join(pb::FactValue a, const pb::FactValue& b) {
  JoinFact(a, b);
  return a;
}

// Maps have no order of serialisation, so equality is by text, where protobuf sorts them.
std::string Text(const pb::FactValue& fact) { return fact.DebugString(); }

TEST(JoinFact, IsASemilattice) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const pb::FactValue a = RandomFact(random), b = RandomFact(random), c = RandomFact(random);
    EXPECT_EQ(Text(Join(a, b)), Text(Join(b, a)));
    EXPECT_EQ(Text(Join(Join(a, b), c)), Text(Join(a, Join(b, c))));
    const pb::FactValue joined = Join(a, b);
    EXPECT_EQ(Text(Join(joined, joined)), Text(joined));
    EXPECT_EQ(Text(Join(joined, a)), Text(joined));
    EXPECT_EQ(Text(Join(joined, pb::FactValue())), Text(joined));
  }
}

TEST(JoinFact, TakesMaximaAndSortedUnions) {
  pb::FactValue a, b;
  a.set_maximum(3);
  b.set_maximum(2);
  (*a.mutable_region_maximum())["eu"] = 1;
  (*b.mutable_region_maximum())["eu"] = 4;
  (*b.mutable_region_maximum())["us"] = 2;
  a.add_elements("z");
  b.add_elements("a");
  b.add_elements("z");
  b.add_removed_elements("z");
  b.set_expires_at_micros(7);
  JoinFact(a, b);
  EXPECT_EQ(a.maximum(), 3u);
  EXPECT_EQ(a.region_maximum().at("eu"), 4u);
  EXPECT_EQ(a.region_maximum().at("us"), 2u);
  ASSERT_EQ(a.elements_size(), 2);
  EXPECT_EQ(a.elements(0), "a");
  EXPECT_EQ(a.elements(1), "z");
  ASSERT_EQ(a.removed_elements_size(), 1);
  EXPECT_EQ(a.expires_at_micros(), 7);
}

}  // namespace
}  // namespace symbolon::storage
