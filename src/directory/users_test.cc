#include "directory/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/manual_clock.h"
#include "directory/groups.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Attributes = std::map<std::string, std::string>;

const PoolId kPool("eu-central-1_Pool");

class UsersTest : public testing::Test {
 protected:
  UsersTest() {
    store_.Change(kPool, [](Transaction& tx) { tx.PutClear(RecordType::kRole, "", "role"); });
    empty_ = Keys();
  }

  void UseAliases(std::initializer_list<const char*> aliases) {
    for (const char* alias : aliases) pool_.add_alias_attributes(alias);
  }

  User NewUser(const std::string& username, const Attributes& attributes = {}) {
    User user;
    user.record.set_username(username);
    user.record.set_sub("sub of " + username);
    user.record.mutable_attributes()->insert(attributes.begin(), attributes.end());
    store_.See(kPool, [&](Transaction& tx) { return user.key = UserKeyOf(tx, pool_, username); });
    return user;
  }

  // The attribute in conflict, or "" when it was done.
  std::string Insert(const User& user, OnAliasConflict on_conflict = OnAliasConflict::kRefuse) {
    return Attempt([&](Transaction& tx) { return InsertUser(tx, pool_, user, on_conflict); });
  }
  std::string Insert(const std::string& username, const Attributes& attributes = {},
                     OnAliasConflict on_conflict = OnAliasConflict::kRefuse) {
    return Insert(NewUser(username, attributes), on_conflict);
  }
  // An empty value removes the attribute.
  std::string Update(const std::string& username, const Attributes& changes,
                     OnAliasConflict on_conflict = OnAliasConflict::kRefuse) {
    return Attempt([&](Transaction& tx) {
      User user = *FindUser(tx, pool_, username);
      const pb::UserRecord before = user.record;
      for (const auto& [name, value] : changes) {
        (*user.record.mutable_attributes())[name] = value;
        if (value.empty()) user.record.mutable_attributes()->erase(name);
      }
      return UpdateUser(tx, pool_, before, user, on_conflict);
    });
  }
  void Delete(const std::string& username) {
    store_.Change(kPool, [&](Transaction& tx) { DeleteUser(tx, pool_, *FindUser(tx, pool_, username)); });
  }

  // The user name of whom a name leads to; "" for nobody.
  std::string Find(const std::string& name) {
    return store_.See(kPool, [&](Transaction& tx) {
      const auto user = FindUser(tx, pool_, name);
      return user ? user->record.username() : std::string();
    });
  }
  std::vector<std::string> FindBy(std::string_view attribute, std::string_view value) {
    return store_.See(kPool, [&](Transaction& tx) {
      return Names(FindUsersByAttribute(tx, pool_, attribute, value, std::nullopt, 60).users);
    });
  }
  Attributes AttributesOf(const std::string& username) {
    return store_.See(kPool, [&](Transaction& tx) {
      const auto user = FindUser(tx, pool_, username);
      return Attributes(user->record.attributes().begin(), user->record.attributes().end());
    });
  }
  static std::vector<std::string> Names(const std::vector<User>& users) {
    std::vector<std::string> names;
    for (const User& user : users) names.push_back(user.record.username());
    return names;
  }

  std::set<storage::Key> Keys() {
    std::set<storage::Key> keys;
    for (const auto& [key, value] : store_.Contents(kPool)) keys.insert(key);
    return keys;
  }
  // What the store would hold had these users never had another attribute than now.
  std::set<storage::Key> KeysOfFreshUsers(const std::vector<std::string>& usernames) {
    ManualClock clock;
    TestStore fresh("eu-central-1", clock);
    std::set<storage::Key> keys = empty_;
    for (const std::string& username : usernames) {
      const User user = store_.See(kPool, [&](Transaction& tx) { return *FindUser(tx, pool_, username); });
      fresh.Change(kPool, [&](Transaction& tx) { EXPECT_TRUE(InsertUser(tx, pool_, user, OnAliasConflict::kRefuse)); });
    }
    for (const auto& [key, value] : fresh.Contents(kPool)) keys.insert(key);
    return keys;
  }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
  pb::PoolRecord pool_;
  std::set<storage::Key> empty_;

 private:
  template <class Plan>
  std::string Attempt(const Plan& plan) {
    const auto tx = store_.Begin(kPool);
    const auto done = plan(*tx);
    if (!done) {
      EXPECT_FALSE(tx->has_changes()) << "a conflict leaves changes behind";
      return done.error().attribute;
    }
    const auto committed = store_.Commit(*tx);
    EXPECT_TRUE(committed) << committed.error().detail;
    return "";
  }
};

// ---- names ----

TEST_F(UsersTest, UserIsFoundByNameAndSub) {
  EXPECT_EQ(Insert("alice"), "");
  EXPECT_EQ(Find("alice"), "alice");
  EXPECT_EQ(Find("sub of alice"), "alice");
  EXPECT_EQ(Find("bob"), "");
}

TEST_F(UsersTest, UserWhoseNameIsTheSubIsFoundByIt) {
  User user = NewUser("04c894d8-20e1-40ed-975e-9a01d11f7f45");
  user.record.set_sub(user.record.username());
  EXPECT_EQ(Insert(user), "");
  EXPECT_EQ(Find(user.record.username()), user.record.username());
  Delete(user.record.username());
  EXPECT_EQ(Keys(), empty_);
}

TEST_F(UsersTest, NamesAreCaseSensitiveUnlessThePoolSaysOtherwise) {
  EXPECT_EQ(Insert("Alice"), "");
  EXPECT_EQ(Find("alice"), "");
  EXPECT_EQ(Insert("alice"), "");

  pool_.set_case_sensitive(false);
  EXPECT_EQ(Insert("Bob"), "");
  EXPECT_EQ(Find("bOB"), "Bob");
  EXPECT_EQ(Insert("BOB"), "username");
  EXPECT_EQ(Insert("Ärger"), "");
  EXPECT_EQ(Find("äRGER"), "Ärger");
}

TEST_F(UsersTest, SecondUserOfANameIsRefused) {
  EXPECT_EQ(Insert("alice"), "");
  EXPECT_EQ(Insert("alice", {}, OnAliasConflict::kMove), "username");
}

TEST_F(UsersTest, StoreShowsNoName) {
  UseAliases({"email"});
  EXPECT_EQ(Insert("alice-liddell", {{"email", "alice@example.com"}, {"email_verified", "true"}}), "");
  for (const auto& [key, value] : store_.Contents(kPool)) {
    for (const char* text : {"alice", "liddell", "example"}) {
      EXPECT_EQ(key.id.find(text), Bytes::npos);
      EXPECT_EQ(value.find(text), Bytes::npos);
    }
  }
}

// ---- aliases ----

TEST_F(UsersTest, AddressIsAnAliasWhileItIsVerified) {
  UseAliases({"email", "phone_number"});
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"}, {"phone_number", "+4912345"}}), "");
  EXPECT_EQ(Find("a@example.com"), "");
  EXPECT_EQ(Update("alice", {{"email_verified", "true"}}), "");
  EXPECT_EQ(Find("a@example.com"), "alice");
  EXPECT_EQ(Find("+4912345"), "");
  EXPECT_EQ(Update("alice", {{"email_verified", "false"}, {"phone_number_verified", "true"}}), "");
  EXPECT_EQ(Find("a@example.com"), "");
  EXPECT_EQ(Find("+4912345"), "alice");
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice"}));
}

TEST_F(UsersTest, AttributeThatIsNoAliasLeadsToNobody) {
  UseAliases({"phone_number"});
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"}, {"email_verified", "true"}, {"preferred_username", "al"}}),
            "");
  EXPECT_EQ(Find("a@example.com"), "");
  EXPECT_EQ(Find("al"), "");
}

TEST_F(UsersTest, PreferredUsernameIsAnAliasAtOnce) {
  UseAliases({"preferred_username"});
  EXPECT_EQ(Insert("alice", {{"preferred_username", "al"}}), "");
  EXPECT_EQ(Find("al"), "alice");
  EXPECT_EQ(Update("alice", {{"preferred_username", "ali"}}), "");
  EXPECT_EQ(Find("al"), "");
  EXPECT_EQ(Find("ali"), "alice");
  EXPECT_EQ(Update("alice", {{"preferred_username", ""}}), "");
  EXPECT_EQ(Find("ali"), "");
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice"}));
}

TEST_F(UsersTest, AliasesFollowThePoolsRuleForCase) {
  UseAliases({"email"});
  EXPECT_EQ(Insert("alice", {{"email", "Alice@Example.com"}, {"email_verified", "true"}}), "");
  EXPECT_EQ(Find("alice@example.com"), "");
  pool_.set_case_sensitive(false);
  EXPECT_EQ(Insert("bob", {{"email", "Bob@Example.com"}, {"email_verified", "true"}}), "");
  EXPECT_EQ(Find("bob@example.COM"), "bob");
}

TEST_F(UsersTest, SignInNameIsUniqueAtOnceAndNeverMoves) {
  pool_.add_username_attributes("email");
  EXPECT_EQ(Insert("uuid-1", {{"email", "a@example.com"}}), "");
  EXPECT_EQ(Find("a@example.com"), "uuid-1");
  EXPECT_EQ(Insert("uuid-2", {{"email", "a@example.com"}}), "email");
  EXPECT_EQ(Insert("uuid-2", {{"email", "a@example.com"}, {"email_verified", "true"}}, OnAliasConflict::kMove),
            "email");
  EXPECT_EQ(Insert("uuid-2", {{"email", "b@example.com"}}), "");
  EXPECT_EQ(Update("uuid-2", {{"email", "a@example.com"}}), "email");
  EXPECT_EQ(Update("uuid-2", {{"email", "c@example.com"}}), "");
  EXPECT_EQ(Find("b@example.com"), "");
  EXPECT_EQ(Find("c@example.com"), "uuid-2");
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"uuid-1", "uuid-2"}));
}

TEST_F(UsersTest, UnverifiedAddressMayBelongToMany) {
  UseAliases({"email"});
  EXPECT_EQ(Insert("alice", {{"email", "shared@example.com"}}), "");
  EXPECT_EQ(Insert("bob", {{"email", "shared@example.com"}}), "");
  EXPECT_EQ(Update("bob", {{"email_verified", "true"}}), "");
  EXPECT_EQ(Find("shared@example.com"), "bob");
  EXPECT_EQ(Update("alice", {{"email_verified", "true"}}), "email");
  EXPECT_EQ(Find("shared@example.com"), "bob");
}

TEST_F(UsersTest, MovedAddressStaysWithItsFormerHolderUnverified) {
  UseAliases({"email"});
  const Attributes verified{{"email", "a@example.com"}, {"email_verified", "true"}};
  EXPECT_EQ(Insert("alice", verified), "");
  EXPECT_EQ(Insert("bob", {{"email", "a@example.com"}}), "");
  EXPECT_EQ(Update("bob", {{"email_verified", "true"}}, OnAliasConflict::kMove), "");
  EXPECT_EQ(Find("a@example.com"), "bob");
  EXPECT_EQ(AttributesOf("alice"), (Attributes{{"email", "a@example.com"}, {"email_verified", "false"}}));
  EXPECT_EQ(AttributesOf("bob"), verified);
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice", "bob"}));
}

TEST_F(UsersTest, MovedPreferredUsernameLeavesItsFormerHolder) {
  UseAliases({"preferred_username"});
  EXPECT_EQ(Insert("alice", {{"preferred_username", "al"}, {"name", "Alice"}}), "");
  EXPECT_EQ(Insert("bob", {{"preferred_username", "al"}}, OnAliasConflict::kMove), "");
  EXPECT_EQ(Find("al"), "bob");
  EXPECT_EQ(AttributesOf("alice"), (Attributes{{"name", "Alice"}}));
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice", "bob"}));
}

TEST_F(UsersTest, TwoAliasesMoveFromOneHolder) {
  UseAliases({"email", "phone_number"});
  const Attributes both{{"email", "a@example.com"},
                        {"email_verified", "true"},
                        {"phone_number", "+491"},
                        {"phone_number_verified", "true"}};
  EXPECT_EQ(Insert("alice", both), "");
  EXPECT_EQ(Insert("bob", both, OnAliasConflict::kMove), "");
  EXPECT_EQ(Find("a@example.com"), "bob");
  EXPECT_EQ(Find("+491"), "bob");
  EXPECT_EQ(AttributesOf("alice")["phone_number_verified"], "false");
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice", "bob"}));
}

TEST_F(UsersTest, ConflictOfOneAliasMovesNoOther) {
  UseAliases({"email", "preferred_username"});
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"}, {"email_verified", "true"}}), "");
  EXPECT_EQ(Insert("bob"), "");
  // The e-mail address could move, but a user name cannot. (Attempt() checks that nothing is left to be committed.)
  EXPECT_EQ(Insert("carol", {{"email", "a@example.com"}, {"email_verified", "true"}, {"preferred_username", "bob"}},
                   OnAliasConflict::kMove),
            "preferred_username");
  EXPECT_EQ(Find("a@example.com"), "alice");
}

// ---- one space of names ----

TEST_F(UsersTest, NobodyTakesAnothersUserNameOrSubAsAnAlias) {
  UseAliases({"preferred_username"});
  EXPECT_EQ(Insert("alice"), "");
  EXPECT_EQ(Insert("mallory"), "");
  for (const auto mode : {OnAliasConflict::kRefuse, OnAliasConflict::kMove}) {
    EXPECT_EQ(Update("mallory", {{"preferred_username", "alice"}}, mode), "preferred_username");
    EXPECT_EQ(Update("mallory", {{"preferred_username", "sub of alice"}}, mode), "preferred_username");
  }
  EXPECT_EQ(Find("alice"), "alice");
  EXPECT_EQ(Find("sub of alice"), "alice");
}

TEST_F(UsersTest, NobodyTakesAnothersAliasOrSubAsAUserName) {
  UseAliases({"preferred_username"});
  EXPECT_EQ(Insert("alice", {{"preferred_username", "al"}}), "");
  for (const auto mode : {OnAliasConflict::kRefuse, OnAliasConflict::kMove}) {
    EXPECT_EQ(Insert("al", {}, mode), "username");
    EXPECT_EQ(Insert("sub of alice", {}, mode), "username");
  }
}

TEST_F(UsersTest, NobodyTakesAnothersAddressAsAPreferredUsername) {
  UseAliases({"preferred_username", "email"});
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"}, {"email_verified", "true"}}), "");
  EXPECT_EQ(Insert("mallory", {{"preferred_username", "a@example.com"}}), "preferred_username");
  EXPECT_EQ(Find("a@example.com"), "alice");
}

TEST_F(UsersTest, OwnNamesMayRepeat) {
  UseAliases({"preferred_username", "email"});
  EXPECT_EQ(Insert("alice", {{"preferred_username", "alice"}}), "");
  EXPECT_EQ(Update("alice", {{"preferred_username", "a@example.com"}, {"email", "a@example.com"}}), "");
  EXPECT_EQ(Update("alice", {{"email_verified", "true"}}), "");
  EXPECT_EQ(Find("a@example.com"), "alice");
  EXPECT_EQ(Update("alice", {{"preferred_username", ""}}), "");
  EXPECT_EQ(Find("a@example.com"), "alice");
  EXPECT_EQ(Update("alice", {{"email_verified", "false"}}), "");
  EXPECT_EQ(Find("a@example.com"), "");
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice"}));
}

TEST_F(UsersTest, TwoWritersOfOneNameAreInConflict) {
  UseAliases({"preferred_username"});
  EXPECT_EQ(Insert("alice"), "");
  const auto named = store_.Begin(kPool), renamed = store_.Begin(kPool);
  EXPECT_TRUE(InsertUser(*named, pool_, NewUser("al"), OnAliasConflict::kRefuse));
  User alice = *FindUser(*renamed, pool_, "alice");
  const pb::UserRecord before = alice.record;
  (*alice.record.mutable_attributes())["preferred_username"] = "al";
  EXPECT_TRUE(UpdateUser(*renamed, pool_, before, alice, OnAliasConflict::kRefuse));
  EXPECT_TRUE(store_.Commit(*named));
  EXPECT_EQ(store_.Commit(*renamed).error().code, storage::StoreErrorCode::kConflict);
}

// ---- finding by attribute ----

TEST_F(UsersTest, EverySearchableAttributeFindsByEquality) {
  User user = NewUser("alice", {{"email", "a@example.com"},
                                {"phone_number", "+491"},
                                {"name", "Alice L"},
                                {"given_name", "Alice"},
                                {"family_name", "Liddell"},
                                {"preferred_username", "al"}});
  user.record.set_status(pb::CONFIRMED);
  EXPECT_EQ(Insert(user), "");
  EXPECT_EQ(Insert("bob", {{"email", "b@example.com"}, {"name", "Alice"}}), "");
  const Attributes equal{
      {"username", "alice"},      {"sub", "sub of alice"},      {"email", "a@example.com"},
      {"phone_number", "+491"},   {"name", "Alice L"},          {"given_name", "Alice"},
      {"family_name", "Liddell"}, {"preferred_username", "al"}, {"cognito:user_status", "CONFIRMED"}};
  for (const auto& [attribute, value] : equal) {
    EXPECT_TRUE(IsFindable(attribute)) << attribute;
    EXPECT_THAT(FindBy(attribute, value), ElementsAre("alice")) << attribute;
    EXPECT_THAT(FindBy(attribute, value + "x"), IsEmpty()) << attribute;
  }
  EXPECT_THAT(FindBy("cognito:user_status", "UNCONFIRMED"), ElementsAre("bob"));
  EXPECT_FALSE(IsFindable("custom:x"));
  EXPECT_FALSE(IsFindable("birthdate"));
  // The filter by user name does not resolve aliases.
  EXPECT_THAT(FindBy("username", "sub of alice"), IsEmpty());
}

TEST_F(UsersTest, SearchFollowsThePoolsRuleForCase) {
  EXPECT_EQ(Insert("a", {{"name", "Müller"}}), "");
  EXPECT_EQ(Insert("b", {{"name", "MÜLLER"}}), "");
  EXPECT_THAT(FindBy("name", "Müller"), ElementsAre("a"));
  pool_.set_case_sensitive(false);
  EXPECT_THAT(FindBy("name", "müller"), UnorderedElementsAre("a", "b"));
}

TEST_F(UsersTest, SearchGoesOnPageByPage) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Insert("user" + std::to_string(i), {{"name", "same"}}), "");
  std::vector<std::string> found, listed;
  for (auto* names : {&found, &listed}) {
    std::optional<Bytes> after;
    int pages = 0;
    do {
      store_.See(kPool, [&](Transaction& tx) {
        const FoundUsers page =
            names == &found ? FindUsersByAttribute(tx, pool_, "name", "same", after, 2) : ListUsers(tx, after, 2);
        EXPECT_LE(page.users.size(), 2u);
        for (const std::string& name : Names(page.users)) names->push_back(name);
        after = page.next;
        return true;
      });
      ASSERT_LE(++pages, 3);
    } while (after);
  }
  EXPECT_THAT(found, UnorderedElementsAre("user0", "user1", "user2", "user3", "user4"));
  EXPECT_THAT(listed, UnorderedElementsAre("user0", "user1", "user2", "user3", "user4"));
}

TEST_F(UsersTest, UpdateMovesWhatFindsTheUser) {
  EXPECT_EQ(Insert("alice", {{"name", "Old"}, {"email", "a@example.com"}}), "");
  EXPECT_EQ(Update("alice", {{"name", "New"}, {"email", ""}}), "");
  EXPECT_THAT(FindBy("name", "Old"), IsEmpty());
  EXPECT_THAT(FindBy("name", "New"), ElementsAre("alice"));
  EXPECT_THAT(FindBy("email", "a@example.com"), IsEmpty());
  EXPECT_EQ(Keys(), KeysOfFreshUsers({"alice"}));
}

TEST_F(UsersTest, StatusesAreNamedAsTheApiNamesThem) {
  EXPECT_EQ(StatusName(pb::UNCONFIRMED), "UNCONFIRMED");
  EXPECT_EQ(StatusName(pb::CONFIRMED), "CONFIRMED");
  EXPECT_EQ(StatusName(pb::FORCE_CHANGE_PASSWORD), "FORCE_CHANGE_PASSWORD");
  EXPECT_EQ(StatusName(pb::RESET_REQUIRED), "RESET_REQUIRED");
  EXPECT_EQ(StatusName(pb::EXTERNAL_PROVIDER), "EXTERNAL_PROVIDER");
  EXPECT_EQ(StatusName(static_cast<pb::UserStatus>(99)), "UNKNOWN");
}

// ---- deletion ----

TEST_F(UsersTest, DeletedUserLeavesNothingBehind) {
  UseAliases({"email", "phone_number", "preferred_username"});
  EXPECT_EQ(Insert("bob", {{"name", "Bob"}}), "");
  const auto before = Keys();
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"},
                             {"email_verified", "true"},
                             {"phone_number", "+491"},
                             {"phone_number_verified", "true"},
                             {"preferred_username", "al"},
                             {"name", "Alice L"},
                             {"given_name", "Alice"},
                             {"family_name", "Liddell"}}),
            "");
  const Bytes key = NewUser("alice").key;
  store_.Change(kPool, [&](Transaction& tx) {
    AddMember(tx, key, "readers");
    AddMember(tx, key, "writers");
  });
  Delete("alice");
  EXPECT_EQ(Keys(), before);
  EXPECT_EQ(Find("a@example.com"), "");
  EXPECT_EQ(Find("bob"), "bob");
  EXPECT_EQ(Insert("alice", {{"email", "a@example.com"}, {"email_verified", "true"}}), "");
}

}  // namespace
}  // namespace symbolon::directory
