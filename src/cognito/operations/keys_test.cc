#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "certificate/certificate.h"
#include "cognito/test_region.h"
#include "key_life/key_supply.h"
#include "keys/arn.h"
#include "keys/local/test_support.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kSecondary = "us-east-1";

class KeysTest : public testing::Test {
 protected:
  KeysTest() {
    here_.ask_about_keys = [this](const Region&, const Bytes& request) {
      return cut_ ? replication::ControlResult<Bytes>(
                        Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, "cut"}))
                  : AskSecondary(request);
    };
  }

  replication::ControlResult<Bytes> AskSecondary(const Bytes& request) {
    there_.CopyPool(here_, pool_);
    return there_.AnswerAboutKeys(Region("eu-central-1"), request);
  }

  // A pool under this key (empty: the service's own), with a user; in both Regions, if it has a replica.
  void MakePool(const std::string& key, bool replicated = false) {
    object settings;
    if (!key.empty()) settings["KeyConfiguration"] = Customer(key);
    pool_ = here_.CreatePool(settings);
    Call("AdminCreateUser", {{"Username", "ann"}, {"MessageAction", "SUPPRESS"}});
    if (!replicated) return;
    Call("CreateUserPoolReplica", {{"RegionName", kSecondary}});
    here_.SetMemberState(pool_, kSecondary, replication::pb::ACTIVE);
    there_.CopyPool(here_, pool_);
  }
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
  static object Customer(const std::string& key) { return {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}; }
  std::string NewKey() { return here_.key_service().CreateKey(false, "").value().arn; }
  ApiRegion::Answer Try(std::string_view operation, object request = {}) {
    request["UserPoolId"] = pool_.value();
    return here_.Call(operation, request);
  }
  ApiRegion::Answer Call(std::string_view operation, object request = {}) {
    auto answer = Try(operation, std::move(request));
    EXPECT_EQ(answer.error(), "") << operation;
    return answer;
  }
  std::string ChangeTo(const std::string& key) {
    return Try("UpdateUserPool", {{"KeyConfiguration", Customer(key)}}).error();
  }
  // "" when the user can be read.
  std::string ReadIn(ApiRegion& region) {
    return region.Call("AdminGetUser", {{"UserPoolId", pool_.value()}, {"Username", "ann"}}).error();
  }
  keys::WrappedPoolKeysContents Contents(ApiRegion& region) {
    const auto stored = region.store().store().MakeSnapshot()->Get({.pool = pool_, .type = 2, .id = ""});
    return keys::ContentsOfPoolKeys(**stored).value();
  }
  static std::string InRegion(const std::string& key, ApiRegion& region) {
    return keys::KeyArnInRegion(key, region.settings().region);
  }
  void Withdraw(ApiRegion& region, const std::string& key) {
    ASSERT_TRUE(region.key_service().DisableKey(InRegion(key, region)));
  }
  std::set<Bytes> GenerationsIn(ApiRegion& region) {
    std::set<Bytes> found;
    for (const auto& [key, value] : region.store().Contents(pool_)) {
      if (const auto generation = keys::GenerationOf(value)) found.insert(Bytes(*generation));
    }
    return found;
  }
  void Reencrypt(object request = {}) {
    Call("SymbolonService.ReencryptUserPool", std::move(request));
    for (int i = 0; i < 1'000 && here_.reencryption().RunDue(); ++i) {
      clock_.Advance(std::chrono::seconds(1));
      here_.TickKeys();
      there_.TickKeys();
    }
  }

  ManualClock clock_;
  ApiRegion here_{"eu-central-1", clock_}, there_{kSecondary, clock_};
  PoolId pool_;
  std::string key_here_, key_there_;
  bool cut_ = false;
};

TEST_F(KeysTest, RegionsWithAKeyEachServeThePoolAndSayTheirOwn) {
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

TEST_F(KeysTest, DataKeysReachTheRegionUnderItsOwnKeyBeforeTheySeal) {
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

TEST_F(KeysTest, RegionThatCannotTakeTheKeysEndsTheChangeAndIsNotActivated) {
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

TEST_F(KeysTest, RegionThatWasNotGivenTheKeysSaysSo) {
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

TEST_F(KeysTest, ReplicasOwnKeyHasToBeOneOfItsRegionThatTheCallerMayName) {
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

TEST_F(KeysTest, ReplicasOwnKeyChangesAndGoesBackToThePools) {
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

TEST_F(KeysTest, PrimaryUnderItsOwnKeyGivesNewDataKeysToTheOthersAndChangesItAlone) {
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

TEST_F(KeysTest, ReencryptionLeavesNothingUnderTheFormerKey) {
  MakePool(here_.CreateSharedKey(there_), true);
  const std::string first = Contents(here_).cmk_arn, second = here_.CreateSharedKey(there_);
  for (int i = 0; i < 40; ++i) {
    Call("AdminCreateUser", {{"Username", "user" + std::to_string(i)}, {"MessageAction", "SUPPRESS"}});
  }
  EXPECT_EQ(ChangeTo(second), "");
  EXPECT_EQ(GenerationsIn(here_), std::set{Contents(here_).generations[0].name});
  Reencrypt();

  const auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "DONE");
  EXPECT_GT(shown.at("/Reencryption/RecordsReencrypted").to_number<int>(), 120);
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
  there_.CopyPool(here_, pool_);
  for (ApiRegion* region : {&here_, &there_}) {
    EXPECT_EQ(GenerationsIn(*region), std::set{Contents(here_).sealing_generation});
    Withdraw(*region, first);
    EXPECT_EQ(ReadIn(*region), "");
  }
  // Again there is nothing to do.
  Reencrypt();
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").at("/Reencryption/RecordsReencrypted"), 0);
}

TEST_F(KeysTest, FormerKeyThatIsDeletedForGood_IsNotMissedAfterReencryption) {
  const std::string first = here_.CreateSharedKey(there_), second = here_.CreateSharedKey(there_);
  MakePool(first, true);
  EXPECT_EQ(ChangeTo(second), "");
  Call("AdminCreateUser", {{"Username", "bob"}, {"MessageAction", "SUPPRESS"}});
  Reencrypt();
  ASSERT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
  there_.CopyPool(here_, pool_);

  // The replica goes first, and then the waiting period of the primary key begins.
  for (ApiRegion* region : {&here_, &there_}) {
    ASSERT_TRUE(region->key_service().ScheduleDeletion(InRegion(first, *region), 7));
  }
  keys::local::DirectTransport from_here(here_.settings().region), from_there(there_.settings().region);
  for (keys::local::DirectTransport* transport : {&from_here, &from_there}) {
    for (ApiRegion* region : {&here_, &there_}) {
      transport->regions[region->settings().region] = &region->key_service();
    }
  }
  for (int period = 0; period < 2; ++period) {
    clock_.Advance(std::chrono::days(7));
    there_.key_service().Tick(from_there);
    here_.key_service().Tick(from_here);
  }
  for (ApiRegion* region : {&here_, &there_}) {
    EXPECT_EQ(region->key_service().Describe(InRegion(first, *region)).error().code,
              keys::local::LocalKeyErrorCode::kNotFound);
    // As after a restart.
    region->keyring().Invalidate(pool_);
    for (const char* name : {"ann", "bob"}) {
      EXPECT_EQ(region->Call("AdminGetUser", {{"UserPoolId", pool_.value()}, {"Username", name}}).error(), "");
    }
    const auto keys = region->keyring().KeysOf(*region->store().store().MakeSnapshot(), pool_);
    ASSERT_TRUE(keys);
    for (const auto& [key, value] : region->store().Contents(pool_)) {
      if (keys::GenerationOf(value)) EXPECT_TRUE((*keys)->Open(key, value)) << key.type;
    }
  }
}

TEST_F(KeysTest, FormerKeyStaysUntilEveryRegionHasLookedForIt) {
  MakePool(here_.CreateSharedKey(there_), true);
  EXPECT_EQ(ChangeTo(here_.CreateSharedKey(there_)), "");
  cut_ = true;
  Reencrypt();
  auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "FINISHING");
  EXPECT_EQ(shown.text("/Reencryption/Problem"), "Region us-east-1 is not in reach.");
  EXPECT_EQ(Contents(here_).generations.size(), 2u);
  cut_ = false;
  Reencrypt();
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
  EXPECT_EQ(Contents(here_).generations.size(), 1u);
}

TEST_F(KeysTest, ReencryptionWaitsWhileThePoolIsLockedAndGoesOnAfterwards) {
  MakePool("");
  const std::string key = NewKey();
  EXPECT_EQ(ChangeTo(key), "");
  Call("SymbolonService.ReencryptUserPool");
  Withdraw(here_, key);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(here_.reencryption().RunDue());
    clock_.Advance(std::chrono::seconds(1));
  }
  const auto shown = Call("SymbolonService.DescribeReencryption");
  EXPECT_EQ(shown.text("/Reencryption/Status"), "RUNNING");
  EXPECT_EQ(shown.text("/Reencryption/Problem"), "The KMS key of the user pool is disabled.");
  ASSERT_TRUE(here_.key_service().EnableKey(key));
  for (int i = 0; i < 100 && here_.reencryption().RunDue(); ++i) {
    clock_.Advance(std::chrono::seconds(1));
    here_.TickKeys();
  }
  EXPECT_EQ(Call("SymbolonService.DescribeReencryption").text("/Reencryption/Status"), "DONE");
}

TEST_F(KeysTest, ReencryptionKeepsItsPace) {
  MakePool("");
  for (int i = 0; i < 40; ++i) {
    Call("AdminCreateUser", {{"Username", "user" + std::to_string(i)}, {"MessageAction", "SUPPRESS"}});
  }
  EXPECT_EQ(ChangeTo(NewKey()), "");
  Call("SymbolonService.ReencryptUserPool", {{"RecordsPerSecond", 20}});
  const auto started = clock_.SinceBoot();
  while (const auto due = here_.reencryption().RunDue()) {
    if (*due > clock_.SinceBoot()) clock_.Advance(*due - clock_.SinceBoot());
    here_.TickKeys();
  }
  const int resealed =
      Call("SymbolonService.DescribeReencryption").at("/Reencryption/RecordsReencrypted").to_number<int>();
  EXPECT_GE(clock_.SinceBoot() - started, std::chrono::milliseconds((resealed - 8) * 50));
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

// What replication and the job do in a node.
class PoolShreddingTest : public KeysTest {
 protected:
  ApiRegion::Answer Shred(object request = {}) {
    request.emplace("Confirmation", pool_.value());
    return Try("SymbolonService.ShredUserPool", std::move(request));
  }
  void RunToTheEnd() {
    here_.shredding().RunDue();
    ASSERT_TRUE(here_.store().store().DropPool(pool_));
    for (int i = 0; i < 10 && here_.shredding().RunDue(); ++i) clock_.Advance(std::chrono::seconds(1));
  }
  std::string Status() { return Try("SymbolonService.DescribeShredding").text("/Shredding/Status"); }
};

TEST_F(PoolShreddingTest, WithoutTheConfirmationOrUnderDeletionProtection_NothingIsDone) {
  MakePool("");
  EXPECT_THAT(Try("SymbolonService.ShredUserPool").error(), StartsWith("InvalidParameterException"));
  EXPECT_EQ(Shred({{"Confirmation", "yes"}}).error(),
            "InvalidParameterException: Confirmation has to be the user pool's id.");
  Call("UpdateUserPool", {{"DeletionProtection", "ACTIVE"}});
  EXPECT_THAT(Shred().error(), HasSubstr("deletion protection is activated"));
  EXPECT_THAT(Shred({{"AlthoughLocked", true}}).error(), HasSubstr("deletion protection is activated"));
  EXPECT_EQ(ReadIn(here_), "");
  EXPECT_EQ(Try("SymbolonService.DescribeShredding").error(),
            "ResourceNotFoundException: This Region knows of no shredding of the user pool.");
}

TEST_F(PoolShreddingTest, ThePoolIsGoneAtOnceAndTheCertificateTellsWhoAsked) {
  MakePool("");
  const auto begun = Shred();
  EXPECT_EQ(begun.error(), "");
  EXPECT_EQ(begun.text("/Shredding/Status"), "PENDING");
  EXPECT_THAT(ReadIn(here_), StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Shred().error(), StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Try("DescribeUserPool").error(), StartsWith("ResourceNotFoundException"));
  EXPECT_EQ(Status(), "PENDING");
  RunToTheEnd();
  const auto told = Try("SymbolonService.DescribeShredding");
  EXPECT_EQ(told.text("/Shredding/Status"), "FINAL");
  EXPECT_EQ(told.text("/Shredding/Regions/0/State"), "DONE");
  const auto verified = certificate::Verify(told.text("/Shredding/Certificate"), {});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_TRUE(verified->good() && verified->final);
  EXPECT_EQ(verified->order.asked_by, "arn:aws:iam::000000000000:root");
  EXPECT_TRUE(here_.store().Contents(pool_).empty());
}

TEST_F(PoolShreddingTest, APoolWhoseKeyIsWithdrawnTakesASecondWord) {
  const std::string key = NewKey();
  MakePool(key);
  Withdraw(here_, key);
  EXPECT_THAT(Shred().error(), HasSubstr("It can be shredded all the same with AlthoughLocked."));
  EXPECT_EQ(ReadIn(here_), "OperationNotEnabledException: The KMS key of the user pool is disabled.");
  EXPECT_EQ(Shred({{"AlthoughLocked", true}}).error(), "");
  RunToTheEnd();
  EXPECT_EQ(Status(), "FINAL");
}

TEST_F(PoolShreddingTest, ItsActionIsItsOwn) {
  MakePool("");
  const auto as_ann = [&](const std::string& action) {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":")" + action + R"("}]})";
    return here_.CallAs("ann", {policy}, "SymbolonService.ShredUserPool",
                        {{"UserPoolId", pool_.value()}, {"Confirmation", pool_.value()}});
  };
  EXPECT_THAT(as_ann("cognito-idp:*").error(), StartsWith("AccessDeniedException"));
  EXPECT_EQ(as_ann("symbolon:ShredUserPool").error(), "");
}

}  // namespace
}  // namespace symbolon::cognito
