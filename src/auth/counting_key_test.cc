#include "auth/counting_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "auth/test_user.h"

namespace symbolon::auth {
namespace {

class CountingKeyTest : public testing::Test {
 protected:
  CountingKeyTest() { MakeTestPool(region_); }
  Bytes KeyOf(const std::string& name) {
    return region_.See([&](const Context& context) {
      return CountingKey(context.tx, directory::FindUser(context.tx, context.pool, name), context.pool, name);
    });
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
};

TEST_F(CountingKeyTest, UserHasTheirOwnByWhateverName) {
  const Bytes own = TestUser(region_).key;
  EXPECT_EQ(KeyOf(std::string(kTestUsername)), own);
  EXPECT_EQ(KeyOf(std::string(kTestSub)), own);
}

TEST_F(CountingKeyTest, NobodysLooksLikeAUsersAndStays) {
  EXPECT_EQ(KeyOf("nobody").size(), directory::kUserKeyBytes);
  EXPECT_EQ(KeyOf("nobody"), KeyOf("nobody"));
  EXPECT_NE(KeyOf("nobody"), KeyOf("somebody else"));
  EXPECT_NE(KeyOf("nobody"), region_.See([&](const Context& context) {
    return directory::UserKeyOf(context.tx, context.pool, "nobody");
  }));
}

TEST_F(CountingKeyTest, NamesMadeUpByTheHundredThousandShareABoundedNumber) {
  constexpr std::size_t kNames = 2 * kNobodies;
  std::set<Bytes> keys;
  region_.See([&](const Context& context) {
    for (std::size_t i = 0; i < kNames; ++i) {
      keys.insert(CountingKey(context.tx, std::nullopt, context.pool, "made up " + std::to_string(i)));
    }
    return 0;
  });
  EXPECT_LE(keys.size(), kNobodies);
  EXPECT_GT(keys.size(), kNobodies / 2) << "and are spread over all of it";
}

}  // namespace
}  // namespace symbolon::auth
