#include "auth/scopes.h"

#include <gtest/gtest.h>

namespace symbolon::auth {
namespace {

TEST(ScopesTest, ScopesSayWhatAnIdTokenShows) {
  EXPECT_TRUE(ScopeShows("", "email")) << "the API's";
  EXPECT_TRUE(ScopeShows("openid", "custom:tenant"));
  EXPECT_TRUE(ScopeShows("openid email", "email_verified"));
  EXPECT_FALSE(ScopeShows("openid email", "phone_number"));
  EXPECT_FALSE(ScopeShows("openid email", "name"));
  EXPECT_TRUE(ScopeShows("openid email", "identities"));
  EXPECT_TRUE(ScopeShows("openid phone profile", "custom:tenant"));
  EXPECT_FALSE(ScopeShows("openid phone profile", "email"));
}

TEST(ScopesTest, ScopesAreSplitAtSpaces) {
  EXPECT_EQ(SplitScopes("  a  b/c "), (std::vector<std::string>{"a", "b/c"}));
  EXPECT_EQ(JoinScopes({"a", "b/c"}), "a b/c");
  EXPECT_TRUE(HasScope("a openid", "openid"));
  EXPECT_FALSE(HasScope("a openid2", "openid"));
}

}  // namespace
}  // namespace symbolon::auth
