#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognito/operations/test_keys.h"
#include "key_life/key_supply.h"
#include "keys/local/test_support.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(KeysTest, PoolMovesFromTheServicesKeyToACustomersAndToAnotherAndBack) {
  MakePool("");
  const std::string first = NewKey(), second = NewKey();
  EXPECT_EQ(ChangeTo(first), "");
  EXPECT_EQ(Call("DescribeUserPool").at("/UserPool/KeyConfiguration"), boost::json::value(Customer(first)));
  EXPECT_EQ(ReadIn(here_), "");
  EXPECT_EQ(ChangeTo(second), "");
  Withdraw(here_, first);
  EXPECT_EQ(ReadIn(here_), "");
  Call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  Withdraw(here_, second);
  EXPECT_EQ(ReadIn(here_), "OperationNotEnabledException: The KMS key of the user pool is disabled.");
  ASSERT_TRUE(here_.key_service().EnableKey(second));
  Call("UpdateUserPool", {{"KeyConfiguration", {{"KeyType", "AWS_OWNED_KEY"}}}});
  Withdraw(here_, second);
  EXPECT_EQ(ReadIn(here_), "");
  EXPECT_EQ(Call("DescribeUserPool").text("/UserPool/KeyConfiguration/KeyType"), "AWS_OWNED_KEY");
  EXPECT_EQ(Contents(here_).generations.size(), 4u);
}

TEST_F(KeysTest, UpdateThatNamesNoKeyKeepsItUnlessThereAreReplicas) {
  const std::string own = NewKey();
  MakePool(own);
  const auto before = Contents(here_);
  Call("UpdateUserPool", {{"PoolName", "other"}});
  Call("UpdateUserPool", {{"KeyConfiguration", object()}});
  EXPECT_EQ(Call("DescribeUserPool").at("/UserPool/KeyConfiguration"), boost::json::value(Customer(own)));
  EXPECT_EQ(Contents(here_).cmk_arn, own);
  EXPECT_EQ(Contents(here_).generations.size(), before.generations.size());
  const std::string key = here_.CreateSharedKey(there_);
  MakePool(key, true);
  const std::string refusal =
      "InvalidParameterException: Using an AWS owned KMS key is not supported for a user pool with multi-region "
      "replication enabled.";
  EXPECT_EQ(Try("UpdateUserPool", {{"PoolName", "other"}}).error(), refusal);
  EXPECT_EQ(Try("UpdateUserPool", {{"KeyConfiguration", object()}}).error(), refusal);
  EXPECT_EQ(Try("UpdateUserPool", {{"KeyConfiguration", {{"KeyType", "AWS_OWNED_KEY"}}}}).error(), refusal);
  EXPECT_EQ(Try("UpdateUserPool", {{"PoolName", "other"}, {"KeyConfiguration", Customer(key)}}).error(), "");
}

TEST_F(KeysTest, ReplicaOpensTheNewKeyBeforeItSeals) {
  MakePool(here_.CreateSharedKey(there_), true);
  const std::string first = Contents(here_).cmk_arn, second = here_.CreateSharedKey(there_);
  EXPECT_EQ(ChangeTo(second), "");
  Call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  there_.CopyPool(here_, pool_);
  for (ApiRegion* region : {&here_, &there_}) {
    Withdraw(*region, first);
    EXPECT_EQ(ReadIn(*region), "");
    EXPECT_EQ(Contents(*region).cmk_arn, second);
  }
}

TEST_F(KeysTest, KeyThatARegionCannotUseIsRefusedByThatRegionsName) {
  MakePool(here_.CreateSharedKey(there_), true);
  const Bytes before = Contents(here_).sealing_generation;
  EXPECT_THAT(ChangeTo(NewKey()), testing::AllOf(StartsWith("InvalidParameterException: "), HasSubstr(kSecondary)));

  const std::string second = here_.CreateSharedKey(there_);
  Withdraw(there_, second);
  EXPECT_EQ(ChangeTo(second),
            "InvalidParameterException: The key cannot be used in Region us-east-1: The KMS key of the user pool is "
            "disabled.");
  EXPECT_FALSE(Contents(here_).offered_at);

  ASSERT_TRUE(there_.key_service().EnableKey(keys::KeyArnInRegion(second, Region(kSecondary))));
  cut_ = true;
  EXPECT_THAT(ChangeTo(second), StartsWith("ServiceUnavailableException: Region us-east-1 has not confirmed"));
  EXPECT_FALSE(Contents(here_).offered_at);
  EXPECT_EQ(Contents(here_).sealing_generation, before);
  // Whoever is not ACTIVE is not waited for.
  here_.SetMemberState(pool_, kSecondary, replication::pb::INACTIVE);
  EXPECT_EQ(ChangeTo(second), "");
}

TEST_F(KeysTest, RefusedSettingsChangeNoKey) {
  MakePool("");
  const std::string key = NewKey();
  EXPECT_NE(Try("UpdateUserPool",
                {{"KeyConfiguration", Customer(key)}, {"UserPoolAddOns", {{"AdvancedSecurityMode", "AUDIT"}}}})
                .error(),
            "");
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
  EXPECT_FALSE(Contents(here_).offered_at);
}

TEST_F(KeysTest, NewDataKeySealsUnderTheSameKmsKey) {
  MakePool(here_.CreateSharedKey(there_), true);
  const auto before = Contents(here_);
  EXPECT_EQ(Call("SymbolonService.RotateUserPoolKey").at("/DataKeys"), 2);
  const auto after = Contents(here_);
  EXPECT_EQ(after.cmk_arn, before.cmk_arn);
  EXPECT_NE(after.sealing_generation, before.sealing_generation);
  there_.CopyPool(here_, pool_);
  EXPECT_EQ(ReadIn(there_), "");
}

TEST_F(KeysTest, DataKeysRotateWhenTheyAreOldEnough) {
  MakePool("");
  const auto days = [](int count) { return std::chrono::days(count); };
  here_.key_changes().Tend(days(90));
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
  clock_.Advance(days(90));
  here_.TickKeys();
  here_.key_changes().Tend(days(0));
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
  here_.key_changes().Tend(days(90));
  EXPECT_EQ(Contents(here_).generations.size(), 2u);
  here_.key_changes().Tend(days(90));
  EXPECT_EQ(Contents(here_).generations.size(), 2u);
}

TEST_F(KeysTest, StateOfTheKeyIsToldForEveryRegionWhileThePoolIsLocked) {
  const std::string key = here_.CreateSharedKey(there_);
  MakePool(key, true);
  Withdraw(there_, key);
  auto shown = Call("SymbolonService.DescribeUserPoolKey");
  EXPECT_EQ(shown.text("/KmsKeyArn"), key);
  EXPECT_EQ(shown.text("/Regions/0/State"), "OPEN");
  EXPECT_EQ(shown.text("/Regions/1/State"), "LOCKED");
  EXPECT_EQ(shown.text("/Regions/1/Reason"), "The KMS key of the user pool is disabled.");
  Withdraw(here_, key);
  cut_ = true;
  shown = Call("SymbolonService.DescribeUserPoolKey");
  EXPECT_EQ(shown.text("/Regions/0/State"), "LOCKED");
  EXPECT_EQ(shown.text("/Regions/1/State"), "UNKNOWN");
  EXPECT_EQ(Call("SymbolonService.DescribeReplication").error(), "");
}

TEST_F(KeysTest, PoolWhoseKeyIsDeletedForGoodIsToldToBeLostThere) {
  const std::string key = here_.CreateSharedKey(there_);
  MakePool(key, true);
  ASSERT_TRUE(there_.key_service().ScheduleDeletion(InRegion(key, there_), 7));
  EXPECT_EQ(Call("SymbolonService.DescribeUserPoolKey").text("/Regions/1/Reason"),
            "The KMS key of the user pool is pending deletion.");
  clock_.Advance(std::chrono::days(7));
  keys::local::DirectTransport nobody(there_.settings().region);
  nobody.cut = {here_.settings().region};
  there_.key_service().Tick(nobody);
  here_.TickKeys();
  const auto shown = Call("SymbolonService.DescribeUserPoolKey");
  EXPECT_EQ(shown.text("/Regions/0/State"), "OPEN");
  EXPECT_EQ(shown.text("/Regions/1/State"), "LOST");
  EXPECT_EQ(shown.text("/Regions/1/Reason"), "The KMS key of the user pool is deleted, or not found in this Region.");
  EXPECT_EQ(ReadIn(there_),
            "OperationNotEnabledException: The KMS key of the user pool is deleted, or not found in this Region.");

  // It exists elsewhere: ReplicateKey brings it back, and the pool opens.
  keys::local::DirectTransport transport(here_.settings().region);
  transport.regions[there_.settings().region] = &there_.key_service();
  ASSERT_TRUE(here_.key_service().ReplicateKey(key, there_.settings().region, "", transport));
  EXPECT_EQ(ReadIn(there_), "");
  EXPECT_EQ(Call("SymbolonService.DescribeUserPoolKey").text("/Regions/1/State"), "OPEN");
}
// ---- Regions with a key of their own ----

class RegionKeysTest : public KeysTest {
 protected:
  // A pool under a single-Region key of each Region.
  void MakePoolOfTwoKeys() {
    key_here_ = NewKey();
    key_there_ = NewKeyThere();
    MakePool(key_here_);
    const auto made =
        Call("CreateUserPoolReplica", {{"RegionName", kSecondary}, {"KeyConfiguration", Customer(key_there_)}});
    EXPECT_EQ(made.at("/UserPoolReplica/KeyConfiguration"), boost::json::value(Customer(key_there_)));
    here_.SetMemberState(pool_, kSecondary, replication::pb::INACTIVE);
    EXPECT_EQ(SetStatus("ACTIVE"), "");
    there_.CopyPool(here_, pool_);
  }
  std::string NewKeyThere() { return there_.key_service().CreateKey(false, "").value().arn; }
  std::string SetStatus(const char* status, object more = {}) {
    more["RegionName"] = kSecondary;
    more["Status"] = status;
    return Try("UpdateUserPoolReplica", std::move(more)).error();
  }
  // The roles change, as a planned promotion would change them.
  void SwapRoles() {
    there_.CopyPool(here_, pool_);
    there_.store().Change(pool_, [](directory::Transaction& tx) {
      auto role = replication::ParseRole(tx.GetClear(directory::RecordType::kRole, "").value());
      role = replication::TakeOver(*role, Region(kSecondary), 2, Timestamp()).value();
      tx.StartEpoch(2);
      tx.PutClear(directory::RecordType::kRole, "", replication::SerializeRole(*role));
    });
    here_.CopyPool(there_, pool_);
  }

  std::string key_here_, key_there_;
};

TEST_F(RegionKeysTest, RegionsWithAKeyEachServeThePoolAndSayTheirOwn) {
  MakePoolOfTwoKeys();
  for (ApiRegion* region : {&here_, &there_}) {
    const std::string& key = region == &here_ ? key_here_ : key_there_;
    EXPECT_EQ(ReadIn(*region), "");
    const object pool{{"UserPoolId", pool_.value()}};
    EXPECT_EQ(region->Call("DescribeUserPool", pool).text("/UserPool/KeyConfiguration/KmsKeyArn"), key);
    EXPECT_EQ(region->Call("SymbolonService.DescribeUserPoolKey", pool).text("/KmsKeyArn"), key);
  }
  const auto shown = Call("SymbolonService.DescribeUserPoolKey");
  EXPECT_EQ(shown.text("/Regions/1/KmsKeyArn"), key_there_);
  EXPECT_EQ(shown.text("/Regions/1/State"), "OPEN");
  Withdraw(there_, key_there_);
  EXPECT_EQ(ReadIn(here_), "");
  EXPECT_EQ(ReadIn(there_), "OperationNotEnabledException: The KMS key of the user pool is disabled.");
}

TEST_F(RegionKeysTest, DataKeysReachTheRegionUnderItsOwnKeyBeforeTheySeal) {
  MakePoolOfTwoKeys();
  EXPECT_EQ(Call("SymbolonService.RotateUserPoolKey").at("/DataKeys"), 2);
  EXPECT_EQ(ChangeTo(NewKey()), "");
  Withdraw(here_, key_here_);
  Call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  Reencrypt();
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
  there_.CopyPool(here_, pool_);
  for (ApiRegion* region : {&here_, &there_}) {
    EXPECT_EQ(ReadIn(*region), "");
    EXPECT_EQ(Contents(*region).generations.size(), 1u);
  }
}

TEST_F(RegionKeysTest, RegionThatCannotTakeTheKeysEndsTheChangeAndIsNotActivated) {
  MakePoolOfTwoKeys();
  Withdraw(there_, key_there_);
  EXPECT_EQ(Try("SymbolonService.RotateUserPoolKey").error(),
            "InvalidParameterException: The key cannot be used in Region us-east-1: The KMS key of the user pool is "
            "disabled.");
  EXPECT_FALSE(Contents(here_).offered_at);
  EXPECT_EQ(SetStatus("INACTIVE"), "");
  EXPECT_THAT(SetStatus("ACTIVE"), HasSubstr("us-east-1: The KMS key of the user pool is disabled."));
  // Nobody waits for it now, and it gets what came meanwhile when it can.
  EXPECT_EQ(Call("SymbolonService.RotateUserPoolKey").at("/DataKeys"), 2);
  ASSERT_TRUE(there_.key_service().EnableKey(key_there_));
  cut_ = true;
  EXPECT_THAT(SetStatus("ACTIVE"), StartsWith("ServiceUnavailableException: "));
  cut_ = false;
  EXPECT_EQ(SetStatus("ACTIVE"), "");
  there_.CopyPool(here_, pool_);
  EXPECT_EQ(ReadIn(there_), "");
}

TEST_F(RegionKeysTest, RegionThatWasNotGivenTheKeysSaysSo) {
  MakePoolOfTwoKeys();
  EXPECT_EQ(SetStatus("INACTIVE"), "");
  Call("SymbolonService.RotateUserPoolKey");
  there_.CopyPool(here_, pool_);
  EXPECT_THAT(ReadIn(there_), HasSubstr("have not been given to this Region"));
  const auto shown = Call("SymbolonService.DescribeUserPoolKey");
  EXPECT_EQ(shown.text("/Regions/1/State"), "LOCKED");
  EXPECT_EQ(shown.text("/Regions/1/KmsKeyArn"), key_there_);

  key_life::KeySupply supply(here_.services().key_life->services, {});
  supply.Tick();
  EXPECT_EQ(ReadIn(there_), "");
}

TEST_F(RegionKeysTest, StoreCannotBeRead_NoKeysPassForFormerOnes) {
  MakePoolOfTwoKeys();
  const storage::Key own_keys{.space = storage::Space::kRegional,
                              .pool = pool_,
                              .type = static_cast<std::uint16_t>(directory::RecordType::kRegionalKeys),
                              .id = {}};
  const auto stored = [&] { return there_.store().store().MakeSnapshot()->Get(own_keys).value(); };
  const auto before = stored();
  ASSERT_TRUE(before);
  // What was given while a key changes is kept for minutes anyway.
  clock_.Advance(std::chrono::hours(1));

  int reads = 0, failing = 1;
  const auto store = storage::MakeUnreadableStore(there_.store().store(), [&](const storage::Read& read) {
    const bool fails = read.kind == storage::Read::Kind::kRecord && ++reads == failing;
    return fails ? storage::ReadFault::kFails : storage::ReadFault::kNone;
  });
  const key_life::Services& all = there_.services().key_life->services;
  for (;; ++failing) {
    reads = 0;
    key_life::KeySupply supply({.store = *store,
                                .keys = all.keys,
                                .commits = all.commits,
                                .clock = all.clock,
                                .random = all.random,
                                .here = all.here,
                                .ask = all.ask},
                               {});
    supply.Tick();
    EXPECT_EQ(stored(), before) << "read " << failing << " of the first round failed";
    supply.Tick();
    EXPECT_EQ(stored(), before) << "read " << failing << " failed";
    if (reads < failing) break;
  }
  EXPECT_GT(failing, 6) << "its reads are what this test is about";
  EXPECT_EQ(ReadIn(there_), "");
}

TEST_F(RegionKeysTest, ReplicasOwnKeyHasToBeOneOfItsRegionThatTheCallerMayName) {
  MakePool(NewKey());
  const auto create = [&](const object& configuration) {
    return Try("CreateUserPoolReplica", {{"RegionName", kSecondary}, {"KeyConfiguration", configuration}}).error();
  };
  EXPECT_THAT(Try("CreateUserPoolReplica", {{"RegionName", kSecondary}}).error(), HasSubstr("KeyConfiguration"));
  EXPECT_THAT(create(Customer(NewKey())), StartsWith("InvalidParameterException: The KMS key of a replica is one of"));
  EXPECT_THAT(create({{"KeyType", "AWS_OWNED_KEY"}}), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(create(Customer("arn:aws:kms:us-east-1:000000000000:key/none")), HasSubstr("does not exist"));
  there_.refusal_of_keys = "Access is denied.";
  EXPECT_THAT(create(Customer(NewKeyThere())), HasSubstr("Access is denied."));
  EXPECT_EQ(Call("ListUserPoolReplicas").at("/UserPoolReplicas").as_array().size(), 1u);
}

TEST_F(RegionKeysTest, ReplicasOwnKeyChangesAndGoesBackToThePools) {
  const std::string shared = here_.CreateSharedKey(there_), first = NewKeyThere(), second = NewKeyThere();
  MakePool(shared, true);
  const Bytes sealing = Contents(here_).sealing_generation;
  const auto change = [&](const std::string& key) {
    EXPECT_EQ(SetStatus("ACTIVE", {{"KeyConfiguration", Customer(key)}}), "");
    there_.CopyPool(here_, pool_);
    EXPECT_EQ(ReadIn(there_), "");
    const auto told = there_.Call("SymbolonService.DescribeUserPoolKey", {{"UserPoolId", pool_.value()}});
    EXPECT_EQ(told.text("/KmsKeyArn"), key);
  };
  change(first);
  change(second);
  Withdraw(there_, first);
  EXPECT_EQ(ReadIn(there_), "");
  change(keys::KeyArnInRegion(shared, Region(kSecondary)));
  Withdraw(there_, second);
  EXPECT_EQ(ReadIn(there_), "");
  EXPECT_EQ(Contents(here_).sealing_generation, sealing);
}

TEST_F(RegionKeysTest, PrimaryUnderItsOwnKeyGivesNewDataKeysToTheOthersAndChangesItAlone) {
  MakePoolOfTwoKeys();
  SwapRoles();
  here_.ask_about_keys = nullptr;
  there_.ask_about_keys = [this](const Region&, const Bytes& request) {
    here_.CopyPool(there_, pool_);
    return here_.AnswerAboutKeys(Region(kSecondary), request);
  };
  const auto call = [&](std::string_view operation, object request) {
    request["UserPoolId"] = pool_.value();
    const auto answer = there_.Call(operation, request);
    EXPECT_EQ(answer.error(), "") << operation;
    return answer;
  };
  EXPECT_EQ(call("SymbolonService.RotateUserPoolKey", {}).at("/DataKeys"), 2);
  call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  const std::string next = NewKeyThere();
  call("UpdateUserPool", {{"KeyConfiguration", Customer(next)}});
  EXPECT_EQ(call("DescribeUserPool", {}).text("/UserPool/KeyConfiguration/KmsKeyArn"), next);
  Withdraw(there_, key_there_);
  here_.CopyPool(there_, pool_);
  for (ApiRegion* region : {&here_, &there_}) EXPECT_EQ(ReadIn(*region), "");
  EXPECT_EQ(
      here_.Call("DescribeUserPool", {{"UserPoolId", pool_.value()}}).text("/UserPool/KeyConfiguration/KmsKeyArn"),
      key_here_);
}

}  // namespace
}  // namespace symbolon::cognito
