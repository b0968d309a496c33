#include "keys/keyring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "keys/test_keyring.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using namespace std::chrono_literals;

TEST_F(KeyringTest, KeysAreOpenedOnceAndThenAtHand) {
  const PoolId pool = NewPool(cmk_);
  const auto keys = keyring_.KeysOf(snapshot_, pool);
  ASSERT_TRUE(keys);
  EXPECT_EQ((*keys)->pool(), pool);
  const int decrypts = provider_.decrypts;
  EXPECT_EQ(keyring_.KeysOf(snapshot_, pool).value(), *keys);
  EXPECT_EQ(provider_.decrypts, decrypts);
  EXPECT_EQ(ErrorOf(PoolId("eu-central-1_none")), KeyServiceErrorCode::kNoKeys);
}

TEST_F(KeyringTest, NewKeysServeAtOnce) {
  const PoolId pool("eu-central-1_new");
  const auto made = keyring_.MakeKeys(pool, "");
  ASSERT_TRUE(made);
  snapshot_.wrapped[pool] = made->wrapped;
  EXPECT_EQ(keyring_.KeysOf(snapshot_, pool).value()->BlindIndex("a", "b"), made->opened->BlindIndex("a", "b"));
}

TEST_F(KeyringTest, KeysThatCannotServeAPoolAreRefused) {
  const PoolId pool("eu-central-1_new");
  const auto code = [&](const std::string& arn) { return keyring_.MakeKeys(pool, arn).error().code; };
  EXPECT_EQ(code("nonsense"), KeyServiceErrorCode::kUnusableKey);
  EXPECT_EQ(code("arn:aws:kms:us-east-1:000000000000:key/" + cmk_.substr(cmk_.rfind('/') + 1)),
            KeyServiceErrorCode::kUnusableKey);
  // Whatever is told of the key names it otherwise, and would pass the pool over.
  EXPECT_EQ(code("arn:x" + cmk_.substr(cmk_.find(":kms:"))), KeyServiceErrorCode::kUnusableKey);
  EXPECT_EQ(code(kms_->EnsureServiceOwnedKey().value()), KeyServiceErrorCode::kUnusableKey);
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  EXPECT_EQ(code(cmk_), KeyServiceErrorCode::kUnusableKey);
  provider_.fails_with = KeyErrorCode::kUnavailable;
  EXPECT_EQ(code(cmk_), KeyServiceErrorCode::kUnavailable);
}

TEST_F(KeyringTest, RegionsOfAKey) {
  EXPECT_EQ(keyring_.RegionsOfKey(cmk_).value(), std::vector<Region>{kHere});
  EXPECT_TRUE(keyring_.RegionsOfKey(kms_->CreateKey(false, "").value().arn)->empty());
  EXPECT_EQ(keyring_.RegionsOfKey("nonsense").error().code, KeyServiceErrorCode::kUnusableKey);
}

TEST_F(KeyringTest, DisabledCmkLocksItsPoolsAtTheNextTickAndEnablingOpensThem) {
  const PoolId first = NewPool(cmk_), second = NewPool(cmk_);
  const PoolId other = NewPool(kms_->CreateKey(false, "").value().arn);
  ASSERT_TRUE(IsOpen(first) && IsOpen(second) && IsOpen(other));
  std::weak_ptr<const PoolKeys> held = keyring_.KeysOf(snapshot_, first).value();

  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_EQ(ErrorOf(first), KeyServiceErrorCode::kWithdrawn);
  EXPECT_EQ(ErrorOf(second), KeyServiceErrorCode::kWithdrawn);
  EXPECT_TRUE(IsOpen(other));
  EXPECT_TRUE(held.expired());
  EXPECT_EQ(told_.size(), 2u);

  ASSERT_TRUE(kms_->EnableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(first) && IsOpen(second) && IsOpen(other));
  ASSERT_EQ(told_.size(), 4u);
  EXPECT_TRUE(told_[0].second && told_[1].second);
  EXPECT_FALSE(told_[2].second || told_[3].second);
}

TEST_F(KeyringTest, RecheckLocksAtOnce) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  keyring_.Recheck(cmk_);
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kWithdrawn);
  ASSERT_TRUE(kms_->EnableKey(cmk_));
  keyring_.Recheck(cmk_);
  EXPECT_TRUE(IsOpen(pool));
  keyring_.Recheck("arn:aws:kms:eu-central-1:000000000000:key/unused");
}

TEST_F(KeyringTest, DeniedDeletedAndRemovedKeysLockToo) {
  const PoolId pool = NewPool(cmk_);
  for (const auto code :
       {KeyErrorCode::kAccessDenied, KeyErrorCode::kNotFound, KeyErrorCode::kPendingDeletion, KeyErrorCode::kRemoved}) {
    ASSERT_TRUE(IsOpen(pool));
    provider_.fails_with = code;
    clock_.Advance(2s);
    Ask();
    EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kWithdrawn);
    provider_.fails_with.reset();
    clock_.Advance(2s);
    Ask();
  }
}

TEST_F(KeyringTest, RemovedTokenIsLockedAndNotLost) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  provider_.fails_with = KeyErrorCode::kRemoved;
  clock_.Advance(2s);
  Ask();
  const auto status = keyring_.StatusOf(snapshot_, pool);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, PoolKeyStatus::State::kLocked);
  EXPECT_EQ(status->reason, "The HSM token with the KMS key of the user pool is removed.");
}

TEST_F(KeyringTest, UnreachableProviderLocksWhenTheLastAnswerIsTooOld) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  std::weak_ptr<const PoolKeys> held = keyring_.KeysOf(snapshot_, pool).value();
  provider_.fails_with = KeyErrorCode::kUnavailable;
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(2s);
    Ask();
    EXPECT_TRUE(IsOpen(pool)) << i;
  }
  clock_.Advance(2s);
  Ask();
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kUnavailable);
  EXPECT_TRUE(held.expired());
  provider_.fails_with.reset();
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, KeysGoStaleWhenNobodyTicks) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  clock_.Advance(8s + 1ns);
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kUnavailable);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, PoolFirstMetWhileItsKeyIsDisabledOpensLater) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kWithdrawn);
  const int decrypts = provider_.decrypts;
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kWithdrawn);
  EXPECT_EQ(provider_.decrypts, decrypts);
  ASSERT_TRUE(kms_->EnableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
}

// open: Decrypt succeeds ─┐                 ┌─ publish
// key:                    └─ disable, lock ─┘
TEST_F(KeyringTest, WithdrawalDuringTheFirstOpeningWins) {
  const PoolId opened = NewPool(cmk_), late = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(opened));
  int calls = 0;
  bool withdrawn = false;
  provider_.before_decrypt = [&] {
    if (++calls < 4 || withdrawn) return;  // The last of the late pool's keys.
    withdrawn = true;
    provider_.fails_with = KeyErrorCode::kDisabled;
    keyring_.Recheck(cmk_);
    provider_.fails_with.reset();
  };
  EXPECT_EQ(ErrorOf(late), KeyServiceErrorCode::kWithdrawn);
  EXPECT_TRUE(withdrawn);
  EXPECT_EQ(ErrorOf(opened), KeyServiceErrorCode::kWithdrawn);
}

TEST_F(KeyringTest, KeyThatAnotherTookThePlaceOf_LocksUntilItIsBack) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  provider_.fails_with = KeyErrorCode::kInvalidCiphertext;
  clock_.Advance(2s);
  Ask();
  EXPECT_FALSE(IsOpen(pool));
  clock_.Advance(2s);
  Ask();
  EXPECT_FALSE(IsOpen(pool));
  provider_.fails_with.reset();
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, DamagedPoolDoesNotLockItsNeighbours) {
  const PoolId good = NewPool(cmk_), bad = NewPool(cmk_);
  snapshot_.wrapped[bad].back() ^= 1;
  EXPECT_EQ(ErrorOf(bad), KeyServiceErrorCode::kUnavailable);
  ASSERT_TRUE(IsOpen(good));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(good));
  EXPECT_EQ(ErrorOf(bad), KeyServiceErrorCode::kUnavailable);
}

TEST_F(KeyringTest, InvalidatedPoolIsReadAgain) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  const auto rewrapped = keyring_.MakeKeys(pool, cmk_);
  snapshot_.wrapped[pool] = rewrapped->wrapped;
  keyring_.Invalidate(pool);
  EXPECT_EQ(keyring_.KeysOf(snapshot_, pool).value()->Derive("a", "b"), rewrapped->opened->Derive("a", "b"));
  snapshot_.wrapped.clear();
  keyring_.Invalidate(pool);
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kNoKeys);
}

TEST_F(KeyringTest, UnreachableProviderIsRiddenOutForTheGraceAndNoLonger) {
  Keyring patient(provider_,
                  {.region = kHere,
                   .account = local::kTestAccount,
                   .service_owned_key_arn = kms_->EnsureServiceOwnedKey().value(),
                   .unreachable_grace = 60s},
                  clock_, crypto::SystemRandom());
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(patient.KeysOf(snapshot_, pool));
  provider_.fails_with = KeyErrorCode::kUnavailable;
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(2s);
    Ask(patient);
    EXPECT_TRUE(patient.KeysOf(snapshot_, pool)) << i;
  }
  clock_.Advance(2s);
  Ask(patient);
  EXPECT_EQ(patient.KeysOf(snapshot_, pool).error().code, KeyServiceErrorCode::kUnavailable);
  // Whoever does not ask at all does not serve until the grace ends.
  provider_.fails_with.reset();
  clock_.Advance(2s);
  Ask(patient);
  ASSERT_TRUE(patient.KeysOf(snapshot_, pool));
  clock_.Advance(8s + 1ns);
  EXPECT_FALSE(patient.KeysOf(snapshot_, pool));
}

TEST_F(KeyringTest, StatusSaysWhetherAPoolIsOpenLockedOrLost) {
  using State = PoolKeyStatus::State;
  const PoolId pool = NewPool(cmk_);
  EXPECT_EQ(keyring_.StatusOf(snapshot_, pool)->state, State::kOpen);
  EXPECT_EQ(keyring_.StatusOf(snapshot_, pool)->cmk_arn, cmk_);
  for (const auto& [code, state] :
       {std::pair(KeyErrorCode::kDisabled, State::kLocked), std::pair(KeyErrorCode::kPendingDeletion, State::kLocked),
        std::pair(KeyErrorCode::kNotFound, State::kLost)}) {
    provider_.fails_with = code;
    clock_.Advance(2s);
    Ask();
    const auto status = keyring_.StatusOf(snapshot_, pool);
    EXPECT_EQ(status->state, state);
    EXPECT_FALSE(status->reason.empty());
    EXPECT_EQ(status->since, clock_.Now() - (code == KeyErrorCode::kDisabled   ? 0s
                                             : code == KeyErrorCode::kNotFound ? 4s
                                                                               : 2s));
  }
  EXPECT_EQ(keyring_.StatusOf(snapshot_, PoolId("eu-central-1_none")).error().code, KeyServiceErrorCode::kNoKeys);
}

TEST_F(KeyringTest, ManyThreadsWhileTheKeyComesAndGoes) {
  std::vector<PoolId> pools;
  for (int i = 0; i < 8; ++i) pools.push_back(NewPool(cmk_));
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        for (const PoolId& pool : pools) {
          const auto keys = keyring_.KeysOf(snapshot_, pool);
          wrong += keys && (*keys)->pool() != pool;
        }
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(i % 2 == 0 ? kms_->DisableKey(cmk_) : kms_->EnableKey(cmk_));
    keyring_.Recheck(cmk_);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  for (const PoolId& pool : pools) EXPECT_TRUE(IsOpen(pool));
}

// ---- changes of a pool's record ----

TEST_F(KeyringTest, ConfirmedOfferServesFromTheMomentItIsTaken) {
  const PoolId pool = NewPool(cmk_);
  const auto before = KeysOf(pool);
  const std::string other = kms_->CreateKey(true, "").value().arn;
  Store(pool, keyring_.OfferKeys(snapshot_, pool, other).value().record);
  ASSERT_TRUE(IsOpen(pool));
  ASSERT_TRUE(keyring_.ConfirmOffer(snapshot_, pool));
  const auto between = KeysOf(pool);
  EXPECT_EQ(between->sealing_generation(), before->sealing_generation());
  EXPECT_TRUE(replaced_.empty());

  // Without a question to the provider, and long after the confirmation.
  clock_.Advance(2s);
  Ask();
  provider_.before_decrypt = [] { FAIL() << "the new keys are at hand"; };
  Store(pool, TakeOffer(snapshot_.wrapped[pool]).value());
  const auto after = KeysOf(pool);
  EXPECT_NE(after->sealing_generation(), before->sealing_generation());
  EXPECT_TRUE(between->Holds(after->sealing_generation()));
  EXPECT_EQ(replaced_, std::vector{pool});
  provider_.before_decrypt = nullptr;
  EXPECT_EQ(keyring_.StatusOf(snapshot_, pool)->cmk_arn, other);

  // From now on the other key decides.
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
  ASSERT_TRUE(kms_->DisableKey(other));
  clock_.Advance(2s);
  Ask();
  EXPECT_FALSE(IsOpen(pool));
}

TEST_F(KeyringTest, FormerKeysAreInUseUntilTheLastRequestLetsGo) {
  const PoolId pool = NewPool(cmk_);
  auto held = KeysOf(pool);
  Store(pool, keyring_.OfferKeys(snapshot_, pool, std::nullopt).value().record);
  ASSERT_TRUE(keyring_.ConfirmOffer(snapshot_, pool));
  Store(pool, TakeOffer(snapshot_.wrapped[pool]).value());
  EXPECT_TRUE(held->retired());
  EXPECT_TRUE(keyring_.FormerKeysInUse(pool));
  held.reset();
  EXPECT_FALSE(keyring_.FormerKeysInUse(pool));
}

TEST_F(KeyringTest, RecordThatCameUnannouncedIsOpenedByTheNextRequest) {
  const PoolId pool = NewPool(cmk_);
  const auto before = KeysOf(pool);
  Store(pool, TakeOffer(keyring_.OfferKeys(snapshot_, pool, std::nullopt).value().record).value());
  const auto after = KeysOf(pool);
  EXPECT_NE(after->sealing_generation(), before->sealing_generation());
  EXPECT_TRUE(before->retired());
}

TEST_F(KeyringTest, RecordThatTheKeysCoverIsOpenedBesideThem) {
  const PoolId pool = NewPool(cmk_);
  const Bytes first(KeysOf(pool)->sealing_generation());
  Store(pool, TakeOffer(keyring_.OfferKeys(snapshot_, pool, std::nullopt).value().record).value());
  const auto both = KeysOf(pool);
  provider_.fails_with = KeyErrorCode::kUnavailable;
  Store(pool, DropGenerations(snapshot_.wrapped[pool], {first}).value());
  Ask();
  EXPECT_EQ(KeysOf(pool), both);
  EXPECT_TRUE(keyring_.FormerKeysInUse(pool));
  provider_.fails_with.reset();
  Ask();
  EXPECT_FALSE(KeysOf(pool)->Holds(first));
  EXPECT_TRUE(both->Holds(first));
}

TEST_F(KeyringTest, OfferedKeyThatIsWithdrawnBeforeItIsTakenIsNotKept) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  const std::string other = kms_->CreateKey(true, "").value().arn;
  Store(pool, keyring_.OfferKeys(snapshot_, pool, other).value().record);
  ASSERT_TRUE(keyring_.ConfirmOffer(snapshot_, pool));
  ASSERT_TRUE(kms_->DisableKey(other));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
  EXPECT_EQ(keyring_.ConfirmOffer(snapshot_, pool).error().message, "The KMS key of the user pool is disabled.");
  Store(pool, TakeOffer(snapshot_.wrapped[pool]).value());
  EXPECT_EQ(ErrorOf(pool), KeyServiceErrorCode::kWithdrawn);
}

TEST_F(KeyringTest, LockedPoolOpensUnderTheKeyOfARecordThatCameMeanwhile) {
  const PoolId pool = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(pool));
  const std::string other = kms_->CreateKey(true, "").value().arn;
  const Bytes next = TakeOffer(keyring_.OfferKeys(snapshot_, pool, other).value().record).value();
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  keyring_.Recheck(cmk_);
  Store(pool, next);
  EXPECT_FALSE(IsOpen(pool));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, KeysThatCannotTakeOverAreNotOffered) {
  const PoolId pool = NewPool(cmk_);
  const auto code = [&](const std::string& arn) { return keyring_.OfferKeys(snapshot_, pool, arn).error().code; };
  EXPECT_EQ(code("nonsense"), KeyServiceErrorCode::kUnusableKey);
  EXPECT_EQ(code(kms_->EnsureServiceOwnedKey().value()), KeyServiceErrorCode::kUnusableKey);
  const std::string disabled = kms_->CreateKey(false, "").value().arn;
  ASSERT_TRUE(kms_->DisableKey(disabled));
  EXPECT_EQ(code(disabled), KeyServiceErrorCode::kUnusableKey);
  EXPECT_TRUE(keyring_.OfferKeys(snapshot_, pool, ""));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  keyring_.Recheck(cmk_);
  EXPECT_EQ(code(""), KeyServiceErrorCode::kWithdrawn);
}

}  // namespace
}  // namespace symbolon::keys
