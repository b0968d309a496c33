#include "node/issuers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/record_types.h"
#include "directory/test_store.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

using testing::HasSubstr;

const Region kHere("eu-central-1");
const Region kBirth("us-east-1");

class IssuersTest : public testing::Test {
 protected:
  void Store(const char* pool, const replication::pb::RoleRecord& role) {
    store_.Change(PoolId(pool), [&](directory::Transaction& tx) {
      tx.PutClear(directory::RecordType::kRole, "", replication::SerializeRole(role));
    });
  }
  std::string Problem() {
    const auto checked = CheckIssuers(store_.store(), settings_);
    return checked ? "" : checked.error().message;
  }

  ManualClock clock_;
  directory::TestStore store_{kHere.value(), clock_};
  directory::RegionSettings settings_{.region = kHere,
                                      .account = "000000000000",
                                      .public_urls = {{kHere, "https://eu.example.com"}},
                                      .neutral_url = "https://id.example.com"};
};

TEST_F(IssuersTest, PoolOfARegionThatIsNotNamed_IsRefusedWithWhatToAdd) {
  Store("eu-central-1_Here00001", replication::NewRoleRecord(kHere));
  EXPECT_EQ(Problem(), "");
  Store("us-east-1_Born00001", replication::NewRoleRecord(kHere));
  EXPECT_THAT(Problem(), HasSubstr("us-east-1_Born00001 was made in Region us-east-1"));
  EXPECT_THAT(Problem(), HasSubstr("[[regions]]\nname = \"us-east-1\"\npublic_url = "));
  settings_.public_urls[kBirth] = "https://us.example.com";
  settings_.gone = {kBirth};
  EXPECT_EQ(Problem(), "");
}

TEST_F(IssuersTest, DeletedPoolHasNoTokens) {
  Store("us-east-1_Born00001", replication::MarkDeleted(replication::NewRoleRecord(kHere)));
  EXPECT_EQ(Problem(), "");
}

}  // namespace
}  // namespace symbolon::node
