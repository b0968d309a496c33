#include "crypto/random.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

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

TEST(SystemRandomTest, NothingIsGivenTwiceWhateverTheLengths) {
  std::set<Bytes> seen;
  for (int i = 0; i < 4000; ++i) {
    const Bytes octets = SystemRandom().Octets(static_cast<std::size_t>(8 + i % 120));
    EXPECT_TRUE(seen.insert(octets.substr(0, 8)).second);
    EXPECT_TRUE(octets.size() < 16 || seen.insert(octets.substr(octets.size() - 8)).second);
  }
}

TEST(SystemRandomTest, ThreadsGetOctetsOfTheirOwn) {
  std::mutex mutex;
  std::set<Bytes> seen;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const Bytes octets = SystemRandom().Octets(16);
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.insert(octets).second);
      }
    });
  }
}

}  // namespace
}  // namespace symbolon::crypto
