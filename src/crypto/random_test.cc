#include "crypto/random.h"

#include <gtest/gtest.h>

#include <set>

namespace symbolon::crypto {
namespace {

TEST(SystemRandomTest, GivesTheLengthAskedForAndDoesNotRepeat) {
  EXPECT_EQ(SystemRandom().Octets(0).size(), 0u);
  std::set<Bytes> seen;
  for (int i = 0; i < 1000; ++i) {
    const Bytes octets = SystemRandom().Octets(24);
    EXPECT_EQ(octets.size(), 24u);
    EXPECT_TRUE(seen.insert(octets).second);
  }
}

}  // namespace
}  // namespace symbolon::crypto
