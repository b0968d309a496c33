// The opened keys of all pools of one Region, and the promise that they go when their CMK is withdrawn.
//
// Every CMK in use is asked for a real Decrypt every `recheck_interval`. One that is disabled, deleted or denied locks
// its pools at once: their keys are wiped, as soon as the requests that hold them have ended. One that cannot be asked
// locks them when its last good answer is older than `confirmation_max`, also if Tick() is not called any more. So the
// bound on the use of a withdrawn key is `confirmation_max`, and in the usual case `recheck_interval` and the time of
// one Decrypt. A locked pool opens again by itself at the first good answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "keys/key_service.h"
#include "keys/provider.h"

namespace symbolon::keys {

// The type of the record with a pool's wrapped keys, in storage::Space::kDirectory, with an empty id.
inline constexpr std::uint16_t kWrappedKeysRecordType = 2;

// Thread-safe.
class Keyring final : public KeyService {
 public:
  struct Options {
    Region region;
    std::string account;
    // The CMK of pools that have none of their own.
    std::string service_owned_key_arn;
    std::chrono::nanoseconds recheck_interval = std::chrono::seconds(2);
    // 0: three times `recheck_interval`.
    std::chrono::nanoseconds confirmation_max{};
    // Told when a pool is locked (drop what was decrypted with its keys) or opened again; not told of the first
    // opening. Called without locks held, on the thread that found out.
    std::function<void(const PoolId& pool, bool locked)> on_change = {};
  };

  // All of them outlive the keyring.
  Keyring(KeyProvider& provider, Options options, Clock& clock, Random& random);
  ~Keyring() override;

  KeyServiceResult<std::shared_ptr<const PoolKeys>> KeysOf(const storage::Snapshot& snapshot,
                                                           const PoolId& pool) override;
  KeyServiceResult<NewKeys> MakeKeys(const PoolId& pool, const std::string& kms_key_arn) override;
  KeyServiceResult<std::vector<Region>> RegionsOfKey(const std::string& kms_key_arn) override;

  // Asks the CMKs that are due; to be called more often than every `recheck_interval`. Blocks as the provider does.
  void Tick();
  // Asks this CMK now: the provider's word that something changed. Blocks as the provider does.
  void Recheck(const std::string& key_arn);
  // Forgets a pool, which was deleted or has new wrapped keys: the next KeysOf reads them.
  void Invalidate(const PoolId& pool);

 private:
  struct Cmk;
  struct Entry;
  struct State;

  KeyServiceResult<std::shared_ptr<const PoolKeys>> OpenFirst(const storage::Snapshot& snapshot, const PoolId& pool);
  std::shared_ptr<Cmk> CmkOf(const std::string& arn);
  void Ask(const std::shared_ptr<Cmk>& cmk);
  void Lock(const Cmk& cmk, const KeyError& reason);
  void Reopen(const std::shared_ptr<Cmk>& cmk);
  void Tell(const std::vector<PoolId>& pools, bool locked) const;

  KeyProvider& provider_;
  const Options options_;
  Clock& clock_;
  Random& random_;
  const std::chrono::nanoseconds confirmation_max_;
  const std::unique_ptr<State> state_;
};

}  // namespace symbolon::keys
