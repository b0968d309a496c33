#include "keys/keyring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "keys/local/test_support.h"
#include "keys/wrapped_keys_snapshot.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using namespace std::chrono_literals;

const Region kHere("eu-central-1");

// The local provider behind a line that can be cut, with a meter.
class MeteredProvider final : public KeyProvider {
 public:
  explicit MeteredProvider(KeyProvider& inner) : inner_(inner) {}
  std::string_view name() const override { return inner_.name(); }
  bool HasUntoldPolicies() const override { return has_untold_policies; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view arn, const EncryptionContext& context) override {
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    return inner_.GenerateDataKeyWithoutPlaintext(arn, context);
  }
  KeyResult<Bytes> Encrypt(std::string_view arn, const EncryptionContext& context, BytesView plaintext) override {
    return inner_.Encrypt(arn, context, plaintext);
  }
  KeyResult<Secret> Decrypt(std::string_view arn, const EncryptionContext& context, BytesView ciphertext) override {
    ++decrypts;
    Begin(std::string(arn), context.at("symbolon:key"), context.at("aws:cognito-idp:userpool-arn"));
    if (before_decrypt) before_decrypt();
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    const std::string& user_pool = context.at("aws:cognito-idp:userpool-arn");
    for (const PoolId& pool : denied) {
      if (user_pool.ends_with("/" + pool.value())) return Err(KeyError{KeyErrorCode::kAccessDenied, "by the policy"});
    }
    return inner_.Decrypt(arn, context, ciphertext);
  }
  KeyResult<KeyDescription> DescribeKey(std::string_view arn) override {
    if (fails_with) return Err(KeyError{*fails_with, "cut"});
    return inner_.DescribeKey(arn);
  }

  // Calls about this CMK, or for keys whose use begins so, do not end until they are let go.
  void Hang(const std::string& what) {
    std::lock_guard guard(mutex_);
    hanging_ = what;
  }
  void LetGo() {
    {
      std::lock_guard guard(mutex_);
      hanging_.clear();
    }
    changed_.notify_all();
  }
  // How many calls about this CMK, or for this use, have begun.
  int Begun(const std::string& what) {
    std::lock_guard guard(mutex_);
    return begun_[what];
  }

  bool has_untold_policies = false;
  std::optional<KeyErrorCode> fails_with;
  // As a key policy may have it, which looks at the encryption context.
  std::set<PoolId> denied;
  std::function<void()> before_decrypt;
  std::atomic<int> decrypts = 0;
  // ARNs of the pools that were asked about. Not to be read while somebody asks.
  std::set<std::string> met;

 private:
  void Begin(const std::string& arn, const std::string& use, const std::string& user_pool) {
    std::unique_lock guard(mutex_);
    ++begun_[arn];
    ++begun_[use];
    met.insert(user_pool);
    changed_.notify_all();
    changed_.wait(guard, [&] { return hanging_.empty() || (hanging_ != arn && !use.starts_with(hanging_)); });
  }

  KeyProvider& inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> begun_;  // by CMK, and by use; guarded by mutex_
  std::string hanging_;               // guarded by mutex_
};

class KeyringTest : public testing::Test {
 protected:
  // A pool with keys under this CMK, in the store.
  PoolId NewPool(const std::string& cmk) {
    const PoolId pool = NewPoolId(kHere, crypto::SystemRandom());
    snapshot_.wrapped[pool] = keyring_.MakeKeys(pool, cmk).value().wrapped;
    return pool;
  }
  // Asks the CMKs that are due, and waits for what follows.
  void Ask() { Ask(keyring_); }
  static void Ask(Keyring& keyring) {
    keyring.Tick();
    keyring.WaitUntilAsked();
  }
  // What the tick before began may be under way yet.
  void TickUntilBegun(const std::string& what, int count) {
    while (provider_.Begun(what) < count) {
      keyring_.Tick();
      std::this_thread::yield();
    }
  }
  bool IsOpen(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).has_value(); }
  // The pool's record changes, as a commit would change it.
  void Store(const PoolId& pool, const Bytes& record) {
    snapshot_.wrapped[pool] = record;
    keyring_.Follow(pool, record);
  }
  std::shared_ptr<const PoolKeys> KeysOf(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).value(); }
  KeyServiceErrorCode ErrorOf(const PoolId& pool) { return keyring_.KeysOf(snapshot_, pool).error().code; }

  local::TestClock clock_;
  local::TemporaryDirectory directory_;
  std::unique_ptr<local::LocalKeyProvider> kms_ = OpenTestProvider(directory_.path(), kHere, clock_).value();
  MeteredProvider provider_{*kms_};
  const std::string cmk_ = kms_->CreateKey(true, "").value().arn;
  WrappedKeysSnapshot snapshot_;
  std::mutex told_mutex_;
  std::vector<std::pair<PoolId, bool>> told_;  // guarded by told_mutex_
  std::vector<PoolId> replaced_;
  Keyring keyring_{provider_,
                   {.region = kHere,
                    .account = local::kTestAccount,
                    .service_owned_key_arn = kms_->EnsureServiceOwnedKey().value(),
                    .unreachable_grace = 6s,
                    .on_change =
                        [this](const PoolId& pool, bool locked) {
                          std::lock_guard guard(told_mutex_);
                          told_.emplace_back(pool, locked);
                        },
                    .on_replaced = [this](const PoolId& pool) { replaced_.push_back(pool); }},
                   clock_,
                   crypto::SystemRandom()};
};

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

TEST_F(KeyringTest, EachCmkIsAskedOnceAnInterval) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(IsOpen(NewPool(cmk_)));
  ASSERT_TRUE(IsOpen(NewPool("")));
  const int before = provider_.decrypts;
  Ask();
  EXPECT_EQ(provider_.decrypts, before);
  clock_.Advance(2s);
  Ask();
  Ask();
  EXPECT_EQ(provider_.decrypts, before + 2);
}

TEST_F(KeyringTest, CmkThatIsSlowHoldsUpNeitherTheOthersNorTheNextTick) {
  provider_.has_untold_policies = true;
  const std::string slow_cmk = kms_->CreateKey(false, "").value().arn;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(IsOpen(NewPool(slow_cmk)));
  const PoolId other = NewPool(cmk_);
  const PoolId owned = NewPool("");
  const std::string owned_cmk = kms_->EnsureServiceOwnedKey().value();
  ASSERT_TRUE(IsOpen(other) && IsOpen(owned));
  const int slow_begun = provider_.Begun(slow_cmk);

  provider_.Hang(slow_cmk);
  // Longer than a CMK may be unasked.
  for (int i = 0; i < 6; ++i) {
    const int asked = provider_.Begun(cmk_), asked_owned = provider_.Begun(owned_cmk);
    clock_.Advance(2s);
    TickUntilBegun(cmk_, asked + 1);
    TickUntilBegun(owned_cmk, asked_owned + 1);
    EXPECT_TRUE(IsOpen(other) && IsOpen(owned)) << i;
  }
  // No thread more for it than it may have, and no question on top of those under way.
  EXPECT_LE(provider_.Begun(slow_cmk), slow_begun + 4);
  provider_.LetGo();
  keyring_.WaitUntilAsked();
  EXPECT_EQ(provider_.Begun(slow_cmk), slow_begun + 12);
}

TEST_F(KeyringTest, OpeningManyPoolsDoesNotHoldUpTheQuestions) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (int i = 0; i < 12; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied.insert(pools.begin() + 1, pools.end());
  clock_.Advance(2s);
  Ask();
  ASSERT_TRUE(IsOpen(pools.front()));
  provider_.denied.clear();
  // The first question about a pool that is locked is answered, and then pools are opened, slowly.
  provider_.Hang("data:");
  for (int i = 0; i < 6; ++i) {
    const int asked = provider_.Begun("identity");
    clock_.Advance(2s);
    TickUntilBegun("identity", asked + 2);
    EXPECT_TRUE(IsOpen(pools.front())) << i;
  }
  provider_.LetGo();
  keyring_.WaitUntilAsked();
  for (const PoolId& pool : pools) EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, CmkThatIsDeniedIsAskedOnceAnIntervalAndThenOpensAllItsPools) {
  std::vector<PoolId> pools;
  for (int i = 0; i < 40; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied.insert(pools.begin(), pools.end());
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_FALSE(IsOpen(pool));
  const int before = provider_.decrypts;
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(2s);
    Ask();
  }
  EXPECT_EQ(provider_.decrypts, before + 3);
  provider_.denied.clear();
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_TRUE(IsOpen(pool));
}

TEST_F(KeyringTest, CmkThatIsDisabledIsAskedOnceAnIntervalToo) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(IsOpen(NewPool(cmk_)));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  const int before = provider_.decrypts;
  clock_.Advance(2s);
  Ask();
  EXPECT_EQ(provider_.decrypts, before + 1);
}

TEST_F(KeyringTest, PoolsOfADisabledKeyAreTriedWhenItIsDeniedInstead) {
  const PoolId allowed = NewPool(cmk_), denied = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(allowed) && IsOpen(denied));
  ASSERT_TRUE(kms_->DisableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  ASSERT_FALSE(IsOpen(allowed) || IsOpen(denied));
  provider_.denied = {denied};
  ASSERT_TRUE(kms_->EnableKey(cmk_));
  clock_.Advance(2s);
  Ask();
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_EQ(keyring_.StatusOf(snapshot_, denied)->reason, "Access to the KMS key of the user pool is denied.");
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

TEST_F(KeyringTest, PolicyThatNamesPools_LocksTheOthersUnderTheSameKeyOnly) {
  const PoolId allowed = NewPool(cmk_);
  const PoolId denied = NewPool(cmk_);
  ASSERT_TRUE(IsOpen(allowed) && IsOpen(denied));
  provider_.denied = {denied};
  keyring_.Recheck(cmk_);
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_EQ(ErrorOf(denied), KeyServiceErrorCode::kWithdrawn);
  EXPECT_EQ(told_, (std::vector<std::pair<PoolId, bool>>{{denied, true}}));
  provider_.denied = {allowed};
  keyring_.Recheck(cmk_);
  EXPECT_FALSE(IsOpen(allowed));
  EXPECT_TRUE(IsOpen(denied));
  EXPECT_EQ(told_, (std::vector<std::pair<PoolId, bool>>{{denied, true}, {allowed, true}, {denied, false}}));
  provider_.denied = {};
  keyring_.Recheck(cmk_);
  EXPECT_TRUE(IsOpen(allowed));
  EXPECT_TRUE(IsOpen(denied));
}

TEST_F(KeyringTest, PolicyThatDeniesOnePoolInTime_IsFoundOutWhenThePoolsTurnComes) {
  const std::vector<PoolId> pools = {NewPool(cmk_), NewPool(cmk_), NewPool(cmk_)};
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied = {pools[1]};
  for (std::size_t tick = 0; tick < pools.size(); ++tick) {
    clock_.Advance(2s);
    Ask();
  }
  for (const PoolId& pool : pools) EXPECT_EQ(IsOpen(pool), pool != pools[1]);
}

TEST_F(KeyringTest, PolicyChangedWithoutAWord_IsFoundOutAtTheNextQuestion) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (std::size_t i = 0; i < Keyring::kPoolsAskedMax; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  provider_.denied = {pools[1]};
  clock_.Advance(2s);
  Ask();
  for (const PoolId& pool : pools) EXPECT_EQ(IsOpen(pool), pool != pools[1]);
}

TEST_F(KeyringTest, MorePoolsThanAreAskedAboutAtOnce_TakeTurns) {
  provider_.has_untold_policies = true;
  std::vector<PoolId> pools;
  for (std::size_t i = 0; i < 2 * Keyring::kPoolsAskedMax + 1; ++i) pools.push_back(NewPool(cmk_));
  for (const PoolId& pool : pools) ASSERT_TRUE(IsOpen(pool));
  int before = provider_.decrypts;
  provider_.met.clear();
  for (int interval = 1; interval <= 3; ++interval) {
    clock_.Advance(2s);
    Ask();
    EXPECT_EQ(provider_.decrypts, before + static_cast<int>(Keyring::kPoolsAskedMax));
    before = provider_.decrypts;
    EXPECT_EQ(provider_.met.size() == pools.size(), interval == 3) << interval;
  }
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

}  // namespace
}  // namespace symbolon::keys
