#include <gtest/gtest.h>

#include <set>

#include "cognito/test_operations.h"
#include "directory/users.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using operations::ListUsers;

class ListUsersTest : public OperationsTest {
 protected:
  void AddUser(const std::string& name, std::initializer_list<std::pair<const char*, const char*>> attributes = {}) {
    ASSERT_EQ(
        ErrorOf(operations::AdminCreateUser, AdminCreateUserRequest{.Username = name,
                                                                    .UserAttributes = Attributes(attributes),
                                                                    .MessageAction = MessageActionType::kSuppress}),
        "");
  }
  // Cheaper than AddUser: without a password.
  void AddMany(int count, const std::function<void(int, pb::UserRecord&)>& fill) {
    Change([&](directory::Transaction& tx) {
      const pb::PoolRecord pool = *tx.Get<directory::PoolKind>("");
      for (int i = 0; i < count; ++i) {
        directory::User user;
        user.record.set_username("user" + std::to_string(i));
        user.record.set_sub(NewUuid(random_));
        fill(i, user.record);
        user.key = directory::UserKeyOf(tx, pool, user.record.username());
        ASSERT_TRUE(directory::InsertUser(tx, pool, user, directory::OnAliasConflict::kRefuse));
      }
    });
  }
  // Of one page.
  std::set<std::string> NamesBy(const std::string& filter) {
    const auto response = Run(ListUsers, ListUsersRequest{.Filter = filter});
    EXPECT_TRUE(response) << response.error().message;
    return NamesOf(*response);
  }
  static std::set<std::string> NamesOf(const ListUsersResponse& response) {
    std::set<std::string> names;
    for (const UserType& user : *response.Users) names.insert(*user.Username);
    return names;
  }
  // Of all pages; each page has at most `limit`, and no user comes twice.
  std::set<std::string> AllNamesBy(const std::optional<std::string>& filter, int limit, int* pages = nullptr) {
    std::set<std::string> names;
    ListUsersRequest request{.Limit = limit, .Filter = filter};
    for (;;) {
      const auto response = Run(ListUsers, request);
      EXPECT_TRUE(response) << response.error().message;
      if (!response) return names;
      if (pages != nullptr) ++*pages;
      EXPECT_LE(response->Users->size(), static_cast<std::size_t>(limit));
      for (const UserType& user : *response->Users) EXPECT_TRUE(names.insert(*user.Username).second) << *user.Username;
      if (!response->PaginationToken) return names;
      request.PaginationToken = response->PaginationToken;
    }
  }
};

TEST_F(ListUsersTest, EmptyPoolHasNone) {
  const auto response = Run(ListUsers, ListUsersRequest{});
  ASSERT_TRUE(response && response->Users);
  EXPECT_TRUE(response->Users->empty());
  EXPECT_FALSE(response->PaginationToken);
}

TEST_F(ListUsersTest, PagesCoverEverybodyOnce) {
  AddMany(130, [](int, pb::UserRecord&) {});
  int pages = 0;
  EXPECT_EQ(AllNamesBy(std::nullopt, 60, &pages).size(), 130u);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(AllNamesBy(std::nullopt, 1).size(), 130u);
  EXPECT_EQ(Run(ListUsers, ListUsersRequest{.Limit = 0})->Users->size(), 60u);
}

TEST_F(ListUsersTest, FindsByEveryIndexedAttribute) {
  AddUser("alice", {{"email", "alice@example.com"},
                    {"phone_number", "+12065551234"},
                    {"given_name", "Alice"},
                    {"family_name", "Doe"},
                    {"name", "Alice \"Al\" Doe"},
                    {"preferred_username", "ally"}});
  AddUser("bob", {{"email", "bob@example.com"}, {"family_name", "Doe"}});
  const std::string sub = UserNamed("alice").sub();
  const std::set<std::string> alice{"alice"};
  for (const std::string& filter :
       {std::string("username = \"alice\""), "sub = \"" + sub + "\"", std::string("email = \"alice@example.com\""),
        std::string("phone_number = \"+12065551234\""), std::string("given_name=\"Alice\""),
        std::string("name = \"Alice \\\"Al\\\" Doe\""), std::string("preferred_username = \"ally\"")}) {
    EXPECT_EQ(NamesBy(filter), alice) << filter;
  }
  EXPECT_EQ(NamesBy("family_name = \"Doe\"").size(), 2u);
  EXPECT_EQ(NamesBy("family_name = \"doe\"").size(), 0u);
  EXPECT_EQ(NamesBy("email = \"carol@example.com\"").size(), 0u);
  EXPECT_EQ(NamesBy("").size(), 2u);
}

TEST_F(ListUsersTest, FindsByStatus) {
  AddUser("new");
  MakeUser("confirmed");
  MakeUser("disabled");
  ASSERT_EQ(ErrorOf(operations::AdminDisableUser, AdminDisableUserRequest{.Username = "disabled"}), "");
  EXPECT_EQ(NamesBy("cognito:user_status = \"force_change_password\""), (std::set<std::string>{"new"}));
  EXPECT_EQ(NamesBy("cognito:user_status = \"CONFIRMED\""), (std::set<std::string>{"confirmed", "disabled"}));
  EXPECT_EQ(NamesBy("status = \"Disabled\""), (std::set<std::string>{"disabled"}));
}

TEST_F(ListUsersTest, FindsByPrefix) {
  AddUser("alice", {{"email", "alice@example.com"}});
  AddUser("albert", {{"email", "albert@example.org"}});
  AddUser("bob", {{"email", "bob@example.com"}});
  EXPECT_EQ(NamesBy("email ^= \"al\"").size(), 2u);
  EXPECT_EQ(NamesBy("username ^= \"bo\""), (std::set<std::string>{"bob"}));
  EXPECT_EQ(NamesBy("email ^= \"AL\"").size(), 0u);
  ChangePool([](pb::PoolRecord& pool) { pool.set_case_sensitive(false); });
  EXPECT_EQ(NamesBy("email ^= \"AL\"").size(), 2u);
}

TEST_F(ListUsersTest, FiltersPageToo) {
  AddMany(90, [](int i, pb::UserRecord& user) {
    (*user.mutable_attributes())["family_name"] = i % 3 == 0 ? "Doe" : "Roe";
  });
  EXPECT_EQ(AllNamesBy("family_name = \"Doe\"", 7).size(), 30u);
  EXPECT_EQ(AllNamesBy("family_name ^= \"R\"", 7).size(), 60u);
  EXPECT_EQ(AllNamesBy("username ^= \"user1\"", 4).size(), 11u);
}

TEST_F(ListUsersTest, LongWalkEndsEarlyAndGoesOn) {
  AddMany(2'500, [](int i, pb::UserRecord& user) {
    if (i == 1234) (*user.mutable_attributes())["email"] = "needle@example.com";
  });
  int pages = 0;
  EXPECT_EQ(AllNamesBy("email ^= \"needle\"", 60, &pages), (std::set<std::string>{"user1234"}));
  EXPECT_GE(pages, 3);
}

TEST_F(ListUsersTest, ShowsTheAskedAttributesOnly) {
  AddUser("alice", {{"email", "a@b.c"}, {"name", "Alice"}});
  const auto response = Run(ListUsers, ListUsersRequest{.AttributesToGet = std::vector<std::string>{"email", "sub"}});
  ASSERT_TRUE(response);
  const auto& attributes = response->Users->at(0).Attributes;
  EXPECT_EQ(attributes->size(), 2u);
  EXPECT_EQ(Find(attributes, "email"), "a@b.c");
  EXPECT_EQ(ErrorOf(ListUsers, ListUsersRequest{.AttributesToGet = std::vector<std::string>{"custom:nope"}}),
            "InvalidParameterException: One or more requested attributes do not exist.");
}

TEST_F(ListUsersTest, BadFiltersAndTokensAreRefused) {
  AddMany(3, [](int, pb::UserRecord&) {});
  EXPECT_EQ(ErrorOf(ListUsers, ListUsersRequest{.Filter = "custom:foo = \"x\""}),
            "InvalidParameterException: Invalid search attribute: custom:foo");
  EXPECT_EQ(ErrorOf(ListUsers, ListUsersRequest{.Filter = "nonsense"}),
            "InvalidParameterException: Error while parsing filter");
  ListUsersRequest request{.Limit = 1};
  const std::string token = *Run(ListUsers, request)->PaginationToken;
  request.PaginationToken = token;
  EXPECT_EQ(ErrorOf(ListUsers, request), "");
  for (const std::string& bad : {token + "A", std::string("nonsense"), token.substr(1)}) {
    request.PaginationToken = bad;
    EXPECT_EQ(ErrorOf(ListUsers, request), "InvalidParameterException: Invalid pagination token.") << bad;
  }
  // A token goes on with the listing that gave it, and with no other.
  EXPECT_NE(ErrorOf(ListUsers, ListUsersRequest{.PaginationToken = token, .Filter = "username ^= \"u\""}), "");
}

}  // namespace
}  // namespace symbolon::cognito
