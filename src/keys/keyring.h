// The opened keys of all pools of one Region, and the promise that they go when their CMK is withdrawn.
//
// Every CMK in use is asked for a real Decrypt every `recheck_interval`. One that is disabled, deleted or removed with
// its device locks its pools at once, one that is denied those that it is denied to: their keys are wiped, as soon as
// the requests that hold them have ended. One that cannot be asked is ridden out for `unreachable_grace` after its last
// good answer, and then locks them. Pools whose CMK nobody asks about any more (Tick() is not called) are not served
// either, after three intervals and one call's time-out. A locked pool opens again by itself at the first good answer.
//
// A key policy may allow one pool and not another. A CMK's pools are asked about in turn, one in each interval; those
// of a provider whose policies change without a word (KeyProvider::HasUntoldPolicies), kPoolsAskedMax in each. Once one
// is denied, all the others are asked about.
//
// Questions, and the opening of pools, are the work of threads of the keyring's own: eight of each at the most for each
// key service, and four for each CMK of it. So a service that is slow holds up no other, nor a CMK with many pools the
// others of its service.
//
// A new record of wrapped keys takes the place of the former without a moment of failure: what was offered and
// confirmed is at hand already; a record that the keys in use cover is opened beside them; only one that came
// unannounced is waited for. Requests under way end with the keys that they began with.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "keys/key_service.h"
#include "keys/provider.h"
#include "keys/regional_keys.h"

namespace symbolon::keys {

// The type of the record with a pool's wrapped keys, in storage::Space::kDirectory, with an empty id.
inline constexpr std::uint16_t kWrappedKeysRecordType = 2;
// Whether the keys with which Region `here` opens a pool may change with this record.
bool ConcernsKeys(const storage::Key& key, const Region& here);

// Thread-safe.
class Keyring final : public KeyService {
 public:
  struct Options {
    Region region;
    std::string account;
    // The CMK of pools that have none of their own.
    std::string service_owned_key_arn;
    std::chrono::nanoseconds recheck_interval = std::chrono::seconds(2);
    // How long a CMK that cannot be asked counts as its last good answer said.
    std::chrono::nanoseconds unreachable_grace = std::chrono::seconds(10);
    // What a call of the provider takes at the most.
    std::chrono::nanoseconds call_limit = std::chrono::seconds(2);
    // Of whom it is asked whether keys may still be used; nullptr: of the provider itself. Outlives the keyring.
    KeyProvider* probes = nullptr;
    // Told when a pool is locked (drop what was decrypted with its keys) or opened again; not told of the first
    // opening. Called without locks held, on the thread that found out: that of a call, or one of the keyring's.
    std::function<void(const PoolId& pool, bool locked)> on_change = {};
    // Told when keys gave way to others (drop what was decrypted with them). The same holds.
    std::function<void(const PoolId& pool)> on_replaced = {};
  };

  // All of them outlive the keyring.
  Keyring(KeyProvider& provider, Options options, Clock& clock, Random& random);
  ~Keyring() override;

  // Pools of a CMK whose policy may change without a word that are asked about in each interval.
  static constexpr std::size_t kPoolsAskedMax = 32;

  KeyServiceResult<std::shared_ptr<const PoolKeys>> KeysOf(const storage::Snapshot& snapshot,
                                                           const PoolId& pool) override;
  KeyServiceResult<NewKeys> MakeKeys(const PoolId& pool, const std::string& kms_key_arn) override;
  KeyServiceResult<std::vector<Region>> RegionsOfKey(const std::string& kms_key_arn) override;

  KeyServiceResult<PoolKeyStatus> StatusOf(const storage::Snapshot& snapshot, const PoolId& pool) override;
  KeyServiceResult<Offer> OfferKeys(const storage::Snapshot& snapshot, const PoolId& pool,
                                    const std::optional<std::string>& kms_key_arn) override;
  KeyServiceResult<Bytes> ConfirmOffer(const storage::Snapshot& snapshot, const PoolId& pool) override;
  bool FormerKeysInUse(const PoolId& pool) override;

  KeyServiceResult<bool> LacksKeys(const storage::Snapshot& snapshot, const PoolId& pool) override;
  Bytes ReceivingKey() override { return receiving_key_.PublicKey(); }
  KeyServiceResult<Bytes> SealKeysFor(const storage::Snapshot& snapshot, const PoolId& pool, const Region& receiver,
                                      BytesView receiving_key) override;
  KeyServiceResult<Bytes> TakeKeys(const storage::Snapshot& snapshot, const PoolId& pool, const Region& sender,
                                   BytesView sealed) override;
  KeyServiceResult<Bytes> WrapUnder(const storage::Snapshot& snapshot, const PoolId& pool,
                                    const std::string& kms_key_arn) override;
  KeyServiceResult<void> CheckKey(const std::string& kms_key_arn) override;
  KeyServiceResult<Bytes> NoteChecks(const storage::Snapshot& snapshot, const PoolId& pool) override;

  // Begins to ask the CMKs that are due and are not being asked, and to open records that came; to be called more often
  // than every `recheck_interval`. Never blocks.
  void Tick();
  // Until all that Tick() began is over. Blocks as the provider does.
  void WaitUntilAsked();
  // Asks this CMK now, for each of its pools: the provider's word that something changed. Blocks as the provider does.
  void Recheck(const std::string& key_arn);
  // The pool's records as they are in the store from now on. Never blocks.
  void FollowStore(const storage::Snapshot& snapshot, const PoolId& pool);
  // The record of wrapped keys as this Region opens it from now on; nullopt: there is none. Never blocks.
  void Follow(const PoolId& pool, std::optional<Bytes> wrapped);
  // How many of the pools that were met are locked, by reason.
  std::map<KeyErrorCode, std::size_t> LockedPools() const;
  // Forgets a pool: the next KeysOf reads its record.
  void Invalidate(const PoolId& pool) { Follow(pool, std::nullopt); }

 private:
  struct Lane;
  struct Cmk;
  struct Entry;
  struct State;
  struct Candidates;

  KeyServiceResult<RegionState> StateIn(const storage::Snapshot& snapshot, const PoolId& pool) const;
  // As this Region opens it.
  KeyServiceResult<Bytes> RecordOf(const storage::Snapshot& snapshot, const PoolId& pool) const;
  // nullopt: nothing is lacking.
  std::optional<PoolKeyStatus> StatusOfLacking(const storage::Snapshot& snapshot, const PoolId& pool) const;
  KeyServiceResult<std::shared_ptr<const PoolKeys>> OpenRecord(const PoolId& pool, Bytes wrapped);
  // Of a key that a caller named, or the service's own.
  KeyServiceResult<std::string> UsableKey(const std::string& kms_key_arn);
  std::shared_ptr<Cmk> CmkOf(const std::string& arn);
  bool IsConfirmed(const Cmk& cmk) const;
  void Replace(Entry& entry, std::shared_ptr<const PoolKeys> keys) const;

  // ---- keyring_questions.cc ----
  // What follows from an answer.
  enum class Next {
    kNothing,
    // The CMK was denied to a pool: others may be as well.
    kAskTheRest,
    kOpenLocked,
    // It holds for all of the CMK's pools, or nobody answers: no more of them are asked about now.
    kStop,
  };
  void AddQuestions(const std::shared_ptr<Cmk>& cmk, const std::vector<PoolId>& pools);
  void AddOpenings(const std::shared_ptr<Cmk>& cmk, const std::vector<PoolId>& pools);
  // Open pools that are not asked about in this interval; from now on they are.
  std::vector<PoolId> NotAskedYet(const Cmk& cmk);
  std::vector<PoolId> LockedPoolsOf(const Cmk& cmk) const;
  // One question, with this pool's keys.
  Next AskAbout(const std::shared_ptr<Cmk>& cmk, const PoolId& pool);
  // Opens one that is locked, or whose keys are of a former record.
  Next Reopen(const std::shared_ptr<Cmk>& cmk, const PoolId& pool);
  // `only`: nullptr for all of its pools.
  void Lock(Cmk& cmk, const KeyError& reason, const PoolId* only = nullptr);
  void Tell(const std::vector<PoolId>& pools, bool locked) const;

  KeyProvider& provider_;
  const Options options_;
  KeyProvider& probes_;
  Clock& clock_;
  Random& random_;
  const std::chrono::nanoseconds unasked_max_;
  // Keys of other Regions' sending open with it. Drawn anew at each start: what is under way then is sent again.
  const crypto::HybridPrivateKey receiving_key_ = crypto::HybridPrivateKey::Generate();
  const std::unique_ptr<State> state_;
};

}  // namespace symbolon::keys
