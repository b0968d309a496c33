#include "cognito/placement.h"

#include <gtest/gtest.h>

#include "model/own_operations.h"

namespace symbolon::cognito {
namespace {

using replication::Role;

const Role kPrimary{.kind = Role::Kind::kPrimary};
const Role kActive{.kind = Role::Kind::kSecondary, .state = replication::pb::ACTIVE};
const Role kInactive{.kind = Role::Kind::kSecondary, .state = replication::pb::INACTIVE};

const model::OperationFacts& Cognito(const std::string& name) {
  return *model::FindOperation("AWSCognitoIdentityProviderService." + name);
}
const model::OperationFacts& Own(const std::string& name) { return *model::FindOperation("SymbolonService." + name); }

TEST(PlacementOf, APrimaryDoesEverythingItself) {
  for (const auto& operation : model::OperationsOf(model::Service::kCognito)) {
    EXPECT_EQ(PlacementOf(operation, kPrimary), Placement::kHere) << operation.name;
    EXPECT_FALSE(PassesOn(operation, kPrimary, true)) << operation.name;
  }
}

TEST(PlacementOf, ASecondaryDoesWhatItsStateAllows) {
  EXPECT_EQ(PlacementOf(Cognito("SignUp"), kActive), Placement::kAtPrimary);
  EXPECT_EQ(PlacementOf(Cognito("AdminGetUser"), kInactive), Placement::kHere);
  EXPECT_EQ(PlacementOf(Cognito("InitiateAuth"), kActive), Placement::kHere);
  EXPECT_EQ(PlacementOf(Cognito("InitiateAuth"), kInactive), Placement::kAtActiveReplica);
  EXPECT_EQ(PlacementOf(Cognito("UpdateUserPoolReplica"), kInactive), Placement::kAtPrimary);
}

TEST(PassesOn, ChangesOfTheDirectoryWhenTheNodeIsSetSo) {
  for (const char* name : {"SignUp", "AdminCreateUser", "UpdateUserAttributes", "RespondToAuthChallenge",
                           "CreateUserPoolClient", "DeleteUserPool"}) {
    EXPECT_TRUE(PassesOn(Cognito(name), kActive, true)) << name;
    EXPECT_FALSE(PassesOn(Cognito(name), kActive, false)) << name;
  }
  EXPECT_TRUE(PassesOn(Own("SetReplicationDurability"), kActive, true));
}

TEST(PassesOn, TheStateOfAReplicaWhateverTheSetting) {
  EXPECT_TRUE(PassesOn(Cognito("UpdateUserPoolReplica"), kInactive, false));
}

TEST(PassesOn, AnInactiveReplicaOnlyForAdministrators) {
  EXPECT_TRUE(PassesOn(Cognito("AdminCreateUser"), kInactive, true));
  EXPECT_FALSE(PassesOn(Cognito("SignUp"), kInactive, true));
  EXPECT_FALSE(PassesOn(Cognito("ChangePassword"), kInactive, true));
}

TEST(PassesOn, NotWhatConcernsTheRegionItself) {
  for (const char* name : {"CreateUserPool", "ListUserPools", "DescribeUserPool", "ListUserPoolReplicas"}) {
    EXPECT_FALSE(MayBePassedOn(Cognito(name))) << name;
    EXPECT_FALSE(PassesOn(Cognito(name), kActive, true)) << name;
  }
  // It has a way of its own, which ends in the Region that is to give up or to take over.
  EXPECT_FALSE(MayBePassedOn(Own("PromoteUserPoolReplica")));
  for (const auto& operation : model::OperationsOf(model::Service::kKms)) EXPECT_FALSE(MayBePassedOn(operation));
}

}  // namespace
}  // namespace symbolon::cognito
