#include "erasure/in_region.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <memory>
#include <set>

#include "auth/fact_types.h"
#include "auth/first_seen.h"
#include "base/log.h"
#include "directory/users.h"
#include "erasure/subject.h"
#include "replication/position.h"

namespace symbolon::erasure {
namespace {

using directory::OutboxKind;
using directory::RecordType;
using storage::StoreError;
using storage::StoreErrorCode;
using storage::StoreResult;

constexpr std::size_t kLogPageBytes = 1 << 20;
constexpr std::size_t kOutboxPage = 100;
constexpr std::size_t kPlanAttemptsMax = 16;
// A message that was written up to so long after the erasure began is the erased user's, as far as clocks of two
// Regions agree.
constexpr std::chrono::minutes kClockSkew{1};
// Of a user of an identity provider who was deleted and came again: so many lives are looked at.
constexpr std::uint32_t kLivesMax = 1'000;

// What is said of a user of an identity provider outside their records.
struct External {
  bool is = false;
  // A statement of a first sign-in is not forgotten yet.
  bool seen = false;
};

std::string Explain(const PoolId& pool, const StoreError& error) {
  log::Info("an erasure in pool {} waits: {}", pool.value(), error.detail);
  switch (error.code) {
    case StoreErrorCode::kConflict:
      return "An earlier state of its store is being read, such as a copy that is being sent.";
    case StoreErrorCode::kFull:
      return "Its store has no room to write its files anew.";
    default:
      return "Its store fails.";
  }
}

std::vector<std::string> WhatRemains(const certificate::Order& order, Timestamp at, bool opened,
                                     const External& external) {
  std::string arns;
  for (const std::string& arn : order.kms_key_arns) arns += (arns.empty() ? "" : ", ") + arn;
  std::vector<std::string> remains = {
      fmt::format("Copies of this Region's data_dir that were made before {:%Y-%m-%dT%H:%M:%SZ}, such as backups and "
                  "snapshots of its disk, hold the user's records, sealed under the data keys of this order, which are "
                  "wrapped there under KMS keys ({}). Re-encrypt the user pool under another KMS key, and disable or "
                  "delete these: then no such copy opens.",
                  std::chrono::floor<std::chrono::seconds>(at), arns),
      "In the directory log, until it is trimmed: keyed hashes (HMAC-SHA256) of the user's names, and SHA-256 digests "
      "of sealed records.",
      "Facts, by keyed hashes of the user and of their devices: when the user was disabled, for ever; when tokens were "
      "revoked, until the last of them has died; times of sign-ins and of failed attempts, for 400 days at the most.",
      "What the file system and the disk keep of files that were removed, until it is written over.",
      "Lines of the audit trail that name the erasure, the record of it, and this certificate."};
  if (external.is) {
    remains.emplace_back(
        "How often a user of this identity of an identity provider was deleted, sealed, under a keyed hash, for ever: "
        "it makes the sub of a next one another.");
  }
  if (external.seen) {
    remains.emplace_back(
        "What a Region said of the user's first sign-in through an identity provider, sealed, as a fact, until every "
        "Region has forgotten it.");
  }
  if (!opened) {
    remains.emplace_back(
        "In suffixes that were set aside here: sealed references from keyed hashes of the user's former names to one "
        "of the user, because this Region has no keys of the user pool any more.");
  }
  return remains;
}

StoreResult<storage::Committed> SubmitAndWait(storage::Store& store, storage::Commit commit) {
  std::promise<StoreResult<storage::Committed>> done;
  store.Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
  return done.get_future().get();
}

}  // namespace

std::string WhyNotReached(storage::Store& store, const PoolId& pool, std::uint64_t sequence, bool is_member) {
  const auto head = store.MakeSnapshot()->Head(pool);
  const auto staging = store.FindStaging(pool);
  if (!head || !staging) return "Its store fails.";
  if (*staging && (*staging)->head.sequence() < sequence) return "It is receiving a copy of before.";
  if (*head && (*head)->sequence() < sequence) return "Its directory lags.";
  if (!*head && is_member) return "It has no copy of the user pool yet.";
  return {};
}

// One call of Erase.
class InRegion::Run {
 public:
  Run(const InRegion& region, const std::vector<Work>& works, std::vector<WorkCounts>& counts)
      : services_(region.services_),
        suffixes_(region.suffixes_),
        pool_(works.front().pool),
        works_(works),
        counts_(counts) {}

  // Empty: all is done.
  std::string Do() {
    if (auto why = Open(); !why.empty()) return why;
    if (auto why = Resolve(); !why.empty()) return why;
    if (auto why = EmptyOutbox(); !why.empty()) return why;
    if (auto why = LookAtIdentities(); !why.empty()) return why;
    LetGoOfKeys();
    // While the log still tells which keys these were.
    for (const WorkCounts& counts : counts_) purged_keys_.insert(counts.unpurged.begin(), counts.unpurged.end());
    if (auto why = Purge({.keys = {purged_keys_.begin(), purged_keys_.end()}}); !why.empty()) return why;
    for (WorkCounts& counts : counts_) counts.unpurged.clear();
    if (auto why = TakeKeys(); !why.empty()) return why;
    if (auto why = EraseBodies(); !why.empty()) return why;
    LetGoOfKeys();
    if (!here_) return Purge({.everything = true});
    // Of what was said of first sign-ins and is forgotten.
    return Purge({.directory_log = true, .facts = std::ranges::any_of(external_, &External::is)});
  }

  std::string Statement(std::size_t index, const Region& here, Timestamp now, const crypto::Ed25519Key& key) const {
    const Work& work = works_[index];
    const auto order = certificate::ParseOrder(work.order);
    SYMBOLON_CHECK(order.has_value());
    const WorkCounts& counts = counts_[index];
    const certificate::Statement statement{
        .region = here,
        .at = std::chrono::floor<std::chrono::seconds>(now),
        .position = position_,
        .done = {{"logBodiesErased", counts.log_bodies},
                 {"setAsideBodiesErased", counts.suffix_bodies},
                 {"messagesDeleted", counts.messages},
                 {"storeFilesRewritten", counts.files}},
        .remains = WhatRemains(*order, now, here_ || !has_suffixes_, external_[index])};
    return certificate::SignStatement(work.order, statement, key);
  }

 private:
  std::string Open() {
    const std::shared_ptr<const storage::Snapshot> snapshot(services_.store.MakeSnapshot());
    const auto head = snapshot->Head(pool_);
    if (!head) return Explain(pool_, head.error());
    for (const Work& work : works_) {
      if (auto why = WhyNotReached(services_.store, pool_, work.sequence, work.is_member); !why.empty()) return why;
    }
    here_ = head->has_value();
    if (here_) {
      storage::pb::Position position;
      *position.mutable_epoch() = (*head)->epoch();
      position.set_sequence((*head)->sequence());
      position_ = replication::FormatPosition(pool_, position);
    }
    for (const Work& work : works_) subjects_.emplace_back(pool_, work.user_key, work.name_key, nullptr);
    external_.resize(works_.size());
    return TakeKeys();
  }

  std::string TakeKeys() {
    if (!here_) return {};
    auto keys = services_.keys.KeysOf(*services_.store.MakeSnapshot(), pool_);
    if (!keys) return keys.error().message;
    keys_ = *std::move(keys);
    for (Subject& subject : subjects_) subject.SetKeys(keys_);
    return {};
  }
  void LetGoOfKeys() {
    for (Subject& subject : subjects_) subject.SetKeys(nullptr);
    keys_.reset();
  }
  // Asked again and again while records are opened: false, and the keys are gone from here, once they were withdrawn or
  // gave way to others.
  bool MayOpen() {
    if (here_ && keys_ && keys_->retired()) LetGoOfKeys();
    return !here_ || keys_;
  }
  // Between slices of the work; empty: it may go on.
  std::string RenewKeys() { return MayOpen() ? std::string() : TakeKeys(); }
  // After a slice in which records may have been passed over; empty: none was.
  std::string WhyNotOpen() {
    if (MayOpen()) return {};
    std::string why = TakeKeys();
    return why.empty() ? "The keys of the user pool are changing." : why;
  }

  // Reads the log: whose the bodies are, and which records they were.
  std::string Resolve() {
    const auto learn = [&](const storage::pb::LogEntry& entry) {
      for (std::size_t i = 0; i < works_.size(); ++i) {
        if (works_[i].user_key.empty()) subjects_[i].Learn(entry);
      }
    };
    const bool find = std::ranges::any_of(works_, [](const Work& work) { return work.user_key.empty(); });
    if (find && here_) {
      if (auto why = ReadLog(learn); !why.empty()) return why;
    }
    if (find) {
      if (auto why = ReadSuffixes([&](const replication::pb::SuffixItem& item) {
            learn(item.entry());
            for (std::size_t i = 0; item.has_record() && i < works_.size(); ++i) {
              if (works_[i].user_key.empty()) subjects_[i].Learn(item.record().key(), item.record().value());
            }
          });
          !why.empty()) {
        return why;
      }
    }
    if (!here_) return {};
    for (const Work& work : works_) {
      AddPurged(RecordType::kUser, work.user_key.empty() ? work.name_key : work.user_key);
      AddPurged(RecordType::kUniqueIndex, work.name_key);
    }
    return ReadLog([&](const storage::pb::LogEntry& entry) {
      for (const storage::pb::LogChange& change : entry.changes()) {
        const bool owned = std::ranges::any_of(
            subjects_, [&](const Subject& subject) { return subject.Owns(change.key(), change.value()); });
        if (owned) AddPurged(static_cast<RecordType>(ReadBigEndian16(change.key())), change.key().substr(2));
      }
    });
  }

  void AddPurged(RecordType type, Bytes id) {
    purged_keys_.insert({.space = storage::Space::kDirectory,
                         .pool = pool_,
                         .type = static_cast<std::uint16_t>(type),
                         .id = std::move(id)});
  }

  std::string ReadLog(const std::function<void(const storage::pb::LogEntry&)>& take) {
    std::uint64_t last = 0;
    for (const Work& work : works_) last = std::max(last, work.sequence);
    std::uint64_t next = 1;
    while (next <= last) {
      if (auto why = RenewKeys(); !why.empty()) return why;
      const auto entries = services_.store.ReadLog(pool_, next, kLogPageBytes);
      if (!entries && entries.error().code == StoreErrorCode::kGap) {
        // Not kept from there on; it may be from later on.
        const auto size = services_.store.MeasureLog(pool_);
        const auto head = services_.store.MakeSnapshot()->Head(pool_);
        if (!size || !head || !*head) return "Its store fails.";
        const std::uint64_t first = (*head)->sequence() + 1 - size->entries;
        if (first <= next) return "Its log is changing.";
        next = first;
        continue;
      }
      if (!entries) return Explain(pool_, entries.error());
      if (entries->empty()) break;
      for (const storage::pb::LogEntry& entry : *entries) {
        if (entry.sequence() <= last) take(entry);
      }
      next += entries->size();
    }
    return {};
  }

  StoreResult<std::vector<std::string>> SuffixesHere() const {
    std::vector<std::string> names;
    if (suffixes_ == nullptr) return names;
    SYMBOLON_TRY(const auto files, suffixes_->List());
    for (const auto& file : files) {
      if (file.header.pool() == pool_.value()) names.push_back(file.name);
    }
    return names;
  }

  std::string ReadSuffixes(const std::function<void(const replication::pb::SuffixItem&)>& take) {
    const auto names = SuffixesHere();
    if (!names) return Explain(pool_, names.error());
    for (const std::string& name : *names) {
      if (auto why = RenewKeys(); !why.empty()) return why;
      const auto read = suffixes_->Read(name, [&](const replication::pb::SuffixItem& item) {
        if (MayOpen()) take(item);
      });
      if (auto why = WhyNotOpen(); !why.empty()) return why;
      // Nobody reads it either; it is not altered.
      if (!read) return fmt::format("The suffix {} that was set aside is damaged, or cannot be read.", name);
    }
    return {};
  }

  std::string EraseBodies() {
    for (std::size_t i = 0; i < works_.size(); ++i) {
      const Subject& subject = subjects_[i];
      const auto which = [&](BytesView key, BytesView value) { return MayOpen() && subject.Owns(key, value); };
      if (here_) {
        const auto erased = services_.store.EraseLogBodies(pool_, works_[i].sequence, which);
        if (!erased) return Explain(pool_, erased.error());
        counts_[i].log_bodies += *erased;
        if (auto why = WhyNotOpen(); !why.empty()) return why;
      }
      const auto names = SuffixesHere();
      if (!names) return Explain(pool_, names.error());
      for (const std::string& name : *names) {
        const auto erased = suffixes_->Erase(name, which);
        if (!erased) return fmt::format("The suffix {} that was set aside cannot be rewritten.", name);
        counts_[i].suffix_bodies += *erased;
        has_suffixes_ = true;
        if (auto why = WhyNotOpen(); !why.empty()) return why;
      }
    }
    return {};
  }

  // Their records say how often they were deleted, this time included.
  std::string LookAtIdentities() {
    if (!here_) return {};
    if (auto why = RenewKeys(); !why.empty()) return why;
    directory::Transaction tx(std::shared_ptr<const storage::Snapshot>(services_.store.MakeSnapshot()), pool_, keys_,
                              services_.random);
    for (std::size_t i = 0; i < works_.size(); ++i) {
      for (const Bytes& user_key : subjects_[i].user_keys()) {
        const auto former = tx.Get<directory::FormerIdentityKind>(user_key);
        if (!former) continue;
        external_[i].is = true;
        for (std::uint32_t life = 0; life < std::min(former->deletions(), kLivesMax); ++life) {
          const Bytes subject = auth::FirstSeenSubject(tx, user_key, life);
          const auto fact = tx.GetFact(static_cast<std::uint16_t>(auth::FactType::kFirstSeen), subject);
          external_[i].seen = external_[i].seen || (fact && !fact->elements().empty());
        }
      }
    }
    if (!tx.failure()) return {};
    log::Error("an erasure in pool {}: {}", pool_.value(), tx.failure()->detail);
    return "Its store fails.";
  }

  // Messages to the users that wait in this Region's outbox.
  std::string EmptyOutbox() {
    if (!here_) return {};
    std::optional<Bytes> after;
    do {
      if (auto why = RenewKeys(); !why.empty()) return why;
      std::size_t attempt = 0;
      while (true) {
        std::optional<Bytes> next = after;
        const auto deleted = DeleteMessages(next);
        if (deleted) {
          after = std::move(next);
          break;
        }
        const bool again = deleted.error().code == StoreErrorCode::kConflict && ++attempt < kPlanAttemptsMax;
        if (!again) return Explain(pool_, deleted.error());
      }
    } while (after);
    return {};
  }

  // A page after `after`, which becomes where to go on.
  StoreResult<void> DeleteMessages(std::optional<Bytes>& after) {
    const std::shared_ptr<const storage::Snapshot> snapshot(services_.store.MakeSnapshot());
    directory::Transaction tx(snapshot, pool_, keys_, services_.random);
    const auto pool = tx.Get<directory::PoolKind>("");
    auto page = tx.Scan<OutboxKind>("", after, kOutboxPage);
    if (tx.failure() || !pool) {
      return Err(
          StoreError{StoreErrorCode::kCorrupt, tx.failure() ? tx.failure()->detail : "the pool has no settings"});
    }
    std::set<storage::Key> deleted;
    std::vector<std::uint64_t> messages(works_.size());
    for (const auto& row : page.rows) {
      const Bytes user = directory::UserKeyOf(tx, *pool, row.record.username());
      bool owned = false;
      for (std::size_t i = 0; i < works_.size(); ++i) {
        const auto order = certificate::ParseOrder(works_[i].order);
        if (!order || FromMicros(row.record.created_micros()) > order->asked_at + kClockSkew) continue;
        if (!subjects_[i].Owns(UserRecordKey(user), "")) continue;
        owned = true;
        ++messages[i];
      }
      if (!owned) continue;
      tx.Delete<OutboxKind>(row.id);
      deleted.insert({.space = storage::Space::kRegional,
                      .pool = pool_,
                      .type = static_cast<std::uint16_t>(RecordType::kOutbox),
                      .id = row.id});
    }
    if (!deleted.empty()) {
      SYMBOLON_TRY_VOID(SubmitAndWait(services_.store, tx.TakeCommit()));
      for (std::size_t i = 0; i < works_.size(); ++i) counts_[i].messages += messages[i];
      counts_.front().unpurged.merge(deleted);
    }
    after = std::move(page.next);
    return {};
  }

  static Bytes UserRecordKey(BytesView user_key) {
    Bytes key;
    AppendBigEndian16(key, static_cast<std::uint16_t>(RecordType::kUser));
    return key.append(user_key);
  }

  std::string Purge(const storage::PurgeScope& scope) {
    if (!scope.everything && !scope.directory_log && scope.keys.empty()) return {};
    const auto purged = services_.store.Purge(pool_, scope);
    if (!purged) return Explain(pool_, purged.error());
    for (WorkCounts& counts : counts_) counts.files += purged->files;
    return {};
  }

  const key_life::Services& services_;
  const replication::SuffixFolder* const suffixes_;
  const PoolId& pool_;
  const std::vector<Work>& works_;
  std::vector<WorkCounts>& counts_;

  bool here_ = false;
  std::string position_;
  std::shared_ptr<const keys::PoolKeys> keys_;
  std::vector<Subject> subjects_;
  std::vector<External> external_;
  bool has_suffixes_ = false;
  // Of records that are gone, or that others of the same name have since.
  std::set<storage::Key> purged_keys_;
};

std::vector<WorkDone> InRegion::Erase(const std::vector<Work>& works, std::vector<WorkCounts>& counts) const {
  std::vector<WorkDone> done(works.size());
  SYMBOLON_CHECK(counts.size() == works.size());
  if (works.empty()) return done;
  SYMBOLON_CHECK(std::ranges::all_of(works, [&](const Work& work) { return work.pool == works.front().pool; }));
  Run run(*this, works, counts);
  const std::string why = run.Do();
  const Timestamp now = services_.clock.Now();
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (why.empty()) {
      done[i].statement = run.Statement(i, services_.here, now, key_);
    } else {
      done[i].waits_for = why;
    }
  }
  return done;
}

}  // namespace symbolon::erasure
