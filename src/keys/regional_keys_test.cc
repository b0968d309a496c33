#include "keys/regional_keys.h"

#include <gtest/gtest.h>

#include "keys/local/test_support.h"
#include "keys/records.pb.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using local::LocalKeyProvider;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");
const PoolId kPool("eu-central-1_AbC123xyz");
const std::string kPoolArn = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_AbC123xyz";

// A pool whose primary and whose replica have a key of their own each.
class RegionalKeysTest : public testing::Test {
 protected:
  RegionalKeysTest() {
    here_.record = WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).value();
    here_.record = NoteKeyChecks(*provider_, kHere, here_).value();
    there_.own_cmk_arn = NewKey(*other_);
    there_.record = here_.record;
  }

  static std::string NewKey(LocalKeyProvider& provider) { return provider.CreateKey(false, "").value().arn; }
  static std::shared_ptr<const PoolKeys> Open(KeyProvider& provider, const Region& region, const RegionState& state) {
    return OpenPoolKeys(provider, region, kPool, KeysInRegion(region, state).value().wrapped).value();
  }
  KeyResult<Bytes> SendThere() {
    SYMBOLON_TRY(const Bytes sealed, SealKeysFor(*provider_, kHere, here_, kThere, receiver_.PublicKey()));
    return TakeKeysFrom(*other_, kThere, there_, kHere, receiver_, sealed);
  }
  // The replica has the pool's record of now, and the keys that it lacks.
  void BringThere() {
    there_.record = here_.record;
    there_.regional = SendThere().value();
  }
  // What one seals the other opens.
  void ExpectEqual() {
    const auto a = Open(*provider_, kHere, here_), b = Open(*other_, kThere, there_);
    const storage::Key key{.pool = kPool, .type = 9, .id = "user"};
    EXPECT_EQ(b->Open(key, a->Seal(key, "from here", random_)), "from here");
    EXPECT_EQ(a->Open(key, b->Seal(key, "from there", random_)), "from there");
    EXPECT_EQ(a->sealing_generation(), b->sealing_generation());
    EXPECT_EQ(a->BlindIndex("username", "ann"), b->BlindIndex("username", "ann"));
    EXPECT_EQ(a->Derive("sub", "ann"), b->Derive("sub", "ann"));
    EXPECT_TRUE(b->OpenToken(TokenPurpose::kSession, "c", a->SealToken(TokenPurpose::kSession, "c", "t", random_)));
  }

  Random& random_ = crypto::SystemRandom();
  ManualClock clock_;
  TemporaryDirectory directory_, directory_there_;
  std::unique_ptr<LocalKeyProvider> provider_ = local::OpenTestProvider(directory_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> other_ = local::OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  const std::string cmk_ = NewKey(*provider_);
  const crypto::HybridPrivateKey receiver_ = crypto::HybridPrivateKey::Generate();
  RegionState here_, there_;
};

TEST_F(RegionalKeysTest, RegionWithoutAKeyOfItsOwnOpensThePoolsRecordAsItIs) {
  const auto keys = KeysInRegion(kHere, here_).value();
  EXPECT_EQ(keys.wrapped, here_.record);
  EXPECT_TRUE(keys.complete && keys.offer_complete);
}

TEST_F(RegionalKeysTest, KeysThatWereSentOpenUnderTheReceiversKey) {
  EXPECT_FALSE(KeysInRegion(kThere, there_).value().complete);
  BringThere();
  const auto keys = KeysInRegion(kThere, there_).value();
  EXPECT_TRUE(keys.complete);
  EXPECT_EQ(ContentsOfPoolKeys(keys.wrapped).value().cmk_arn, there_.own_cmk_arn);
  ExpectEqual();
  ASSERT_TRUE(other_->DisableKey(there_.own_cmk_arn));
  EXPECT_EQ(ProbePoolKeys(*other_, kThere, keys.wrapped).error().code, KeyErrorCode::kDisabled);
}

TEST_F(RegionalKeysTest, KeysOnTheWayAreForOneReceiverAndOneRecord) {
  const Bytes sealed = SealKeysFor(*provider_, kHere, here_, kThere, receiver_.PublicKey()).value();
  EXPECT_TRUE(TakeKeysFrom(*other_, kThere, there_, kHere, receiver_, sealed));
  const auto refused = [&](const Region& sender, const crypto::HybridPrivateKey& key, const Bytes& octets,
                           const RegionState& state) {
    const auto taken = TakeKeysFrom(*other_, kThere, state, sender, key, octets);
    return !taken && taken.error().code == KeyErrorCode::kInvalidCiphertext;
  };
  EXPECT_TRUE(refused(Region("eu-west-1"), receiver_, sealed, there_));
  EXPECT_TRUE(refused(kHere, crypto::HybridPrivateKey::Generate(), sealed, there_));
  EXPECT_TRUE(refused(kHere, receiver_, sealed.substr(0, sealed.size() - 1), there_));
  EXPECT_TRUE(refused(kHere, receiver_, "", there_));
  const Bytes for_another = SealKeysFor(*provider_, kHere, here_, Region("eu-west-1"), receiver_.PublicKey()).value();
  EXPECT_TRUE(refused(kHere, receiver_, for_another, there_));
  RegionState later = there_;
  later.record = OfferPoolKeys(*provider_, kHere, here_.record, cmk_, clock_.Now(), random_).value();
  EXPECT_TRUE(refused(kHere, receiver_, sealed, later));
  EXPECT_EQ(SealKeysFor(*provider_, kHere, here_, kThere, "no key").error().code, KeyErrorCode::kInvalidCiphertext);
}

TEST_F(RegionalKeysTest, KeysOfAnotherPoolAreNotTaken) {
  // The same names of data keys, other keys: what an impostor could send.
  pb::WrappedPoolKeys genuine, forged;
  ASSERT_TRUE(genuine.ParseFromString(here_.record));
  ASSERT_TRUE(forged.ParseFromString(WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).value()));
  const EncryptionContext context{{"aws:cognito-idp:userpool-arn", kPoolArn}, {"symbolon:key", "identity"}};
  genuine.set_wrapped_identity_key(forged.wrapped_identity_key());
  // The checks are those of the log, which both have.
  here_.record = there_.record = genuine.SerializeAsString();
  EXPECT_EQ(SendThere().error().code, KeyErrorCode::kInvalidCiphertext);
}

TEST_F(RegionalKeysTest, RecordWithoutChecksTakesNothing) {
  here_.record = there_.record = WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).value();
  EXPECT_EQ(SendThere().error().code, KeyErrorCode::kInvalidCiphertext);
  here_.record = there_.record = NoteKeyChecks(*provider_, kHere, here_).value();
  EXPECT_TRUE(SendThere());
}

TEST_F(RegionalKeysTest, NewDataKeyIsOfferedSentConfirmedAndTaken) {
  BringThere();
  here_.record = OfferPoolKeys(*provider_, kHere, here_.record, cmk_, clock_.Now(), random_).value();
  there_.record = here_.record;
  const auto lacking = KeysInRegion(kThere, there_).value();
  EXPECT_TRUE(lacking.complete);
  EXPECT_FALSE(lacking.offer_complete);
  EXPECT_FALSE(ContentsOfPoolKeys(lacking.wrapped).value().offered_at);
  BringThere();
  const Bytes with_offer = KeysInRegion(kThere, there_).value().wrapped;
  const auto confirmed_there = OpenOffer(*other_, kThere, kPool, with_offer).value();
  EXPECT_EQ(confirmed_there.check, OpenOffer(*provider_, kHere, kPool, here_.record).value().check);

  here_.record = there_.record = TakeOffer(here_.record).value();
  // What was confirmed is what is opened from then on, octet for octet.
  EXPECT_EQ(KeysInRegion(kThere, there_).value().wrapped, confirmed_there.record);
  ExpectEqual();
}

TEST_F(RegionalKeysTest, PoolsKeyChangesAndTheReplicaKeepsItsOwn) {
  BringThere();
  const std::string next = NewKey(*provider_);
  here_.record = OfferPoolKeys(*provider_, kHere, here_.record, next, clock_.Now(), random_).value();
  BringThere();
  here_.record = there_.record = TakeOffer(here_.record).value();
  ASSERT_TRUE(provider_->DisableKey(cmk_));
  ExpectEqual();
}

TEST_F(RegionalKeysTest, RegionWithItsOwnKeyOffersToTheOneThatHasThePools) {
  BringThere();
  // The replica is the primary now.
  const auto offer = OfferUnderOwnKey(*other_, kThere, there_, clock_.Now(), random_).value();
  there_ = {.record = offer.record, .regional = offer.regional, .own_cmk_arn = there_.own_cmk_arn};
  here_.record = offer.record;
  EXPECT_TRUE(KeysInRegion(kHere, here_).value().complete);
  EXPECT_FALSE(KeysInRegion(kHere, here_).value().offer_complete);
  const Bytes sealed = SealKeysFor(*other_, kThere, there_, kHere, receiver_.PublicKey()).value();
  here_.regional = TakeKeysFrom(*provider_, kHere, here_, kThere, receiver_, sealed).value();
  EXPECT_EQ(OpenOffer(*provider_, kHere, kPool, KeysInRegion(kHere, here_).value().wrapped).value().check,
            OpenOffer(*other_, kThere, kPool, KeysInRegion(kThere, there_).value().wrapped).value().check);
  here_.record = there_.record = TakeOffer(here_.record).value();
  ExpectEqual();
  EXPECT_FALSE(ContentsOfPoolKeys(here_.record).value().complete);

  // Back: the pool's record has all keys under the pool's key again.
  const Bytes opened = KeysInRegion(kHere, here_).value().wrapped;
  here_.record = OfferPoolKeys(*provider_, kHere, here_.record, opened, cmk_, clock_.Now(), random_).value();
  BringThere();
  here_.record = there_.record = TakeOffer(here_.record).value();
  EXPECT_TRUE(ContentsOfPoolKeys(here_.record).value().complete);
  ExpectEqual();
  here_.regional.reset();
  ExpectEqual();
}

TEST_F(RegionalKeysTest, RegionsOwnKeyChangesWithoutThePoolsNotice) {
  BringThere();
  const std::string next = NewKey(*other_);
  there_.regional = WrapUnderOwnKey(*other_, kThere, there_, next, clock_.Now()).value();
  EXPECT_EQ(ContentsOfPoolKeys(KeysInRegion(kThere, there_).value().wrapped).value().cmk_arn, there_.own_cmk_arn);
  // The change may be under way, and is not for ever.
  EXPECT_FALSE(WithoutFormerKeys(kThere, there_, {}, clock_.Now()));
  EXPECT_TRUE(WithoutFormerKeys(kThere, there_, {}, clock_.Now() + std::chrono::minutes(6)));
  const std::string former = std::exchange(there_.own_cmk_arn, next);
  clock_.Advance(std::chrono::minutes(6));
  there_.regional = WithoutFormerKeys(kThere, there_, {}, clock_.Now()).value();
  ASSERT_TRUE(other_->DisableKey(former));
  ExpectEqual();
  EXPECT_EQ(there_.regional->find(former), Bytes::npos);
}

TEST_F(RegionalKeysTest, DataKeysThatThePoolDroppedGoFromTheRegionsRecordToo) {
  BringThere();
  const Bytes former = ContentsOfPoolKeys(here_.record).value().sealing_generation;
  here_.record = OfferPoolKeys(*provider_, kHere, here_.record, cmk_, clock_.Now(), random_).value();
  BringThere();
  here_.record = there_.record = DropGenerations(TakeOffer(here_.record).value(), {former}).value();
  EXPECT_EQ(FormerKeys(there_), std::set{former});
  // A suffix that was set aside needs it.
  EXPECT_FALSE(WithoutFormerKeys(kThere, there_, {former}, clock_.Now()));
  there_.regional = WithoutFormerKeys(kThere, there_, {}, clock_.Now()).value();
  EXPECT_TRUE(FormerKeys(there_).empty());
  EXPECT_FALSE(WithoutFormerKeys(kThere, there_, {}, clock_.Now()));
  ExpectEqual();
}

TEST_F(RegionalKeysTest, ReceiversDisabledKeyIsTold) {
  ASSERT_TRUE(other_->DisableKey(there_.own_cmk_arn));
  EXPECT_EQ(SendThere().error().code, KeyErrorCode::kDisabled);
}

TEST_F(RegionalKeysTest, RecordsThatAreNoneAreRefused) {
  EXPECT_FALSE(ParseRegionKey(""));
  EXPECT_FALSE(ParseRegionKey("\x0a\xff"));
  EXPECT_EQ(ParseRegionKey(SerializeRegionKey(cmk_)), cmk_);
  there_.regional = "\x0a\xff";
  EXPECT_EQ(KeysInRegion(kThere, there_).error().code, KeyErrorCode::kInvalidCiphertext);
  there_.record = "";
  EXPECT_FALSE(KeysInRegion(kThere, there_));
  EXPECT_FALSE(WithoutFormerKeys(kThere, there_, {}, clock_.Now()));
}

}  // namespace
}  // namespace symbolon::keys
