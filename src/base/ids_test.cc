#include "base/ids.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

namespace symbolon {
namespace {

class CountingRandom final : public Random {
 public:
  Bytes Octets(std::size_t count) override {
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<char>(next_++));
    return out;
  }

 private:
  unsigned char next_ = 0;
};

TEST(Ids, PoolIdKeepsItsRegionAndMatchesTheApisPattern) {
  CountingRandom random;
  const PoolId pool = NewPoolId(Region("eu-central-1"), random);
  EXPECT_TRUE(std::regex_match(pool.value(), std::regex("[\\w-]+_[0-9a-zA-Z]+"))) << pool.value();
  EXPECT_EQ(BirthRegion(pool), Region("eu-central-1"));
  EXPECT_EQ(PoolName(pool).size(), 9u);
}

TEST(Ids, PoolIdsAreTold) {
  for (const char* id : {"eu-central-1_AbC123xyz", "a_b", "__1", "eu_west_1"}) EXPECT_TRUE(IsPoolId(id)) << id;
  for (const char* id : {"", "_", "_a", "a_", "ab", "eu-1_a-b", "eu/1_a", "a_b/", "../_a", "eu_\xc3\xa4"})
    EXPECT_FALSE(IsPoolId(id)) << id;
  EXPECT_FALSE(IsPoolId(std::string("a_b\0", 4)));
  EXPECT_TRUE(IsPoolId("a_" + std::string(53, 'b')));
  EXPECT_FALSE(IsPoolId("a_" + std::string(54, 'b')));
}

TEST(Ids, UuidHasVersionAndVariant) {
  CountingRandom random;
  EXPECT_EQ(NewUuid(random), "00010203-0405-4607-8809-0a0b0c0d0e0f");
}

TEST(Ids, SerialUuidsAreDistinctUuids) {
  CountingRandom random;
  SerialUuids ids(random);
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = ids.Next();
    EXPECT_TRUE(std::regex_match(id, uuid)) << id;
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1'000u);
  SerialUuids others(random);
  EXPECT_FALSE(seen.contains(others.Next()));
}

TEST(Ids, RandomTextIsUniformOverItsAlphabet) {
  CountingRandom random;
  std::map<char, int> seen;
  // 252 of every 256 octets are usable with 36 characters: seven of each.
  for (char c : RandomText(random, 252, kLowerAlphanumeric)) ++seen[c];
  ASSERT_EQ(seen.size(), 36u);
  for (const auto& [character, count] : seen) EXPECT_EQ(count, 7) << character;
}

}  // namespace
}  // namespace symbolon
