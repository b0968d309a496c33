#include "node/key_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "keys/local/test_support.h"
#include "node/audit.h"
#include "node/key_link.pb.h"

namespace symbolon::node {
namespace {

using keys::local::KeyOrigin;
using keys::local::LocalKeyErrorCode;
using keys::local::LocalKeyProvider;
using replication::ControlErrorCode;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");

// Two Regions whose links carry what they would carry on the wire.
class KeyLinkTest : public testing::Test {
 protected:
  KeyLink LinkFrom(const Region& from) {
    return KeyLink([this, from](const Region& target,
                                const replication::pb::ControlRequest& request) -> replication::ControlResult<Bytes> {
      if (target != kHere && target != kThere) {
        return Err(replication::ControlError{ControlErrorCode::kNotMember, target.value()});
      }
      last_request_ = request;
      return AnswerKeyRequest(target == kHere ? *here_ : *there_, audit_, from, request);
    });
  }

  // Of the Region that answers.
  std::vector<std::string> Records() {
    std::vector<std::string> records;
    SYMBOLON_CHECK(audit::ForEachEvent(test_trail_.directory, {}, [&](auto record) { records.emplace_back(record); }));
    return records;
  }

  audit::TestTrail test_trail_;
  std::unique_ptr<audit::Trail> trail_ = test_trail_.Open();
  const KeyLinkAudit audit_{*trail_, test_trail_.clock};
  ManualClock clock_;
  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ =
      keys::local::OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> there_ =
      keys::local::OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  KeyLink from_here_ = LinkFrom(kHere), from_there_ = LinkFrom(kThere);
  replication::pb::ControlRequest last_request_;
};

TEST_F(KeyLinkTest, WhatTheServiceDoesByItself_IsInTheTrailAndWaitsWhileItTakesNoLines) {
  AuditOwnActs(*here_, *trail_, test_trail_.clock);
  const auto rotating = here_->CreateKey(true, "").value();
  ASSERT_TRUE(here_->EnableRotation(rotating.id, 90));
  ASSERT_TRUE(here_->RotateOnDemand(rotating.id, from_here_));
  const auto ending = here_->CreateKey(false, "").value();
  ASSERT_TRUE(here_->ScheduleDeletion(ending.id, 7));
  here_->Tick(from_here_);
  clock_.Advance(std::chrono::days(91));
  {
    const audit::FullDisk full(1);
    EXPECT_FALSE(trail_->Record(test_trail_.Use("Decrypt")));
    here_->Tick(from_here_);
    EXPECT_TRUE(here_->Describe(ending.id)) << "nothing is done that could not be audited";
  }
  trail_->Tick();
  here_->Tick(from_here_);
  EXPECT_FALSE(here_->Describe(ending.id));
  here_->Tick(from_here_);

  const auto about = [](const std::string& name, const std::string& arn, const std::string& details) {
    return testing::AllOf(testing::HasSubstr("\"eventName\":\"" + name + '"'),
                          testing::HasSubstr("\"ARN\":\"" + arn + '"'), testing::HasSubstr(details),
                          testing::HasSubstr(R"("eventType":"AwsServiceEvent")"));
  };
  const auto records = Records();
  ASSERT_EQ(records.size(), 4U);
  EXPECT_THAT(records[0], about("RotateKey", rotating.arn, R"("rotationType":"ON_DEMAND")"));
  EXPECT_THAT(records[1], testing::HasSubstr("Decrypt"));
  EXPECT_THAT((std::vector{records[2], records[3]}),
              testing::UnorderedElementsAre(
                  about("RotateKey", rotating.arn, R"("rotationType":"AUTOMATIC")"),
                  about("DeleteKey", ending.arn, R"("serviceEventDetails":{"keyId":")" + ending.id + "\"}")));
}

TEST_F(KeyLinkTest, ReplicaRotationChangeOfPrimaryAndDeletionCrossTheLink) {
  const std::string id = here_->CreateKey(true, "").value().id;
  ASSERT_TRUE(here_->RotateOnDemand(id, from_here_));
  const auto made = here_->ReplicateKey(
      id, kThere, LocalKeyProvider::NewReplica{.description = "d", .policy = "{}", .tags = {{"a", "b"}}}, from_here_);
  ASSERT_TRUE(made);
  ASSERT_TRUE(here_->EnableRotation(id, 100));
  ASSERT_TRUE(here_->RotateOnDemand(id, from_here_));
  const auto mine = here_->Facts(id).value(), theirs = there_->Facts(id).value();
  EXPECT_EQ(theirs->description, "d");
  EXPECT_EQ(*theirs->policy, "{}");
  EXPECT_EQ(theirs->tags, (keys::local::Tags{{"a", "b"}}));
  EXPECT_EQ(theirs->sequence, mine->sequence);
  EXPECT_EQ(theirs->current_version, 3u);
  EXPECT_EQ(theirs->rotation.period_days, 100);
  EXPECT_EQ(theirs->rotation.since, mine->rotation.since);
  EXPECT_EQ(theirs->rotation.on_demand_count, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(theirs->materials[i].id, mine->materials[i].id);
    EXPECT_EQ(theirs->materials[i].rotated, mine->materials[i].rotated);
    EXPECT_EQ(theirs->materials[i].on_demand, mine->materials[i].on_demand);
  }
  ASSERT_TRUE(here_->UpdatePrimaryRegion(id, kThere, from_here_));
  EXPECT_EQ(there_->Describe(id)->primary, kThere);
  EXPECT_EQ(here_->Describe(id)->primary, kThere);
  ASSERT_TRUE(here_->ScheduleDeletion(id, 7));
  clock_.Advance(std::chrono::days(7));
  here_->Tick(from_here_);
  EXPECT_TRUE(there_->Describe(id)->replicas.empty());
}

TEST_F(KeyLinkTest, RefusalsKeepTheirMeaning) {
  const std::string id = here_->CreateKey(true, "").value().id;
  EXPECT_EQ(here_->ReplicateKey(id, Region("mars-1"), "", from_here_).error().code, LocalKeyErrorCode::kUnknownRegion);
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  EXPECT_EQ(here_->ReplicateKey(id, kThere, "", from_here_).error().code, LocalKeyErrorCode::kAlreadyExists);
  ASSERT_TRUE(there_->DisableKey(id));
  EXPECT_EQ(here_->UpdatePrimaryRegion(id, kThere, from_here_).error().code, LocalKeyErrorCode::kDisabled);
}

TEST_F(KeyLinkTest, NobodySpeaksForAnotherRegion) {
  const std::string id = here_->CreateKey(true, "").value().id;
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  const auto answer = AnswerKeyRequest(*there_, audit_, Region("ap-south-1"), last_request_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ControlErrorCode::kRefused);
}

TEST_F(KeyLinkTest, ReplicaFromANodeOfTheFirstReleaseIsTaken) {
  const std::string id = here_->CreateKey(true, "text").value().id;
  const Bytes sealed = here_->EncryptUnder(id, {}, "x").value().ciphertext;
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "text", from_here_));
  pb::ReplicaKey message;
  ASSERT_TRUE(message.ParseFromString(last_request_.import_replica_key()));
  message.clear_materials();
  message.clear_current_version();
  message.clear_rotation();
  message.clear_sequence();
  // A Region that has not got it yet.
  there_.reset();
  std::filesystem::remove(directory_there_.path() / "keys");
  there_ = keys::local::OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  EXPECT_EQ(there_->Describe(id).error().code, LocalKeyErrorCode::kNotFound);
  replication::pb::ControlRequest request;
  request.set_import_replica_key(message.SerializeAsString());
  pb::ImportAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(AnswerKeyRequest(*there_, audit_, kHere, request).value()));
  // Sealed for the transport key that went with the file.
  EXPECT_EQ(answer.refusal(), pb::KEY_REFUSAL_MALFORMED);

  // As the first release would send it now.
  last_request_.Clear();
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "text", from_here_));
  ASSERT_TRUE(message.ParseFromString(last_request_.import_replica_key()));
  EXPECT_EQ(message.material_version(), 1u);
  ASSERT_TRUE(there_->Describe(id));
  message.clear_materials();
  message.clear_only_if_missing();
  message.set_sequence(there_->Facts(id).value()->sequence);
  request.set_import_replica_key(message.SerializeAsString());
  ASSERT_TRUE(answer.ParseFromString(AnswerKeyRequest(*there_, audit_, kHere, request).value()));
  EXPECT_EQ(answer.refusal(), pb::KEY_REFUSAL_NONE);
  EXPECT_EQ(there_->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
}

TEST_F(KeyLinkTest, KeyWithSeveralMaterialsIsNothingForTheFirstRelease) {
  const std::string id = here_->CreateKey(true, "").value().id;
  ASSERT_TRUE(here_->RotateOnDemand(id, from_here_));
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  pb::ReplicaKey message;
  ASSERT_TRUE(message.ParseFromString(last_request_.import_replica_key()));
  EXPECT_EQ(message.material_version(), 0u);
  EXPECT_TRUE(message.sealed_material().empty());
  EXPECT_EQ(message.materials_size(), 2);
}

TEST_F(KeyLinkTest, WhatOtherRegionsDoToKeysIsAuditedHere) {
  const std::string id = here_->CreateKey(true, "").value().id;
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  ASSERT_TRUE(here_->EnableRotation(id, 100));
  for (int i = 0; i < 3; ++i) here_->Tick(from_here_);  // Told once; what is known is no change.
  EXPECT_FALSE(there_->AcceptReplica({}));              // Not by the link.
  const auto event = [&](const char* name) {
    return testing::AllOf(
        testing::HasSubstr(std::string(R"("eventName":")") + name + '"'), testing::HasSubstr(R"("keyId":")" + id + '"'),
        testing::HasSubstr(R"("requestingRegion":"eu-central-1")"), testing::HasSubstr(there_->Facts(id).value()->arn),
        testing::Not(testing::HasSubstr("errorCode")));
  };
  EXPECT_THAT(Records(), testing::ElementsAre(event("CreateKey"), event("SynchronizeMultiRegionKey")));

  ASSERT_TRUE(there_->ScheduleDeletion(id, 7));
  EXPECT_FALSE(here_->ReplicateKey(id, kThere, "", from_here_)) << "it is there";
  EXPECT_THAT(Records(), testing::Contains(testing::HasSubstr(R"("errorCode":"KEY_REFUSAL_ALREADY_EXISTS")")));
}

TEST_F(KeyLinkTest, WithoutTheTrailNoKeyIsTaken) {
  const std::string id = here_->CreateKey(true, "").value().id;
  {
    const audit::FullDisk full(1);
    EXPECT_FALSE(trail_->Record(test_trail_.Use("Decrypt")));
  }
  EXPECT_EQ(here_->ReplicateKey(id, kThere, "", from_here_).error().code, LocalKeyErrorCode::kUnavailable);
  EXPECT_FALSE(there_->Facts(id));
  trail_->Tick();
  EXPECT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
}

TEST_F(KeyLinkTest, RegionThatIsForgotten_HoldsNothingUpAndIsAudited) {
  const std::string id = here_->CreateKey(true, "").value().id;
  const std::string other = here_->CreateKey(true, "").value().id;
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  KeyLink cut([](const Region&, const auto&) -> replication::ControlResult<Bytes> {
    return Err(replication::ControlError{ControlErrorCode::kUnavailable, "gone"});
  });
  ASSERT_TRUE(here_->RotateOnDemand(id, cut));
  EXPECT_TRUE(here_->Facts(id).value()->rotation.started) << "it waits";
  EXPECT_EQ(here_->KeysUntold().at(kThere), 1u);

  ASSERT_TRUE(ForgetRegions(*here_, audit_, {kThere, Region("ap-south-1")}));
  EXPECT_TRUE(here_->KeysUntold().empty());
  EXPECT_THAT(Records(), testing::Contains(testing::AllOf(testing::HasSubstr(R"("eventName":"ForgetReplicaRegions")"),
                                                          testing::HasSubstr(here_->Facts(id).value()->arn))));
  EXPECT_THAT(Records(), testing::Not(testing::Contains(testing::HasSubstr(other))));
  here_->Tick(cut);
  EXPECT_FALSE(here_->Facts(id).value()->rotation.started);
  EXPECT_EQ(here_->Facts(id).value()->current_version, 2u);
  const std::size_t told = Records().size();
  ASSERT_TRUE(ForgetRegions(*here_, audit_, {kThere}));
  EXPECT_EQ(Records().size(), told) << "once";

  // It was not gone after all: it takes the key again, as it is now.
  ASSERT_TRUE(here_->ReplicateKey(id, kThere, "", from_here_));
  EXPECT_EQ(there_->Facts(id).value()->current_version, 2u);
}

}  // namespace
}  // namespace symbolon::node
