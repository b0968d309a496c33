// Tags, and what else of a pool each Region sets for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using json::object;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kHome = "eu-central-1";
constexpr const char* kAway = "us-east-1";

class TagsTest : public testing::Test {
 protected:
  static std::string ArnOf(const PoolId& pool, const std::string& region) {
    return "arn:aws:cognito-idp:" + region + ":000000000000:userpool/" + pool.value();
  }
  static std::string Tag(ApiRegion& region, const PoolId& pool, object tags) {
    return region.Call("TagResource", {{"ResourceArn", ArnOf(pool, region.settings().region.value())}, {"Tags", tags}})
        .error();
  }
  static std::string Untag(ApiRegion& region, const PoolId& pool, json::array keys) {
    return region
        .Call("UntagResource", {{"ResourceArn", ArnOf(pool, region.settings().region.value())}, {"TagKeys", keys}})
        .error();
  }
  // As both operations show them.
  static object Tags(ApiRegion& region, const PoolId& pool) {
    const auto listed =
        region.Call("ListTagsForResource", {{"ResourceArn", ArnOf(pool, region.settings().region.value())}});
    EXPECT_EQ(listed.error(), "");
    const auto described = region.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).at("/UserPool/UserPoolTags");
    object tags = listed.at("/Tags").as_object();
    EXPECT_EQ(described.is_null() ? object() : described.as_object(), tags);
    return tags;
  }
  std::string Update(ApiRegion& region, const PoolId& pool, object settings) {
    settings["UserPoolId"] = pool.value();
    return region.Call("UpdateUserPool", settings).error();
  }
  // A pool with an INACTIVE replica, as it is when its copy is complete.
  PoolId ReplicatedPool(object settings = {}, object replica = {}) {
    settings["KeyConfiguration"] = {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", home_.CreateSharedKey(away_)}};
    const PoolId pool = home_.CreatePool(std::move(settings));
    replica["UserPoolId"] = pool.value();
    replica["RegionName"] = kAway;
    EXPECT_EQ(home_.Call("CreateUserPoolReplica", replica).error(), "");
    home_.SetMemberState(pool, kAway, replication::pb::INACTIVE);
    away_.CopyPool(home_, pool);
    return pool;
  }

  ManualClock clock_;
  ApiRegion home_{kHome, clock_}, away_{kAway, clock_};
};

TEST_F(TagsTest, AreSetChangedAndRemoved) {
  const PoolId pool = home_.CreatePool({{"UserPoolTags", {{"team", "identity"}, {"stage", "test"}}}});
  EXPECT_EQ(Tags(home_, pool), (object{{"stage", "test"}, {"team", "identity"}}));
  EXPECT_EQ(Tag(home_, pool, {{"stage", "live"}, {"cost", ""}}), "");
  EXPECT_EQ(Untag(home_, pool, {"team", "never there"}), "");
  EXPECT_EQ(Tags(home_, pool), (object{{"cost", ""}, {"stage", "live"}}));
  EXPECT_EQ(Update(home_, pool, {}), "");
  EXPECT_EQ(Tags(home_, pool).size(), 2u) << "left out, they stay";
  EXPECT_EQ(Update(home_, pool, {{"UserPoolTags", {{"only", "this"}}}}), "");
  EXPECT_EQ(Tags(home_, pool), (object{{"only", "this"}}));
  EXPECT_EQ(Update(home_, pool, {{"UserPoolTags", object()}}), "");
  EXPECT_EQ(Tags(home_, pool), object());
}

TEST_F(TagsTest, AreBounded) {
  object fifty;
  for (int i = 0; i < 50; ++i) fifty["key " + std::to_string(i)] = "value";
  const PoolId pool = home_.CreatePool({{"UserPoolTags", fifty}});
  EXPECT_EQ(Tag(home_, pool, {{"one", "more"}}), "InvalidParameterException: A user pool has at most 50 tags.");
  EXPECT_EQ(Tag(home_, pool, {{"key 1", "changed"}}), "");
  object more = fifty;
  more["one"] = "more";
  EXPECT_EQ(Update(home_, pool, {{"UserPoolTags", more}}),
            "UserPoolTaggingException: A user pool has at most 50 tags.");
  EXPECT_THAT(home_.Call("CreateUserPool", {{"PoolName", "p"}, {"UserPoolTags", more}}).error(),
              StartsWith("UserPoolTaggingException: "));
  ASSERT_EQ(Untag(home_, pool, {"key 1"}), "");
  EXPECT_EQ(Tag(home_, pool, {{"AWS:mine", "no"}}),
            "InvalidParameterException: Tag keys must not begin with aws:, as AWS:mine does.");
  EXPECT_EQ(Tag(home_, pool, {{std::string(128, 'k'), std::string(256, 'v')}}), "");
  EXPECT_THAT(Tag(home_, pool, {{std::string(129, 'k'), "v"}}), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Tag(home_, pool, {{"k", std::string(257, 'v')}}), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Tag(home_, pool, {{"", "v"}}), StartsWith("InvalidParameterException: "));
}

TEST_F(TagsTest, ResourceIsAPoolOfThisRegion) {
  const PoolId pool = home_.CreatePool();
  const auto list = [&](const std::string& arn) {
    return home_.Call("ListTagsForResource", {{"ResourceArn", arn}}).error();
  };
  EXPECT_EQ(list(ArnOf(pool, kHome)), "");
  EXPECT_THAT(list(ArnOf(pool, kAway)), StartsWith("InvalidParameterException: ResourceArn names no user pool"));
  EXPECT_THAT(list("arn:aws:cognito-idp:eu-central-1:111111111111:userpool/" + pool.value()),
              StartsWith("InvalidParameterException: ResourceArn names no user pool"));
  EXPECT_THAT(list(ArnOf(PoolId("eu-central-1_Nothing00"), kHome)), StartsWith("ResourceNotFoundException: "));
  EXPECT_THAT(list("a pool of mine, please"), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(home_.CallUnsigned("ListTagsForResource", {{"ResourceArn", ArnOf(pool, kHome)}}).error(),
              StartsWith("MissingAuthenticationTokenException: "));
}

TEST_F(TagsTest, EveryRegionHasItsOwn) {
  const PoolId pool = ReplicatedPool({{"UserPoolTags", {{"where", "home"}}}}, {{"UserPoolTags", {{"where", "away"}}}});
  EXPECT_EQ(Tags(home_, pool), (object{{"where", "home"}}));
  EXPECT_EQ(Tags(away_, pool), (object{{"where", "away"}}));
  EXPECT_EQ(Tag(away_, pool, {{"more", "x"}}), "");
  EXPECT_EQ(Tag(home_, pool, {{"where", "still home"}}), "");
  EXPECT_EQ(Tags(home_, pool), (object{{"where", "still home"}}));
  EXPECT_EQ(Tags(away_, pool), (object{{"more", "x"}, {"where", "away"}}));
  // A copy brings the primary's directory and leaves what is the Region's own.
  away_.CopyPool(home_, pool);
  EXPECT_EQ(Tags(away_, pool), (object{{"more", "x"}, {"where", "away"}}));
}

TEST_F(TagsTest, ReplicaBeginsWithNoneUnlessItGetsSome) {
  const PoolId pool = ReplicatedPool({{"UserPoolTags", {{"where", "home"}}}});
  EXPECT_EQ(Tags(away_, pool), object());
  EXPECT_THAT(home_
                  .Call("CreateUserPoolReplica",
                        {{"UserPoolId", pool.value()}, {"RegionName", kAway}, {"UserPoolTags", {{"aws:x", "y"}}}})
                  .error(),
              StartsWith("UserPoolTaggingException: "));
}

TEST_F(TagsTest, NewReplicaInTheSameRegionBeginsWithItsOwn) {
  const PoolId pool = ReplicatedPool({}, {{"UserPoolTags", {{"which", "first"}}}});
  const object replica{{"UserPoolId", pool.value()}, {"RegionName", kAway}};
  ASSERT_EQ(home_.Call("DeleteUserPoolReplica", replica).error(), "");
  home_.store().Change(pool, [](directory::Transaction& tx) {
    const auto role = replication::ParseRole(*tx.GetClear(directory::RecordType::kRole, ""));
    tx.PutClear(directory::RecordType::kRole, "",
                replication::SerializeRole(*replication::RemoveMember(*role, Region(kAway))));
  });
  ASSERT_EQ(home_.Call("CreateUserPoolReplica", replica).error(), "");
  home_.SetMemberState(pool, kAway, replication::pb::INACTIVE);
  away_.CopyPool(home_, pool);
  EXPECT_EQ(Tags(away_, pool), object());
}

TEST_F(TagsTest, TagsOfAnOlderVersionCountUntilARegionSetsItsOwn) {
  const PoolId pool = ReplicatedPool();
  const std::shared_ptr<const storage::Snapshot> snapshot(home_.store().store().MakeSnapshot());
  directory::Transaction tx(snapshot, pool, *home_.keyring().KeysOf(*snapshot, pool), home_.store().random());
  auto record = *tx.Get<directory::PoolKind>("");
  (*record.mutable_tags())["old"] = "1";
  tx.Put<directory::PoolKind>("", record);
  tx.Delete<directory::RegionalSeedKind>(kAway);
  ASSERT_TRUE(home_.store().Commit(tx));
  away_.CopyPool(home_, pool);
  EXPECT_EQ(Tags(home_, pool), (object{{"old", "1"}}));
  EXPECT_EQ(Tags(away_, pool), (object{{"old", "1"}}));
  EXPECT_EQ(Untag(away_, pool, {"old"}), "");
  EXPECT_EQ(Tag(home_, pool, {{"new", "2"}}), "");
  EXPECT_EQ(Tags(home_, pool), (object{{"new", "2"}, {"old", "1"}}));
  EXPECT_EQ(Tags(away_, pool), object());
}

TEST_F(TagsTest, SecondaryTakesRegionalSettingsOnly) {
  const PoolId pool = ReplicatedPool({{"AutoVerifiedAttributes", {"email"}},
                                      {"EmailVerificationMessage", "Your code is {####}"},
                                      {"UserPoolTags", {{"where", "home"}}}});
  const auto update = [&](object settings) { return Update(away_, pool, std::move(settings)); };
  EXPECT_EQ(update({{"UserPoolTags", {{"where", "away"}}}}), "");
  EXPECT_EQ(Tags(away_, pool), (object{{"where", "away"}}));
  // As tools do that send all that they know.
  const object same = json::parse(R"({"PoolName":"pool","AutoVerifiedAttributes":["email"],
      "Policies":{"PasswordPolicy":{"MinimumLength":8,"RequireUppercase":true,"RequireLowercase":true,
                                    "RequireNumbers":true,"RequireSymbols":true}},
      "DeletionProtection":"INACTIVE","MfaConfiguration":"OFF","EmailVerificationMessage":"Your code is {####}",
      "AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"verified_email"},
                                                      {"Priority":2,"Name":"verified_phone_number"}]},
      "UserPoolTier":"ESSENTIALS","IssuerConfiguration":{"Type":"ORIGINAL"},
      "EmailConfiguration":{"EmailSendingAccount":"COGNITO_DEFAULT"}})")
                          .as_object();
  object with_tags = same;
  with_tags["UserPoolTags"] = object{{"where", "away again"}};
  with_tags["KeyConfiguration"] = object();
  EXPECT_EQ(update(with_tags), "");
  EXPECT_EQ(Tags(away_, pool), (object{{"where", "away again"}}));

  for (const auto& [name, value] : json::parse(R"({"PoolName":"other","AutoVerifiedAttributes":["phone_number"],
      "DeletionProtection":"ACTIVE","EmailVerificationMessage":"{####}","UserPoolTier":"PLUS",
      "Policies":{"PasswordPolicy":{"MinimumLength":20}},"AdminCreateUserConfig":{"AllowAdminCreateUserOnly":true},
      "AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"admin_only"}]},
      "IssuerConfiguration":{"Type":"UPDATED"},"KeyConfiguration":{"KeyType":"AWS_OWNED_KEY"}})")
                                       .as_object()) {
    object changed = with_tags;
    changed["UserPoolTags"] = object{{"where", "nowhere"}};
    changed[name] = value;
    const std::string error = update(changed);
    EXPECT_THAT(error, StartsWith("InvalidParameterException: ")) << std::string(name);
    const std::string told = name == "EmailVerificationMessage" ? "VerificationMessageTemplate" : std::string(name);
    EXPECT_THAT(error, HasSubstr(told + " differs from the user pool's")) << error;
  }
  EXPECT_EQ(Tags(away_, pool), (object{{"where", "away again"}})) << "a refusal changes nothing";
  // What no Region can set yet is refused by name here, too.
  EXPECT_THAT(update({{"SmsConfiguration", {{"SnsCallerArn", "arn:aws:iam::000000000000:role/sms"}}}}),
              HasSubstr("SmsConfiguration is not available yet"));
  EXPECT_THAT(update({{"LambdaConfig", {{"PreSignUp", "arn:aws:lambda:us-east-1:000000000000:function:f"}}}}),
              HasSubstr("LambdaConfig is not available yet"));
  EXPECT_EQ(Tags(home_, pool), (object{{"where", "home"}}));
}

}  // namespace
}  // namespace symbolon::cognito
