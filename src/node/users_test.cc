#include "node/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace symbolon::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class UsersTest : public testing::Test {
 protected:
  UsersTest() {
    std::string name = testing::TempDir() + "symbolon-users-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    Write("readers.json",
          R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cognito-idp:List*","Resource":"*"}})");
    Write("ann.secret", "ann-secret\n");
    Write("users.toml", kGood);
  }
  ~UsersTest() override { std::filesystem::remove_all(folder_); }

  // Another file takes the place of the old one, as editors and configuration tools do it.
  void Write(const std::string& file, std::string_view content) {
    std::ofstream(folder_ / "new") << content;
    std::filesystem::rename(folder_ / "new", folder_ / file);
  }
  std::unique_ptr<Users> Open() {
    std::vector<AccessKeyConfig> root;
    root.push_back({.id = "ROOT", .secret = Secret("root-secret")});
    auto users = Users::Open("000000000000", std::move(root), folder_ / "users.toml");
    SYMBOLON_CHECK(users);
    return *std::move(users);
  }
  std::vector<std::string> ProblemsWith(std::string_view text) {
    Write("users.toml", text);
    std::vector<std::string> problems;
    const auto users = LoadUsers(folder_ / "users.toml");
    if (users) return problems;
    for (const auto& [line, reason] : users.error()) problems.push_back(std::to_string(line) + ": " + reason);
    return problems;
  }
  static std::string OwnerOf(const Users& users, std::string_view id, std::string_view secret) {
    const auto key = users.Find(id);
    return key && key->secret.view() == secret ? key->owner : "unknown";
  }
  static bool MayList(const Users& users, const std::string& user) {
    const auto identity = users.FindIdentity(user);
    const policy::Context context;
    return identity && policy::DecideByIdentity(identity->policies, {.principal = identity->principal,
                                                                     .action = "cognito-idp:ListUsers",
                                                                     .resource = "arn:aws:cognito-idp:a:b:userpool/c",
                                                                     .context = context}) == policy::Outcome::kAllowed;
  }

  static constexpr const char* kGood = R"([[users]]
name = "ann"
policies = ["readers.json"]
[[users.access_keys]]
id = "ANN1"
secret_file = "ann.secret"
[[users.access_keys]]
id = "ANN2"
secret = "other-secret"

[[users]]
name = "bob"
[[users.access_keys]]
id = "BOB1"
secret = "bob-secret"
)";
  std::filesystem::path folder_;
};

TEST_F(UsersTest, KeysBelongToTheirUsersAndPoliciesBind) {
  const auto users = Open();
  EXPECT_EQ(OwnerOf(*users, "ROOT", "root-secret"), "");
  EXPECT_EQ(OwnerOf(*users, "ANN1", "ann-secret"), "ann");
  EXPECT_EQ(OwnerOf(*users, "ANN2", "other-secret"), "ann");
  EXPECT_EQ(OwnerOf(*users, "BOB1", "bob-secret"), "bob");
  EXPECT_EQ(OwnerOf(*users, "CID1", "x"), "unknown");
  EXPECT_EQ(users->FindIdentity("")->principal, policy::Principal::Root("000000000000"));
  EXPECT_EQ(users->FindIdentity("ann")->principal, policy::Principal::User("000000000000", "ann"));
  EXPECT_TRUE(MayList(*users, "ann"));
  EXPECT_FALSE(MayList(*users, "bob"));
  EXPECT_FALSE(users->FindIdentity("cid"));
}

TEST_F(UsersTest, ChangesOfAnyFileTakeEffect) {
  const auto users = Open();
  users->ReloadIfChanged();
  EXPECT_EQ(users->counters().reloads, 0);
  Write("readers.json", R"({"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}})");
  users->ReloadIfChanged();
  EXPECT_FALSE(MayList(*users, "ann"));
  Write("ann.secret", "new-secret");
  users->ReloadIfChanged();
  EXPECT_EQ(OwnerOf(*users, "ANN1", "ann-secret"), "unknown");
  EXPECT_EQ(OwnerOf(*users, "ANN1", "new-secret"), "ann");
  Write("users.toml", "");
  users->ReloadIfChanged();
  EXPECT_EQ(OwnerOf(*users, "ANN1", "new-secret"), "unknown");
  EXPECT_EQ(OwnerOf(*users, "ROOT", "root-secret"), "");
  EXPECT_EQ(users->counters().reloads, 3);
  EXPECT_FALSE(users->counters().stale);
}

TEST_F(UsersTest, WhatIsWrongLeavesTheOldInForceUntilItIsRight) {
  const auto users = Open();
  Write("users.toml", std::string(kGood) + "\n[[users]]\nname = \"cid\"\npolicies = [\"admins.json\"]\n");
  users->ReloadIfChanged();
  users->ReloadIfChanged();
  EXPECT_EQ(users->counters().failures, 1);
  EXPECT_TRUE(users->counters().stale);
  EXPECT_EQ(OwnerOf(*users, "ANN1", "ann-secret"), "ann");
  EXPECT_FALSE(users->FindIdentity("cid"));
  // The file itself does not change: what it lacked comes.
  Write("admins.json", R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})");
  users->ReloadIfChanged();
  EXPECT_FALSE(users->counters().stale);
  EXPECT_TRUE(MayList(*users, "cid"));
  // An access key of the root is nobody else's.
  Write("users.toml", "[[users]]\nname = \"ann\"\n[[users.access_keys]]\nid = \"ROOT\"\nsecret = \"x\"\n");
  users->ReloadIfChanged();
  EXPECT_TRUE(users->counters().stale);
  EXPECT_EQ(OwnerOf(*users, "ROOT", "root-secret"), "");
  // Asked by hand, it says so again.
  users->Reload();
  EXPECT_EQ(users->counters().failures, 3);
}

TEST_F(UsersTest, EverythingWrongIsReported) {
  EXPECT_THAT(
      ProblemsWith("[[users]]\nname = \"a b\"\npolicy = \"x\"\n"),
      ElementsAre("2: users.name: must be 1 to 64 letters, digits and +=,.@_-", "3: users.policy: is not a setting"));
  EXPECT_THAT(ProblemsWith("[[users]]\nname = \"ann\"\n[[users]]\nname = \"ann\"\n"),
              ElementsAre("4: users.name: \"ann\" stands here twice"));
  EXPECT_THAT(ProblemsWith("[[users]]\nname = \"ann\"\n[[users.access_keys]]\nid = \"A\"\nsecret = \"x\"\n"
                           "[[users]]\nname = \"bob\"\n[[users.access_keys]]\nid = \"A\"\nsecret = \"y\"\n"),
              ElementsAre("9: users.access_keys.id: \"A\" stands here twice"));
  EXPECT_THAT(ProblemsWith("[[users]]\nname = \"ann\"\n[[users.access_keys]]\nid = \"A\"\n"),
              ElementsAre("3: users.access_keys.secret: must be given, or secret_file or secret_env instead of it"));
  EXPECT_THAT(ProblemsWith("[[users]]\nname = \"ann\"\npolicies = [\"none.json\"]\n"),
              ElementsAre("3: users.policies: none.json: cannot be read"));
  Write("bad.json", R"({"Statement":{"Effect":"Allow","Action":"cognito-idp:ListUsrs","Resource":"*"}})");
  EXPECT_THAT(ProblemsWith("[[users]]\nname = \"ann\"\npolicies = [\"bad.json\"]\n"),
              ElementsAre("3: users.policies: bad.json: Statement 1: Action \"cognito-idp:ListUsrs\" is no action that "
                          "is known here."));
  EXPECT_THAT(ProblemsWith("users = 7\n"), ElementsAre("1: users: must be a list of tables: [[users]]"));
  EXPECT_THAT(ProblemsWith("[[users]\n"), ElementsAre(HasSubstr("1: ")));
}

}  // namespace
}  // namespace symbolon::node
