#include "storage/directory_log.h"

#include <algorithm>
#include <unordered_set>

#include "storage/keys.h"
#include "storage/log.h"
#include "storage/plausible_epochs.h"

namespace symbolon::storage {
namespace {

auto Gap(const char* what) { return Err(StoreError{StoreErrorCode::kGap, what}); }
auto Corrupt(const char* what) { return Err(StoreError{StoreErrorCode::kCorrupt, what}); }

bool KeysDiffer(const pb::LogEntry& entry) {
  if (entry.changes_size() < 2) return true;
  std::unordered_set<BytesView> seen;
  for (const pb::LogChange& change : entry.changes()) {
    if (!seen.insert(change.key()).second) return false;
  }
  return true;
}

// What an entry from outside must be in itself, whatever it follows.
StoreResult<void> CheckForeignEntry(const pb::LogEntry& entry) {
  if (entry.previous_digest().size() != kDigestBytes) return Corrupt("log entry: its previous digest");
  if (!keys::WellFormedName(entry.epoch().region()) || entry.epoch().region().empty() || entry.epoch().counter() == 0 ||
      entry.epoch().incarnation().size() > kNameBytesMax) {
    return Corrupt("log entry: its epoch");
  }
  if (!KeysDiffer(entry)) return Corrupt("log entry: a key comes twice");
  for (const pb::LogChange& change : entry.changes()) {
    if (change.key().size() < 2 || change.key().size() > 2 + kKeyIdBytesMax) return Corrupt("log entry: a key");
    if (change.deleted() ? change.has_value() || !change.value_digest().empty()
                         : change.value_digest().size() != kDigestBytes) {
      return Corrupt("log entry: a change");
    }
    if (change.has_value() && ValueDigest(change.value()) != change.value_digest()) {
      return Corrupt("log entry: a value is not the one that its digest names");
    }
  }
  return {};
}

}  // namespace

StoreResult<LogWriter> LogWriter::Open(WriteSet& writes, const PoolId& pool) {
  LogWriter writer(writes, pool);
  SYMBOLON_TRY(std::optional<pb::PoolState> state, writes.GetMessage<pb::PoolState>(keys::PoolState(pool)));
  writer.exists_ = state.has_value();
  if (state) {
    writer.state_ = *std::move(state);
  } else {
    writer.state_.mutable_head()->set_digest(ZeroDigest());
    writer.state_.set_generation(keys::kFirstGeneration);
    writer.state_.set_first_kept_sequence(1);
    writer.state_.set_digest_before_first_kept(ZeroDigest());
  }
  return writer;
}

StoreResult<void> LogWriter::Promise(const pb::Epoch& epoch) {
  SYMBOLON_TRY(const std::optional<pb::Epoch> before, writes_->GetMessage<pb::Epoch>(keys::Promise(*pool_)));
  if ((before && CompareEpochs(epoch, *before) < 0) || (exists_ && CompareEpochs(epoch, head().epoch()) < 0)) {
    return Err(StoreError{StoreErrorCode::kConflict, "a higher epoch is known"});
  }
  const std::uint64_t known = std::max(before ? before->counter() : 0, head().epoch().counter());
  if (!IsPlausible(epoch, known, kStoredEpochLeapMax)) return Corrupt("an epoch that no Region can have come to");
  writes_->Put(keys::Promise(*pool_), epoch.SerializeAsString());
  return {};
}

StoreResult<void> LogWriter::AppendOwn(const Core::Identity& self, std::optional<std::uint64_t> start_epoch_counter,
                                       std::vector<Change>& changes, Timestamp now) {
  const pb::Head& head = state_.head();
  pb::LogEntry entry;
  if (start_epoch_counter) {
    if (*start_epoch_counter <= head.epoch().counter()) {
      return Err(StoreError{StoreErrorCode::kNotWriter, "the log knows an epoch as high"});
    }
    entry.mutable_epoch()->set_counter(*start_epoch_counter);
    entry.mutable_epoch()->set_region(self.region.value());
    entry.mutable_epoch()->set_incarnation(self.incarnation);
    entry.set_starts_epoch(true);
  } else {
    if (!exists_ || head.epoch().region() != self.region.value() || head.epoch().incarnation() != self.incarnation) {
      return Err(StoreError{StoreErrorCode::kNotWriter, "this store did not open the pool's epoch"});
    }
    *entry.mutable_epoch() = head.epoch();
  }
  SYMBOLON_TRY(const std::optional<pb::Epoch> promised, writes_->GetMessage<pb::Epoch>(keys::Promise(*pool_)));
  if (promised && CompareEpochs(entry.epoch(), *promised) < 0) {
    return Err(StoreError{StoreErrorCode::kNotWriter, "a higher epoch was promised"});
  }
  entry.set_sequence(head.sequence() + 1);
  entry.set_previous_digest(head.digest());
  // A clock that jumps back does not turn the log's time back.
  entry.set_commit_time_micros(std::max(ToMicros(now), head.commit_time_micros()));
  for (Change& change : changes) {
    pb::LogChange* logged = entry.add_changes();
    logged->set_key(keys::TypeAndId(change.key.type, change.key.id));
    if (change.value) {
      logged->set_value_digest(ValueDigest(*change.value));
      logged->set_value(*std::move(change.value));
    } else {
      logged->set_deleted(true);
    }
  }
  Bytes octets = entry.SerializeAsString();
  return Append(entry, std::move(octets));
}

StoreResult<void> LogWriter::AppendForeign(const Core::Identity& self, pb::LogEntry& entry, Bytes octets,
                                           std::vector<Key>& changed) {
  SYMBOLON_TRY_VOID(CheckForeignEntry(entry));
  const pb::Head& head = state_.head();
  if (entry.sequence() != head.sequence() + 1) return Gap("entries are missing before this one");
  if (entry.previous_digest() != head.digest()) return Gap("the digest does not chain");
  const int order = CompareEpochs(entry.epoch(), head.epoch());
  if (entry.starts_epoch() ? order <= 0 : order != 0) return Gap("the epoch goes backwards, or changes unannounced");
  if (!IsPlausible(entry.epoch(), head.epoch().counter(), kStoredEpochLeapMax)) {
    return Corrupt("log entry: an epoch that no Region can have come to");
  }
  if (entry.epoch().region() == self.region.value() && entry.epoch().incarnation() == self.incarnation) {
    return Gap("an entry in this store's own name that it never wrote");
  }
  for (const pb::LogChange& change : entry.changes()) {
    changed.push_back({Space::kDirectory, *pool_, ReadBigEndian16(change.key()), change.key().substr(2)});
  }
  return Append(entry, std::move(octets));
}

StoreResult<void> LogWriter::Append(pb::LogEntry& entry, Bytes octets) {
  Bytes digest = EntryDigest(entry);
  if (entry.starts_epoch()) SYMBOLON_TRY_VOID(ExtendHistory(entry, digest));
  writes_->Put(keys::LogEntry(*pool_, state_.generation(), entry.sequence()), std::move(octets));
  for (pb::LogChange& change : *entry.mutable_changes()) {
    Bytes key = keys::Record(*pool_, state_.generation(), change.key());
    if (change.has_value()) {
      writes_->Put(std::move(key), std::move(*change.mutable_value()));
    } else {
      writes_->Delete(std::move(key));
    }
  }
  pb::Head& head = *state_.mutable_head();
  *head.mutable_epoch() = entry.epoch();
  head.set_sequence(entry.sequence());
  head.set_digest(std::move(digest));
  head.set_commit_time_micros(entry.commit_time_micros());
  exists_ = true;
  return {};
}

StoreResult<void> LogWriter::ExtendHistory(const pb::LogEntry& entry, const Bytes& digest) {
  SYMBOLON_TRY(std::optional<pb::History> stored, writes_->GetMessage<pb::History>(keys::History(*pool_)));
  pb::History history = std::move(stored).value_or(pb::History());
  pb::EpochBegin* begin = history.add_epochs();
  *begin->mutable_epoch() = entry.epoch();
  begin->set_first_sequence(entry.sequence());
  begin->set_digest(digest);
  writes_->Put(keys::History(*pool_), history.SerializeAsString());
  return {};
}

StoreResult<std::optional<Bytes>> LogWriter::DigestAt(std::uint64_t sequence) const {
  const pb::Head& head = state_.head();
  if (sequence > head.sequence()) return std::nullopt;
  if (sequence == head.sequence()) return head.digest();
  if (sequence + 1 == state_.first_kept_sequence()) return state_.digest_before_first_kept();
  if (sequence < state_.first_kept_sequence()) return std::nullopt;
  SYMBOLON_TRY(std::optional<pb::LogEntry> next,
               writes_->GetMessage<pb::LogEntry>(keys::LogEntry(*pool_, state_.generation(), sequence + 1)));
  if (!next) return Corrupt("a kept log entry is missing");
  return std::move(*next->mutable_previous_digest());
}

void LogWriter::Finish() { writes_->Put(keys::PoolState(*pool_), state_.SerializeAsString()); }

}  // namespace symbolon::storage
