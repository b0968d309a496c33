// What was set aside opens by the keys that came with it, as long as the customer's key does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::StartsWith;

class SuffixesTest : public testing::Test {
 protected:
  // A suffix that begins with a data key which the history that survived never had.
  SuffixesTest() {
    pool_ = here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key_}}}});
    CreateUser("ann");
    const auto head = here_.store().store().MakeSnapshot()->Head(pool_);
    there_.CopyPool(here_, pool_);
    EXPECT_EQ(here_.Call("SymbolonService.RotateUserPoolKey", {{"UserPoolId", pool_.value()}}).error(), "");
    CreateUser("bob");
    EXPECT_TRUE(here_.suffixes().Keep(here_.store().store(), pool_, (*head)->sequence()));
    here_.CopyPool(there_, pool_);
  }
  void CreateUser(const char* name) {
    EXPECT_EQ(
        here_
            .Call("AdminCreateUser", {{"UserPoolId", pool_.value()}, {"Username", name}, {"MessageAction", "SUPPRESS"}})
            .error(),
        "");
  }
  ApiRegion::Answer List() {
    return here_.Call("SymbolonService.ListReplicationSuffixes", {{"UserPoolId", pool_.value()}});
  }
  ApiRegion::Answer Describe(object more = {}) {
    more["UserPoolId"] = pool_.value();
    more["Name"] = here_.suffixes().List()->at(0).name;
    return here_.Call("SymbolonService.DescribeReplicationSuffix", more);
  }
  // How many of the sealed records open, and how many do not.
  std::pair<int, int> Opens() {
    std::pair<int, int> counts;
    const auto shown = Describe({{"IncludeValues", true}});
    EXPECT_EQ(shown.error(), "");
    for (const auto& change : shown.at("/Changes").as_array()) {
      const auto* opens = change.as_object().if_contains("Opens");
      if (opens == nullptr) continue;
      EXPECT_EQ(change.as_object().contains("Value"), opens->as_bool());
      ++(opens->as_bool() ? counts.first : counts.second);
    }
    EXPECT_GT(counts.first + counts.second, 0);
    return counts;
  }

  ManualClock clock_;
  ApiRegion here_{"eu-central-1", clock_}, there_{"us-east-1", clock_};
  const std::string key_ = here_.CreateSharedKey(there_);
  PoolId pool_;
};

TEST_F(SuffixesTest, OpensByItsOwnKeysWhatThePoolsDoNot) {
  const auto pools = here_.keyring().KeysOf(*here_.store().store().MakeSnapshot(), pool_);
  ASSERT_TRUE(pools) << "the pool itself is as it was before";
  EXPECT_EQ(Opens().second, 0);
}

TEST_F(SuffixesTest, ComesPageByPage) {
  const auto all = Describe().at("/Changes").as_array();
  boost::json::array pages;
  for (object request{{"MaxResults", 2}};;) {
    const auto page = Describe(request);
    for (const auto& change : page.at("/Changes").as_array()) pages.push_back(change);
    if (!page.at("/Next").is_number()) break;
    request["First"] = page.at("/Next");
  }
  EXPECT_EQ(pages, all);
}

TEST_F(SuffixesTest, PoolThatIsGoneFromHereLeavesItOpen) {
  ASSERT_TRUE(here_.store().store().DropPool(pool_));
  EXPECT_EQ(List().at("/Suffixes").as_array().size(), 1u);
  EXPECT_EQ(Opens().second, 0);
  ASSERT_TRUE(here_.key_service().DisableKey(key_));
  EXPECT_EQ(Opens().first, 0) << "under the customer's key still";
  EXPECT_TRUE(here_.suffixes().RemoveAllOf(pool_));
  EXPECT_THAT(List().error(), StartsWith("ResourceNotFoundException: "));
}

}  // namespace
}  // namespace symbolon::cognito
