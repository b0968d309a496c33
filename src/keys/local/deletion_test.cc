#include <gtest/gtest.h>

#include <algorithm>

#include "keys/local/test_support.h"

namespace symbolon::keys::local {
namespace {

using std::chrono::days;
using std::chrono::hours;
using Code = LocalKeyErrorCode;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");

class DeletionTest : public testing::Test {
 protected:
  DeletionTest() {
    here_->SetChangeListener([this](const std::string& arn) { heard_.push_back(arn); });
    for (DirectTransport* transport : {&from_here_, &from_there_}) {
      transport->regions = {{kHere, here_.get()}, {kThere, there_.get()}};
    }
  }
  KeyState StateHere(const std::string& id) { return here_->Describe(id)->state; }
  void Restart() {
    here_.reset();
    here_ = OpenTestProvider(directory_here_.path(), kHere, clock_).value();
    from_here_.regions[kHere] = from_there_.regions[kHere] = here_.get();
  }

  ManualClock clock_;
  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ = OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> there_ = OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  DirectTransport from_here_{kHere}, from_there_{kThere};
  std::vector<std::string> heard_;
};

TEST_F(DeletionTest, KeyIsRefusedAtOnceAndGoneWhenItsTimeHasCome) {
  const auto key = here_->CreateKey(false, "").value();
  ASSERT_TRUE(here_->CreateAlias("alias/a", key.id));
  const Bytes ciphertext = here_->Encrypt(key.arn, {}, "x").value();
  const auto scheduled = here_->ScheduleDeletion(key.id, 7);
  ASSERT_TRUE(scheduled);
  EXPECT_EQ((*scheduled)->deletion, clock_.Now() + days(7));
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingDeletion);
  EXPECT_EQ(heard_, std::vector<std::string>{key.arn});
  EXPECT_EQ(here_->Decrypt(key.arn, {}, ciphertext).error().code, KeyErrorCode::kPendingDeletion);
  EXPECT_EQ(here_->DecryptUnder(key.id, {}, ciphertext).error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->EnableKey(key.id).error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->ScheduleDeletion(key.id, 8).error().code, Code::kPendingDeletion);

  clock_.Advance(days(7) - std::chrono::seconds(1));
  here_->Tick(from_here_);
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingDeletion);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(here_->CancelDeletion(key.id).error().code, Code::kNotFound);
  here_->Tick(from_here_);
  EXPECT_EQ(here_->Describe(key.id).error().code, Code::kNotFound);
  EXPECT_TRUE(here_->Aliases().empty());
  EXPECT_EQ(here_->Decrypt(key.arn, {}, ciphertext).error().code, KeyErrorCode::kNotFound);
  EXPECT_EQ(heard_, (std::vector<std::string>{key.arn, key.arn}));
  Restart();
  EXPECT_EQ(here_->Describe(key.id).error().code, Code::kNotFound);
}

TEST_F(DeletionTest, KeyWhoseTimeCameWhileNothingRanIsDeletedAfterwards) {
  const auto key = here_->CreateKey(false, "").value();
  ASSERT_TRUE(here_->ScheduleDeletion(key.id, 30));
  Restart();
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingDeletion);
  clock_.Advance(days(31));
  Restart();
  here_->Tick(from_here_);
  EXPECT_EQ(here_->Describe(key.id).error().code, Code::kNotFound);
}

TEST_F(DeletionTest, CancelledDeletionLeavesADisabledKey) {
  const auto key = here_->CreateKey(false, "").value();
  EXPECT_EQ(here_->CancelDeletion(key.id).error().code, Code::kNotPendingDeletion);
  const Bytes ciphertext = here_->Encrypt(key.arn, {}, "x").value();
  ASSERT_TRUE(here_->ScheduleDeletion(key.id, 7));
  ASSERT_TRUE(here_->CancelDeletion(key.id));
  EXPECT_EQ(StateHere(key.id), KeyState::kDisabled);
  ASSERT_TRUE(here_->EnableKey(key.id));
  clock_.Advance(days(10));
  here_->Tick(from_here_);
  EXPECT_EQ(here_->Decrypt(key.arn, {}, ciphertext)->view(), "x");
}

TEST_F(DeletionTest, PrimaryWaitsUntilItsReplicasAreGone) {
  const auto key = here_->CreateKey(true, "").value();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", from_here_));
  const auto scheduled = here_->ScheduleDeletion(key.id, 10).value();
  EXPECT_FALSE(scheduled->deletion);
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingReplicaDeletion);
  EXPECT_EQ(here_->Encrypt(key.arn, {}, "x").error().code, KeyErrorCode::kPendingDeletion);
  clock_.Advance(days(100));
  here_->Tick(from_here_);
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingReplicaDeletion);

  ASSERT_TRUE(there_->ScheduleDeletion(key.id, 7));
  clock_.Advance(days(7));
  from_there_.cut = {kHere};
  there_->Tick(from_there_);
  EXPECT_EQ(there_->Describe(key.id).error().code, Code::kNotFound);
  here_->Tick(from_here_);
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingReplicaDeletion);
  // The primary learns of it when it can be reached, also after a start.
  there_.reset();
  there_ = OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  from_here_.regions[kThere] = from_there_.regions[kThere] = there_.get();
  from_there_.cut = {};
  there_->Tick(from_there_);
  here_->Tick(from_here_);
  EXPECT_EQ(StateHere(key.id), KeyState::kPendingDeletion);
  EXPECT_EQ(here_->Facts(key.id).value()->deletion, clock_.Now() + days(10));
  clock_.Advance(days(10));
  here_->Tick(from_here_);
  EXPECT_EQ(here_->Describe(key.id).error().code, Code::kNotFound);
}

TEST_F(DeletionTest, DeletedReplicaMayBeMadeAgain) {
  const auto key = here_->CreateKey(true, "").value();
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", from_here_));
  ASSERT_TRUE(there_->ScheduleDeletion(key.id, 7));
  clock_.Advance(days(7));
  there_->Tick(from_there_);
  EXPECT_TRUE(here_->Describe(key.id)->replicas.empty());
  ASSERT_TRUE(here_->ReplicateKey(key.id, kThere, "", from_here_));
  EXPECT_EQ(there_->Describe(key.id)->state, KeyState::kEnabled);
}

TEST_F(DeletionTest, StatesRefuseAsTheTableOfKeyStatesSays) {
  const auto key = here_->CreateKey(false, "").value();
  ASSERT_TRUE(here_->DisableKey(key.id));
  EXPECT_EQ(here_->EncryptUnder(key.id, {}, "x").error().code, Code::kDisabled);
  EXPECT_EQ(here_->RotateOnDemand(key.id, from_here_).error().code, Code::kDisabled);
  EXPECT_EQ(here_->EnableRotation(key.id, {}).error().code, Code::kDisabled);
  EXPECT_EQ(here_->CreateGrant(key.id, {.operations = {"Decrypt"}}).error().code, Code::kDisabled);
  EXPECT_TRUE(here_->SetDescription(key.id, "x"));
  EXPECT_TRUE(here_->CreateAlias("alias/a", key.id));
  EXPECT_TRUE(here_->AddTags(key.id, {{"a", "b"}}));
  ASSERT_TRUE(here_->ScheduleDeletion(key.id, 7));
  EXPECT_EQ(here_->EncryptUnder(key.id, {}, "x").error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->SetDescription(key.id, "x").error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->CreateAlias("alias/b", key.id).error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->AddTags(key.id, {{"a", "b"}}).error().code, Code::kPendingDeletion);
  EXPECT_EQ(here_->RemoveTags(key.id, {"a"}).error().code, Code::kPendingDeletion);
  EXPECT_TRUE(here_->DeleteAlias("alias/a"));
  EXPECT_TRUE(here_->SetPolicy(key.id, "{}"));
}

}  // namespace
}  // namespace symbolon::keys::local
