#include <gtest/gtest.h>

#include "keys/local/test_support.h"

namespace symbolon::keys::local {
namespace {

using std::chrono::days;
using Code = LocalKeyErrorCode;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");
const Region kElsewhere("ap-south-1");

// Three Regions; keys are born in the first.
class RotationTest : public testing::Test {
 protected:
  struct Place {
    explicit Place(const Region& name, ManualClock& clock) : region(name), clock_of(clock) { Start(); }
    void Start() {
      provider.reset();
      provider = OpenTestProvider(directory.path(), region, clock_of).value();
    }
    const Region region;
    ManualClock& clock_of;
    TemporaryDirectory directory;
    std::unique_ptr<LocalKeyProvider> provider;
    DirectTransport transport{region};
  };

  RotationTest() { Join(); }
  void Join() {
    for (Place* from : {&here_, &there_, &elsewhere_}) {
      for (Place* to : {&here_, &there_, &elsewhere_}) from->transport.regions[to->region] = to->provider.get();
    }
  }
  std::string MakeKeyEverywhere() {
    const auto key = here_.provider->CreateKey(true, "").value();
    for (const Region& region : {kThere, kElsewhere}) {
      SYMBOLON_CHECK(here_.provider->ReplicateKey(key.id, region, "", here_.transport).has_value());
    }
    return key.id;
  }
  static std::uint32_t VersionIn(Place& place, const std::string& id) {
    return place.provider->Facts(id).value()->current_version;
  }
  static void Tick(Place& place) { place.provider->Tick(place.transport); }

  ManualClock clock_;
  Place here_{kHere, clock_}, there_{kThere, clock_}, elsewhere_{kElsewhere, clock_};
};

TEST_F(RotationTest, OldCiphertextsOpenAfterManyRotations) {
  LocalKeyProvider& keys = *here_.provider;
  const auto key = keys.CreateKey(false, "").value();
  std::vector<Bytes> ciphertexts;
  std::set<std::string> materials;
  for (int i = 0; i < 4; ++i) {
    const auto encrypted = keys.EncryptUnder(key.id, {{"i", "c"}}, std::to_string(i)).value();
    ciphertexts.push_back(encrypted.ciphertext);
    materials.insert(encrypted.material_id);
    ASSERT_TRUE(keys.RotateOnDemand(key.id, here_.transport));
  }
  EXPECT_EQ(materials.size(), 4u);
  here_.Start();
  for (int i = 0; i < 4; ++i) {
    const auto decrypted =
        here_.provider->DecryptUnder(std::nullopt, {{"i", "c"}}, ciphertexts[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(decrypted);
    EXPECT_EQ(decrypted->plaintext.view(), std::to_string(i));
    EXPECT_TRUE(materials.contains(decrypted->material_id));
  }
  EXPECT_EQ(here_.provider->Facts(key.id).value()->rotation.on_demand_count, 4);
}

TEST_F(RotationTest, OnDemandRotationsAreLimited) {
  const auto key = here_.provider->CreateKey(false, "").value();
  for (int i = 0; i < LocalKeyProvider::kOnDemandRotationsMax; ++i) {
    ASSERT_TRUE(here_.provider->RotateOnDemand(key.id, here_.transport));
  }
  EXPECT_EQ(here_.provider->RotateOnDemand(key.id, here_.transport).error().code, Code::kLimitExceeded);
}

TEST_F(RotationTest, ScheduleRotatesEveryPeriod) {
  LocalKeyProvider& keys = *here_.provider;
  const auto key = keys.CreateKey(false, "").value();
  ASSERT_TRUE(keys.EnableRotation(key.id, 90));
  clock_.Advance(days(90) - std::chrono::seconds(1));
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 1u);
  clock_.Advance(std::chrono::seconds(1));
  Tick(here_);
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 2u);
  // One on demand does not move the schedule.
  clock_.Advance(days(50));
  ASSERT_TRUE(keys.RotateOnDemand(key.id, here_.transport));
  clock_.Advance(days(40));
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 4u);
  const auto facts = keys.Facts(key.id).value();
  EXPECT_FALSE(facts->materials[1].on_demand);
  EXPECT_TRUE(facts->materials[2].on_demand);
  EXPECT_EQ(facts->materials[3].rotated, clock_.Now());
  EXPECT_EQ(facts->rotation.next(), clock_.Now() + days(90));

  ASSERT_TRUE(keys.DisableRotation(key.id));
  clock_.Advance(days(900));
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 4u);
}

TEST_F(RotationTest, DisabledKeyIsRotatedWhenItIsEnabledAgain) {
  LocalKeyProvider& keys = *here_.provider;
  const auto key = keys.CreateKey(false, "").value();
  ASSERT_TRUE(keys.EnableRotation(key.id, {}));
  ASSERT_TRUE(keys.DisableKey(key.id));
  clock_.Advance(days(366));
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 1u);
  ASSERT_TRUE(keys.EnableKey(key.id));
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, key.id), 2u);
}

TEST_F(RotationTest, EveryRegionHasNewMaterialBeforeAnyUsesIt) {
  const std::string id = MakeKeyEverywhere();
  here_.transport.cut = {kElsewhere};
  ASSERT_TRUE(here_.provider->RotateOnDemand(id, here_.transport));
  // It waits for the Region that cannot be reached.
  EXPECT_EQ(VersionIn(here_, id), 1u);
  EXPECT_TRUE(here_.provider->Facts(id).value()->rotation.started);
  EXPECT_EQ(there_.provider->Facts(id).value()->materials.size(), 2u);
  EXPECT_EQ(VersionIn(there_, id), 1u);
  EXPECT_EQ(here_.provider->RotateOnDemand(id, here_.transport).error().code, Code::kRotating);
  EXPECT_EQ(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport).error().code, Code::kRotating);
  Tick(here_);
  EXPECT_EQ(VersionIn(here_, id), 1u);

  here_.Start();
  Join();
  here_.transport.cut = {};
  Tick(here_);
  for (Place* place : {&here_, &there_, &elsewhere_}) {
    EXPECT_EQ(VersionIn(*place, id), 2u) << place->region.value();
    EXPECT_EQ(place->provider->Facts(id).value()->materials[1].id, here_.provider->Facts(id).value()->materials[1].id);
  }
  // And each opens what another sealed, under old and new material.
  const Bytes sealed = there_.provider->EncryptUnder(id, {}, "x")->ciphertext;
  EXPECT_EQ(elsewhere_.provider->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
}

TEST_F(RotationTest, RotationFollowsTheScheduleOfThePrimaryOnly) {
  const std::string id = MakeKeyEverywhere();
  EXPECT_EQ(there_.provider->RotateOnDemand(id, there_.transport).error().code, Code::kUnsupported);
  EXPECT_EQ(there_.provider->EnableRotation(id, {}).error().code, Code::kUnsupported);
  ASSERT_TRUE(here_.provider->EnableRotation(id, 100));
  Tick(here_);
  EXPECT_TRUE(there_.provider->Facts(id).value()->rotation.enabled);
  EXPECT_EQ(there_.provider->Facts(id).value()->rotation.period_days, 100);
  clock_.Advance(days(100));
  Tick(there_);
  EXPECT_EQ(there_.provider->Facts(id).value()->materials.size(), 1u);
  Tick(here_);
  EXPECT_EQ(VersionIn(there_, id), 2u);
  EXPECT_EQ(VersionIn(here_, id), 2u);
}

TEST_F(RotationTest, NewReplicaGetsAllMaterial) {
  const auto key = here_.provider->CreateKey(true, "").value();
  const Bytes old = here_.provider->EncryptUnder(key.id, {}, "old")->ciphertext;
  ASSERT_TRUE(here_.provider->RotateOnDemand(key.id, here_.transport));
  ASSERT_TRUE(here_.provider->ReplicateKey(key.id, kThere, "", here_.transport));
  EXPECT_EQ(there_.provider->DecryptUnder(key.id, {}, old)->plaintext.view(), "old");
  EXPECT_EQ(VersionIn(there_, key.id), 2u);
}

TEST_F(RotationTest, PrimaryMovesAndTheRegionsAgree) {
  const std::string id = MakeKeyEverywhere();
  const Bytes sealed = here_.provider->EncryptUnder(id, {}, "x")->ciphertext;
  ASSERT_TRUE(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport));
  for (Place* place : {&here_, &there_, &elsewhere_}) Tick(*place);
  for (Place* place : {&here_, &there_, &elsewhere_}) {
    const auto key = place->provider->Describe(id).value();
    EXPECT_EQ(key.primary, kThere) << place->region.value();
    EXPECT_EQ(key.replicas, (std::vector<Region>{kElsewhere, kHere}));
    EXPECT_EQ(key.state, KeyState::kEnabled);
    EXPECT_EQ(place->provider->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
  }
  EXPECT_EQ(here_.provider->UpdatePrimaryRegion(id, kElsewhere, here_.transport).error().code, Code::kUnsupported);
  ASSERT_TRUE(there_.provider->RotateOnDemand(id, there_.transport));
  EXPECT_EQ(VersionIn(here_, id), 2u);
  ASSERT_TRUE(there_.provider->UpdatePrimaryRegion(id, kHere, there_.transport));
  EXPECT_EQ(here_.provider->Describe(id)->primary, kHere);
}

TEST_F(RotationTest, MoveWhoseAnswerWasLostIsFoundOut) {
  const std::string id = MakeKeyEverywhere();
  here_.transport.answer_is_lost = LocalKeyError{Code::kUnavailable, "cut"};
  ASSERT_TRUE(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport));
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kUpdating);
  EXPECT_TRUE(here_.provider->EncryptUnder(id, {}, "x"));
  EXPECT_EQ(here_.provider->RotateOnDemand(id, here_.transport).error().code, Code::kUpdating);
  EXPECT_EQ(here_.provider->ReplicateKey(id, kElsewhere, "", here_.transport).error().code, Code::kUpdating);
  here_.transport.answer_is_lost.reset();
  here_.Start();
  Join();
  Tick(here_);
  EXPECT_EQ(here_.provider->Describe(id)->primary, kThere);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kEnabled);
}

TEST_F(RotationTest, KeyWhoseNewPrimaryIsOutOfReachIsWithdrawnAndGivenBack) {
  const std::string id = MakeKeyEverywhere();
  const Bytes sealed = here_.provider->EncryptUnder(id, {}, "x")->ciphertext;
  here_.transport.answer_is_lost = LocalKeyError{Code::kUnavailable, "cut"};
  ASSERT_TRUE(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport));
  ASSERT_EQ(here_.provider->Describe(id)->state, KeyState::kUpdating);
  std::vector<std::string> heard;
  here_.provider->SetChangeListener([&](const std::string& arn) { heard.push_back(arn); });

  ASSERT_TRUE(here_.provider->DisableKey(id));
  EXPECT_EQ(heard.size(), 1u);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kDisabled);
  EXPECT_EQ(here_.provider->DecryptUnder(id, {}, sealed).error().code, Code::kDisabled);
  // It is not known whose key it is to delete.
  EXPECT_EQ(here_.provider->ScheduleDeletion(id, 7).error().code, Code::kUpdating);
  ASSERT_TRUE(here_.provider->EnableKey(id));
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kUpdating);
  EXPECT_EQ(here_.provider->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
  ASSERT_TRUE(here_.provider->DisableKey(id));

  // Here it stays disabled when the change of the primary goes on, and there it is what it was.
  here_.transport.answer_is_lost.reset();
  here_.Start();
  Join();
  Tick(here_);
  EXPECT_EQ(here_.provider->Describe(id)->primary, kThere);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kDisabled);
  EXPECT_EQ(there_.provider->Describe(id)->state, KeyState::kEnabled);
  ASSERT_TRUE(here_.provider->ScheduleDeletion(id, 7));
  ASSERT_TRUE(here_.provider->CancelDeletion(id));
  ASSERT_TRUE(here_.provider->EnableKey(id));
  EXPECT_EQ(here_.provider->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
}

TEST_F(RotationTest, KeyThatIsDisabledMeanwhileGivesItsReplicasWhatTheyLack) {
  const std::string id = MakeKeyEverywhere();
  here_.transport.cut = {kThere};
  ASSERT_TRUE(here_.provider->RotateOnDemand(id, here_.transport));
  ASSERT_TRUE(here_.provider->DisableKey(id));
  here_.transport.cut.clear();
  clock_.Advance(days(1));
  Tick(here_);
  for (Place* place : {&here_, &there_, &elsewhere_}) EXPECT_EQ(VersionIn(*place, id), 2u);
  const Bytes sealed = there_.provider->EncryptUnder(id, {}, "x")->ciphertext;
  EXPECT_EQ(here_.provider->DecryptUnder(id, {}, sealed).error().code, Code::kDisabled);
  ASSERT_TRUE(here_.provider->EnableKey(id));
  EXPECT_EQ(here_.provider->DecryptUnder(id, {}, sealed)->plaintext.view(), "x");
}

TEST_F(RotationTest, FormerPrimaryLearnsFromTheNewOne) {
  const std::string id = MakeKeyEverywhere();
  here_.transport.answer_is_lost = LocalKeyError{Code::kUnavailable, "cut"};
  ASSERT_TRUE(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport));
  // The new primary goes on, and the former one hears of it before it asks again.
  ASSERT_TRUE(there_.provider->RotateOnDemand(id, there_.transport));
  for (Place* place : {&here_, &elsewhere_}) {
    EXPECT_EQ(place->provider->Describe(id)->primary, kThere);
    EXPECT_EQ(VersionIn(*place, id), 2u);
  }
  here_.transport.answer_is_lost.reset();
  Tick(here_);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kEnabled);
}

TEST_F(RotationTest, MoveIsRefusedWhereItCannotBe) {
  const std::string id = MakeKeyEverywhere();
  EXPECT_EQ(here_.provider->UpdatePrimaryRegion(id, Region("mars-1"), here_.transport).error().code,
            Code::kUnknownRegion);
  here_.transport.cut = {kThere};
  EXPECT_EQ(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport).error().code, Code::kUnavailable);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kEnabled);
  here_.transport.cut = {};
  ASSERT_TRUE(there_.provider->DisableKey(id));
  EXPECT_EQ(here_.provider->UpdatePrimaryRegion(id, kThere, here_.transport).error().code, Code::kDisabled);
  EXPECT_EQ(here_.provider->Describe(id)->state, KeyState::kEnabled);
  EXPECT_EQ(here_.provider->Describe(id)->primary, kHere);
  EXPECT_TRUE(here_.provider->RotateOnDemand(id, here_.transport));
}

TEST_F(RotationTest, StatementsOfStrangersAndOldOnesAreRefused) {
  const auto key = here_.provider->CreateKey(true, "").value();
  ASSERT_TRUE(here_.provider->ReplicateKey(key.id, kThere, "", here_.transport));
  ASSERT_TRUE(here_.provider->RotateOnDemand(key.id, here_.transport));
  ReplicaKey old = here_.transport.sent.front();
  old.create = false;
  EXPECT_EQ(there_.provider->AcceptReplica(old).error().code, Code::kStale);
  ReplicaKey stranger = here_.transport.sent.back();
  stranger.sender = stranger.primary = kElsewhere;
  stranger.sequence += 10;
  EXPECT_EQ(there_.provider->AcceptReplica(stranger).error().code, Code::kMalformed);
  EXPECT_EQ(there_.provider->Describe(key.id)->primary, kHere);
}

}  // namespace
}  // namespace symbolon::keys::local
