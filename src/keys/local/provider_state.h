// Private to this module: what the rooms of the local provider share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "crypto/hybrid.h"
#include "keys/local/key_file.h"
#include "keys/local/local_key.h"
#include "keys/local/local_key_provider.h"
#include "keys/local/region_backoff.h"

namespace symbolon::keys::local {

LocalKeyError Error(LocalKeyErrorCode code, std::string detail);
// Shares the life of the key that they belong to.
KeyFactsPointer FactsOfKey(KeyPointer key);

// Wiped at its end, whatever the way out.
struct StoredKeys {
  StoredKeys() = default;
  StoredKeys(const StoredKeys&) = delete;
  StoredKeys& operator=(const StoredKeys&) = delete;
  ~StoredKeys() { WipeStoredKeys(keys); }
  pb::StoredKeys keys;
};

// Everything that the key file holds beside the transport key. Immutable once it is current.
struct Contents {
  std::map<std::string, KeyPointer, std::less<>> keys;
  std::map<std::string, Alias, std::less<>> aliases;
  // Replicas deleted here whose primaries do not know yet: by key id.
  std::map<std::string, Region> deleted_replicas;
};

struct LocalKeyProvider::State {
  // Constant after Open().
  Region region;
  std::string account;
  Clock& clock;
  Random& random;
  DirectoryLock lock;
  KeyFile file;
  crypto::HybridPrivateKey transport_key;
  std::shared_ptr<const std::string> default_policy;
  std::function<void(const std::string&)> listener;
  OwnActs own_acts = {};

  std::mutex change_mutex;  // Held while the file is written; taken before contents_mutex.
  bool refuse_changes = false;

  mutable std::mutex contents_mutex;  // Held for moments.
  std::shared_ptr<const Contents> contents;

  // What each replica has confirmed, by key id. Not kept: after a start they are told again.
  std::mutex confirmed_mutex;
  std::map<std::string, std::map<Region, std::uint64_t>> confirmed;
  // What was logged last about a Region that cannot be told, so that it is not logged at every tick.
  std::map<Region, std::string> problems;

  // Of whoever calls Tick().
  RegionBackoff backoff;

  Timestamp now() const { return clock.Now(); }
  std::string ArnOf(std::string_view key_id) const;
  std::shared_ptr<const Contents> Current() const;

  // By id or ARN; nullptr if there is none.
  KeyPointer Find(std::string_view key) const;
  static KeyPointer FindIn(const Contents& all, const State& state, std::string_view key);
  LocalKeyResult<KeyPointer> FindCustomerKey(std::string_view key) const;
  KeyResult<KeyPointer> FindUsable(std::string_view key_arn) const;

  // What a key's state has to allow.
  struct Allows {
    bool disabled = false;
    bool pending_import = false;
    bool updating = false;
  };
  // Pending deletion is allowed by none of these.
  LocalKeyResult<void> CheckState(const KeyFacts& key, Allows allows) const;

  // Makes a change durable, then visible, one after the other. `change` edits its copy of everything and may refuse.
  // Answers whatever `change` does.
  template <class F>
  auto Change(F change) -> decltype(change(std::declval<Contents&>())) {
    std::lock_guard guard(change_mutex);
    auto next = std::make_shared<Contents>(*Current());
    // The file is written whole.
    SYMBOLON_TRY_VOID(ReadWithheld(*next));
    auto answer = change(*next);
    if (!answer) return answer;
    SYMBOLON_TRY_VOID(Commit(std::move(next)));
    return answer;
  }
  // Changes one customer's key: `edit` gets a copy, to be changed in place, and may refuse. Answers what came of it.
  // With `tell` the listener hears of it.
  enum class Tell { kNobody, kListener };
  LocalKeyResult<KeyPointer> ChangeKey(std::string_view key, Tell tell,
                                       const std::function<LocalKeyResult<void>(LocalKey& key)>& edit);
  LocalKeyResult<void> SetDisabled(std::string_view key, bool disabled);
  // With change_mutex held.
  LocalKeyResult<void> Commit(std::shared_ptr<Contents> next);

  LocalKeyResult<void> WriteFile(const Contents& all);
  // Gives keys the octets that they lack, from the file. With change_mutex held.
  LocalKeyResult<void> ReadWithheld(Contents& all) const;
  static void DropWithheld(Contents& all);
  // All that the key has, withheld or not.
  LocalKeyResult<LocalKey::Materials> MaterialsOf(const LocalKey& key);
  void Notify(const std::string& key_arn) const {
    if (listener) listener(key_arn);
  }

  // A key of this Region with its first material, if it is not imported.
  std::shared_ptr<LocalKey> MakeKey(const NewKey& settings);
  LocalKeyResult<void> Add(Contents& all, KeyPointer key) const;
  std::shared_ptr<const std::string> PolicyOf(const std::string& text) const;

  // ---- several Regions (multi_region.cc) ----
  LocalKeyResult<void> Send(const LocalKey& key, const Region& target, ReplicaKey message,
                            KeyReplicationTransport& transport);
  // Tells the replicas of a primary key what they have not confirmed yet. True when all of them know.
  bool TellReplicas(const std::string& key_id, KeyReplicationTransport& transport, std::set<Region>& unreachable);
  void Confirm(const std::string& key_id, const Region& replica, std::uint64_t sequence);
  // Of a replica that is gone here: its deletion is announced to the primary that it has now.
  LocalKeyResult<void> KeepDeleted(const ReplicaKey& replica);
  void NoteProblem(const Region& region, const LocalKeyError& problem);
  // Goes on with a change of the primary whose outcome is not known.
  LocalKeyResult<void> HandOver(const std::string& key_id, KeyReplicationTransport& transport);

  // ---- time (tick.cc) ----
  bool MayAct() const { return !own_acts.may || own_acts.may(); }
  void Report(const OwnAct& act) const {
    if (own_acts.did) own_acts.did(act);
  }
  // Deletes, drops, schedules and rotates what is due, in one write.
  void ActOnTime();
  void DeleteKey(Contents& all, const std::string& key_id) const;
  void AnnounceDeletions(KeyReplicationTransport& transport, std::set<Region>& unreachable);

  // ---- rotation (rotation.cc) ----
  // Adds material that is not in use yet, or is at once if there are no replicas.
  void BeginRotation(LocalKey& key, bool on_demand);
  // The newest material is used from now on.
  void FinishRotation(LocalKey& key);
  // Tells of it if other material is current than before.
  void TellRotation(const KeyFacts& key, std::uint32_t version_before) const;
  // Brings a rotation under way as far as the replicas allow.
  void AdvanceRotation(const std::string& key_id, KeyReplicationTransport& transport, std::set<Region>& unreachable);
};

}  // namespace symbolon::keys::local
