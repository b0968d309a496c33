#include "keys/wrapped_pool_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "keys/arn.h"
#include "keys/local/test_support.h"
#include "keys/records.pb.h"

namespace symbolon::keys {
namespace {

using local::LocalKeyProvider;

const Region kHere("eu-central-1");
const Region kThere("us-east-1");
const PoolId kPool("eu-central-1_AbC123xyz");
const std::string kPoolArn = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_AbC123xyz";

class Link final : public local::KeyReplicationTransport {
 public:
  explicit Link(LocalKeyProvider& there) : there_(there) {}
  local::LocalKeyResult<Bytes> TransportPublicKey(const Region&) override { return there_.TransportPublicKey(); }
  local::LocalKeyResult<void> ImportReplica(const Region&, const local::ReplicaKey& key) override {
    return there_.AcceptReplica(key);
  }
  local::LocalKeyResult<void> AnnounceDeletion(const Region&, const std::string&) override {
    return Err(local::LocalKeyError{local::LocalKeyErrorCode::kUnavailable, "not in these tests"});
  }

 private:
  LocalKeyProvider& there_;
};

class PoolKeysTest : public testing::Test {
 protected:
  std::shared_ptr<const PoolKeys> OpenHere(BytesView wrapped) {
    return OpenPoolKeys(*provider_, kHere, kPool, wrapped).value();
  }
  storage::Key UserKey(const Bytes& id = "user") const { return {.pool = kPool, .type = 9, .id = id}; }

  Random& random_ = crypto::SystemRandom();
  ManualClock clock_;
  TemporaryDirectory directory_, directory_there_;
  std::unique_ptr<LocalKeyProvider> provider_ = local::OpenTestProvider(directory_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> there_ = local::OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  const std::string cmk_ = provider_->CreateKey(true, "").value().arn;
  const Bytes wrapped_ = WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).value();
  const std::shared_ptr<const PoolKeys> keys_ = OpenHere(wrapped_);
};

TEST_F(PoolKeysTest, RecordOpensAtItsPlaceOnly) {
  const Bytes sealed = keys_->Seal(UserKey(), "plaintext", random_);
  EXPECT_EQ(keys_->Open(UserKey(), sealed), "plaintext");
  EXPECT_EQ(OpenHere(wrapped_)->Open(UserKey(), sealed), "plaintext");
  EXPECT_NE(keys_->Seal(UserKey(), "plaintext", random_), sealed);

  storage::Key other_space = UserKey(), other_type = UserKey();
  other_space.space = storage::Space::kRegional;
  other_type.type = 10;
  for (const storage::Key& key : {other_space, other_type, UserKey("User"), UserKey("")}) {
    EXPECT_EQ(keys_->Open(key, sealed).error().code, OpenErrorCode::kInvalid);
  }
}

TEST_F(PoolKeysTest, AnyChangedBitOfARecordIsRefused) {
  const Bytes sealed = keys_->Seal(UserKey(), "plaintext", random_);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const auto opened = keys_->Open(UserKey(), altered);
    ASSERT_FALSE(opened) << bit;
    const bool in_generation = bit >= 8 && bit < 8 * 17;
    EXPECT_EQ(opened.error().code, in_generation ? OpenErrorCode::kUnknownGeneration : OpenErrorCode::kInvalid);
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(keys_->Open(UserKey(), BytesView(sealed).substr(0, size)));
  }
}

TEST_F(PoolKeysTest, TokenIsBoundToPurposeAudienceAndPool) {
  const Bytes sealed = keys_->SealToken(TokenPurpose::kSession, "client", "plaintext", random_);
  EXPECT_EQ(keys_->OpenToken(TokenPurpose::kSession, "client", sealed), "plaintext");
  for (const auto purpose : {TokenPurpose::kSrpBlock, TokenPurpose::kRefreshToken, TokenPurpose::kAuthorizationCode,
                             TokenPurpose::kPageToken}) {
    EXPECT_FALSE(keys_->OpenToken(purpose, "client", sealed));
  }
  EXPECT_FALSE(keys_->OpenToken(TokenPurpose::kSession, "client2", sealed));
  EXPECT_FALSE(keys_->OpenToken(TokenPurpose::kSession, Bytes(70'000, 'c'), sealed));
  const PoolId other("eu-central-1_other");
  const Bytes wrapped_other =
      WrapNewPoolKeys(*provider_, cmk_, kPoolArn.substr(0, kPoolArn.rfind('/') + 1) + other.value(), clock_.Now(),
                      random_)
          .value();
  EXPECT_FALSE(OpenPoolKeys(*provider_, kHere, other, wrapped_other)
                   .value()
                   ->OpenToken(TokenPurpose::kSession, "client", sealed));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(keys_->OpenToken(TokenPurpose::kSession, "client", altered)) << bit;
  }
  EXPECT_FALSE(keys_->OpenToken(TokenPurpose::kSession, "client", ""));
}

TEST_F(PoolKeysTest, IndexesAreStableAndApart) {
  EXPECT_EQ(keys_->BlindIndex("email", "a@b"), OpenHere(wrapped_)->BlindIndex("email", "a@b"));
  const std::set<Bytes> all = {keys_->BlindIndex("email", "a@b"), keys_->BlindIndex("emaila", "@b"),
                               keys_->BlindIndex("", "emaila@b"), keys_->Derive("email", "a@b")};
  EXPECT_EQ(all.size(), 4u);
  for (const Bytes& index : all) EXPECT_EQ(index.size(), 32u);
  EXPECT_NE(
      OpenHere(WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).value())->BlindIndex("email", "a@b"),
      keys_->BlindIndex("email", "a@b"));
}

TEST_F(PoolKeysTest, AnotherRegionWithTheMultiRegionKeyOpensEverything) {
  Link link(*there_);
  EXPECT_EQ(OpenPoolKeys(*there_, kThere, kPool, wrapped_).error().code, KeyErrorCode::kNotFound);
  ASSERT_TRUE(provider_->ReplicateKey(cmk_, kThere, "", link));
  const auto there = OpenPoolKeys(*there_, kThere, kPool, wrapped_);
  ASSERT_TRUE(there);
  EXPECT_EQ((*there)->Open(UserKey(), keys_->Seal(UserKey(), "here", random_)), "here");
  EXPECT_EQ(keys_->Open(UserKey(), (*there)->Seal(UserKey(), "there", random_)), "there");
  EXPECT_EQ((*there)->Derive("sub", "x"), keys_->Derive("sub", "x"));
  EXPECT_EQ((*there)->OpenToken(TokenPurpose::kRefreshToken, "c",
                                keys_->SealToken(TokenPurpose::kRefreshToken, "c", "token", random_)),
            "token");
  // The record says which Region sealed it.
  EXPECT_NE((*there)->Seal(UserKey(), "x", random_).find("us-east-1"), Bytes::npos);
}

TEST_F(PoolKeysTest, OldGenerationStaysReadable) {
  const Bytes old_record = keys_->Seal(UserKey(), "old", random_);
  pb::WrappedPoolKeys record;
  ASSERT_TRUE(record.ParseFromString(wrapped_));
  const Bytes generation(16, 'g');
  auto& next = *record.add_data_keys();
  next.set_generation(generation);
  next.set_wrapped(provider_
                       ->GenerateDataKeyWithoutPlaintext(cmk_, {{"aws:cognito-idp:userpool-arn", kPoolArn},
                                                                {"symbolon:key", "data:" + HexEncode(generation)}})
                       .value());
  record.set_sealing_generation(generation);
  const auto keys = OpenHere(record.SerializeAsString());
  EXPECT_EQ(keys->Open(UserKey(), old_record), "old");
  const Bytes new_record = keys->Seal(UserKey(), "new", random_);
  EXPECT_EQ(new_record.substr(1, 16), generation);
  EXPECT_EQ(keys_->Open(UserKey(), new_record).error().code, OpenErrorCode::kUnknownGeneration);
}

TEST_F(PoolKeysTest, DamagedOrExchangedWrappedKeysAreInvalid) {
  pb::WrappedPoolKeys good;
  ASSERT_TRUE(good.ParseFromString(wrapped_));
  std::vector<pb::WrappedPoolKeys> wrong(10, good);
  std::swap(*wrong[0].mutable_wrapped_index_key(), *wrong[0].mutable_wrapped_identity_key());
  wrong[1].set_wrapped_token_key(wrong[1].data_keys(0).wrapped());
  wrong[2].mutable_data_keys(0)->set_generation(Bytes(16, 'x'));
  wrong[2].set_sealing_generation(Bytes(16, 'x'));
  wrong[3].set_sealing_generation(Bytes(16, 'x'));
  wrong[4].clear_data_keys();
  wrong[5].mutable_data_keys(0)->set_generation("short");
  wrong[6].set_user_pool_arn(kPoolArn + "2");
  wrong[7].set_provider("aws_kms");
  wrong[8].clear_cmk_arn();
  wrong[9].mutable_wrapped_index_key()->back() ^= 1;
  for (const auto& record : wrong) {
    EXPECT_EQ(OpenPoolKeys(*provider_, kHere, kPool, record.SerializeAsString()).error().code,
              KeyErrorCode::kInvalidCiphertext);
  }
  for (const Bytes& record : {Bytes(), Bytes("x"), Bytes(2 << 20, '\x7f')}) {
    EXPECT_EQ(OpenPoolKeys(*provider_, kHere, kPool, record).error().code, KeyErrorCode::kInvalidCiphertext);
  }
  // A pool's record copied to another pool.
  EXPECT_EQ(OpenPoolKeys(*provider_, kHere, PoolId("eu-central-1_other"), wrapped_).error().code,
            KeyErrorCode::kInvalidCiphertext);
}

TEST_F(PoolKeysTest, DisabledCmkOpensNothing) {
  EXPECT_TRUE(ProbePoolKeys(*provider_, kHere, wrapped_));
  ASSERT_TRUE(provider_->DisableKey(cmk_));
  EXPECT_EQ(OpenPoolKeys(*provider_, kHere, kPool, wrapped_).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(ProbePoolKeys(*provider_, kHere, wrapped_).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(WrapNewPoolKeys(*provider_, cmk_, kPoolArn, clock_.Now(), random_).error().code, KeyErrorCode::kDisabled);
}

TEST_F(PoolKeysTest, OriginIsReadableWithoutTheCmk) {
  const auto origin = ContentsOfPoolKeys(wrapped_);
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->provider, "local");
  EXPECT_EQ(origin->cmk_arn, cmk_);
  EXPECT_EQ(origin->user_pool_arn, kPoolArn);
}

// ---- offers ----

TEST_F(PoolKeysTest, OfferedChangeOfCmkSealsNothingUntilItIsTaken) {
  const std::string other = provider_->CreateKey(true, "").value().arn;
  const Bytes before = keys_->Seal(UserKey(), "before", random_);
  const Bytes offering = OfferPoolKeys(*provider_, kHere, wrapped_, other, clock_.Now(), random_).value();
  const auto offered = OpenHere(offering);
  EXPECT_EQ(offered->sealing_generation(), keys_->sealing_generation());
  EXPECT_EQ(ContentsOfPoolKeys(offering)->cmk_arn, cmk_);
  EXPECT_EQ(ContentsOfPoolKeys(offering)->offered_cmk_arn, other);

  const Bytes taken = TakeOffer(offering).value();
  ASSERT_TRUE(provider_->DisableKey(cmk_));
  const auto next = OpenHere(taken);
  EXPECT_NE(next->sealing_generation(), keys_->sealing_generation());
  EXPECT_EQ(next->Open(UserKey(), before), "before");
  const Bytes after = next->Seal(UserKey(), "after", random_);
  // Whoever has seen the offer opens what follows it.
  EXPECT_EQ(offered->Open(UserKey(), after), "after");
  EXPECT_EQ(next->Derive("sub", "x"), keys_->Derive("sub", "x"));
  EXPECT_EQ(next->BlindIndex("email", "x"), keys_->BlindIndex("email", "x"));
  EXPECT_EQ(next->OpenToken(TokenPurpose::kRefreshToken, "c",
                            keys_->SealToken(TokenPurpose::kRefreshToken, "c", "token", random_)),
            "token");
  const auto contents = ContentsOfPoolKeys(taken);
  EXPECT_EQ(contents->cmk_arn, other);
  EXPECT_EQ(contents->user_pool_arn, kPoolArn);
  EXPECT_EQ(contents->generations.size(), 2u);
  EXPECT_FALSE(contents->offered_at);
}

TEST_F(PoolKeysTest, FormerCmksAreKnownForGood_AndOpenNothingOfTheRecord) {
  Bytes record = wrapped_;
  const std::string second = provider_->CreateKey(true, "").value().arn;
  const auto change = [&](const std::string& cmk) {
    record = TakeOffer(OfferPoolKeys(*provider_, kHere, record, cmk, clock_.Now(), random_).value()).value();
  };
  EXPECT_THAT(ContentsOfPoolKeys(record)->former_cmk_arns, testing::IsEmpty());
  change(second);
  EXPECT_THAT(ContentsOfPoolKeys(record)->former_cmk_arns, testing::ElementsAre(cmk_));
  change(second);
  record = NoteFormerCmk(record, "arn:of-a-region").value();
  EXPECT_THAT(ContentsOfPoolKeys(record)->former_cmk_arns, testing::ElementsAre(cmk_, "arn:of-a-region"));

  // The service opens the pool with its present CMK, and with no former one.
  ASSERT_TRUE(provider_->DisableKey(cmk_));
  EXPECT_TRUE(OpenPoolKeys(*provider_, kHere, kPool, record));
  ASSERT_TRUE(provider_->EnableKey(cmk_));
  ASSERT_TRUE(provider_->DisableKey(second));
  EXPECT_EQ(OpenPoolKeys(*provider_, kHere, kPool, record).error().code, KeyErrorCode::kDisabled);
  pb::WrappedPoolKeys under_former;
  ASSERT_TRUE(under_former.ParseFromString(record));
  under_former.set_cmk_arn(cmk_);
  EXPECT_FALSE(OpenPoolKeys(*provider_, kHere, kPool, under_former.SerializeAsString()));

  ASSERT_TRUE(provider_->EnableKey(second));
  change(cmk_);
  EXPECT_THAT(ContentsOfPoolKeys(record)->former_cmk_arns, testing::ElementsAre("arn:of-a-region", second));
}

TEST_F(PoolKeysTest, FormerCmkThatIsNotedWhileAChangeIsOfferedIsKnownAfterIt) {
  Bytes record = wrapped_;
  const std::string second = provider_->CreateKey(true, "").value().arn;
  const Bytes offering = OfferPoolKeys(*provider_, kHere, record, second, clock_.Now(), random_).value();
  const Bytes noted = NoteFormerCmk(offering, "arn:of-a-region").value();
  EXPECT_THAT(ContentsOfPoolKeys(noted)->former_cmk_arns, testing::ElementsAre("arn:of-a-region"));
  EXPECT_THAT(ContentsOfPoolKeys(TakeOffer(noted).value())->former_cmk_arns,
              testing::ElementsAre(cmk_, "arn:of-a-region"));
  for (int i = 0; i < 2 * kFormerCmksMax; ++i) record = NoteFormerCmk(record, std::to_string(i)).value();
  const auto former = ContentsOfPoolKeys(record)->former_cmk_arns;
  EXPECT_EQ(former.size(), static_cast<std::size_t>(kFormerCmksMax));
  EXPECT_EQ(former.back(), std::to_string(2 * kFormerCmksMax - 1));
}

TEST_F(PoolKeysTest, OfferUnderTheSameCmkAddsAGenerationOnly) {
  const Bytes offering = OfferPoolKeys(*provider_, kHere, wrapped_, cmk_, clock_.Now(), random_).value();
  pb::WrappedPoolKeys before, after;
  ASSERT_TRUE(before.ParseFromString(wrapped_) && after.ParseFromString(TakeOffer(offering).value()));
  EXPECT_EQ(after.data_keys_size(), 2);
  EXPECT_EQ(after.sealing_generation(), after.data_keys(1).generation());
  after.mutable_data_keys()->RemoveLast();
  after.set_sealing_generation(before.sealing_generation());
  EXPECT_EQ(after.SerializeAsString(), before.SerializeAsString());
}

TEST_F(PoolKeysTest, CheckValueIsTheSameInEveryRegionAndOfTheNewGenerationOnly) {
  Link link(*there_);
  ASSERT_TRUE(provider_->ReplicateKey(cmk_, kThere, "", link));
  const Bytes offering = OfferPoolKeys(*provider_, kHere, wrapped_, cmk_, clock_.Now(), random_).value();
  const auto here = OpenOffer(*provider_, kHere, kPool, offering), there = OpenOffer(*there_, kThere, kPool, offering);
  ASSERT_TRUE(here && there);
  EXPECT_EQ(here->check, there->check);
  EXPECT_EQ(here->record, TakeOffer(offering).value());
  EXPECT_EQ(there->keys->Open(UserKey(), here->keys->Seal(UserKey(), "new", random_)), "new");
  const Bytes another = OfferPoolKeys(*provider_, kHere, wrapped_, cmk_, clock_.Now(), random_).value();
  EXPECT_NE(OpenOffer(*provider_, kHere, kPool, another)->check, here->check);
  EXPECT_EQ(OpenOffer(*provider_, kHere, kPool, wrapped_).error().code, KeyErrorCode::kInvalidCiphertext);
}

TEST_F(PoolKeysTest, OfferThatDoesNotOpenHereLeavesThePoolAsItWas) {
  const std::string other = provider_->CreateKey(true, "").value().arn;
  const Bytes offering = OfferPoolKeys(*provider_, kHere, wrapped_, other, clock_.Now(), random_).value();
  ASSERT_TRUE(provider_->DisableKey(other));
  EXPECT_EQ(OpenHere(offering)->Open(UserKey(), keys_->Seal(UserKey(), "x", random_)), "x");
  EXPECT_EQ(OpenOffer(*provider_, kHere, kPool, offering).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(WithdrawOffer(offering).value(), wrapped_);
  EXPECT_EQ(WithdrawOffer(wrapped_).value(), wrapped_);
}

TEST_F(PoolKeysTest, DroppedGenerationOpensNothingMore) {
  const Bytes old_generation(keys_->sealing_generation());
  const Bytes old_record = keys_->Seal(UserKey(), "old", random_);
  const Bytes offering = OfferPoolKeys(*provider_, kHere, wrapped_, cmk_, clock_.Now(), random_).value();
  const Bytes next = TakeOffer(offering).value();
  EXPECT_FALSE(DropGenerations(offering, {old_generation}));
  EXPECT_FALSE(DropGenerations(next, {ContentsOfPoolKeys(next)->sealing_generation}));
  const auto keys = OpenHere(DropGenerations(next, {old_generation}).value());
  EXPECT_TRUE(keys->Holds(keys->sealing_generation()));
  EXPECT_FALSE(keys->Holds(old_generation));
  EXPECT_EQ(keys->Open(UserKey(), old_record).error().code, OpenErrorCode::kUnknownGeneration);
}

TEST_F(PoolKeysTest, SealedRecordNamesItsGeneration) {
  EXPECT_EQ(GenerationOf(keys_->Seal(UserKey(), "x", random_)), keys_->sealing_generation());
  EXPECT_FALSE(GenerationOf(wrapped_));
  EXPECT_FALSE(GenerationOf(""));
  EXPECT_FALSE(GenerationOf("\x01 too short"));
}

}  // namespace
}  // namespace symbolon::keys
