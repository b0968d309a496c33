#include "storage/facts.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <map>

#include "storage/keys.h"
#include "storage/log.h"

namespace symbolon::storage {
namespace {

// More than any proof has.
constexpr int kProofPathMax = 16;
constexpr std::size_t kProofPartBytesMax = 128;
// No Region says as many; so that what follows a number can be counted.
constexpr std::uint64_t kFactNumberMax = std::uint64_t{1} << 62;
// More than all that a Region says in one; it has to fit into a frame wherever it is passed on.
constexpr std::size_t kFactEntryBytesMax = 8 << 20;

// The same octets for the same value in every Region: protobuf leaves the order of maps open otherwise.
Bytes Serialise(const pb::FactValue& value) {
  Bytes octets;
  {
    google::protobuf::io::StringOutputStream stream(&octets);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    value.SerializeToCodedStream(&coded);
  }
  return octets;
}

Bytes Number(std::uint64_t number) {
  Bytes octets;
  AppendBigEndian64(octets, number);
  return octets;
}

StoreResult<std::uint64_t> ParseNumber(const std::optional<Bytes>& octets) {
  if (!octets) return 0;
  if (octets->size() != 8) return Err(StoreError{StoreErrorCode::kCorrupt, "a stored number does not parse"});
  return ReadBigEndian64(*octets);
}

// Never back.
StoreResult<void> RaiseHorizonOf(WriteSet& writes, const PoolId& pool, std::int64_t until_micros) {
  SYMBOLON_TRY(const std::optional<Bytes> octets, writes.Get(keys::Horizon(pool)));
  SYMBOLON_TRY(const std::uint64_t before, ParseNumber(octets));
  if (static_cast<std::uint64_t>(until_micros) > before) {
    writes.Put(keys::Horizon(pool), Number(static_cast<std::uint64_t>(until_micros)));
  }
  return {};
}

bool SaysAllOf(const pb::FactValue& value, const pb::FactValue& part) {
  pb::FactValue alone;
  JoinFact(alone, value);
  pb::FactValue joined = alone;
  JoinFact(joined, part);
  return Serialise(joined) == Serialise(alone);
}

// When the entry may go; 0: never.
std::int64_t EndOf(const pb::FactEntry& entry) {
  const std::int64_t expiry = entry.value().expires_at_micros();
  return expiry == 0 ? 0 : std::max(expiry, entry.kept_until_micros());
}

StoreResult<void> CheckForeignEntry(const pb::FactEntry& entry) {
  const auto malformed = [](const char* what) { return Err(StoreError{StoreErrorCode::kCorrupt, what}); };
  if (!keys::WellFormedName(entry.region()) || entry.region().empty()) return malformed("fact entry: its Region");
  if (entry.incarnation().empty() || entry.incarnation().size() > kNameBytesMax) {
    return malformed("fact entry: its incarnation");
  }
  if (entry.number() == 0 || entry.number() > kFactNumberMax || entry.forgotten_before() >= entry.number()) {
    return malformed("fact entry: its number");
  }
  if (entry.ByteSizeLong() > kFactEntryBytesMax) return malformed("fact entry: its size");
  if (!entry.key().empty() && (entry.key().size() < 2 || entry.key().size() > 2 + kKeyIdBytesMax)) {
    return malformed("fact entry: its key");
  }
  if (entry.value().expires_at_micros() < 0 || entry.kept_until_micros() < 0 || entry.forgotten_until_micros() < 0) {
    return malformed("fact entry: its expiry");
  }
  const auto too_long = [](const Bytes& octets) { return octets.size() > kProofPartBytesMax; };
  if (entry.proof().path_size() > kProofPathMax || too_long(entry.proof().signature()) ||
      std::ranges::any_of(entry.proof().path(), too_long)) {
    return malformed("fact entry: its proof");
  }
  return {};
}

}  // namespace

StoreResult<void> FactWriter::Accept(const Core::Identity& self, BytesView type_and_id, const pb::FactValue& value) {
  SYMBOLON_TRY(const Joined joined, Join(type_and_id, value));
  if (joined == Joined::kRefused)
    return Err(StoreError{StoreErrorCode::kExpired, "the fact expires before the horizon"});
  SYMBOLON_TRY(Bytes incarnation, OwnIncarnation(self));
  SYMBOLON_TRY(const std::uint64_t known, KnownNumber(self.region.value(), incarnation));
  pb::FactEntry entry;
  entry.set_region(self.region.value());
  entry.set_incarnation(std::move(incarnation));
  entry.set_number(known + 1);
  entry.set_key(Bytes(type_and_id));
  *entry.mutable_value() = value;
  return Append(std::move(entry), joined);
}

StoreResult<bool> FactWriter::Merge(const Core::Identity& self, pb::FactEntry entry, std::vector<Bytes>& changed) {
  SYMBOLON_TRY_VOID(CheckForeignEntry(entry));
  SYMBOLON_TRY(const std::uint64_t known, KnownNumber(entry.region(), entry.incarnation()));
  if (entry.number() <= known) return false;
  SYMBOLON_TRY(const Bytes own, OwnIncarnation(self));
  if (entry.region() == self.region.value() && entry.incarnation() == own) {
    return Err(StoreError{StoreErrorCode::kGap, "facts in this store's own name that it never accepted"});
  }
  if (entry.number() - entry.forgotten_before() > known + 1) {
    return Err(StoreError{StoreErrorCode::kGap, "facts are missing before the entry"});
  }
  // Whoever sent it cannot say any more what it was, and so nobody here can.
  if (entry.key().empty() || entry.number() > known + 1) {
    SYMBOLON_TRY_VOID(RaiseHorizonOf(writes_, pool_, entry.forgotten_until_micros()));
  }
  entry.clear_forgotten_before();
  entry.clear_forgotten_until_micros();
  if (!entry.key().empty()) {
    pb::FactValue value = entry.value();
    value.set_expires_at_micros(EndOf(entry));
    SYMBOLON_TRY(const Joined joined, Join(entry.key(), value));
    if (joined != Joined::kRefused) {
      changed.push_back(entry.key());
      SYMBOLON_TRY_VOID(Append(std::move(entry), joined));
      return true;
    }
  }
  writes_.Put(keys::FactProgress(pool_, entry.region(), entry.incarnation()), Number(entry.number()));
  return true;
}

// A fact that is here cannot have been forgotten, so only what would be new, or what ends before the horizon even when
// joined, is kept out.
StoreResult<FactWriter::Joined> FactWriter::Join(BytesView type_and_id, const pb::FactValue& value) {
  const Bytes key = keys::Fact(pool_, type_and_id);
  SYMBOLON_TRY(const std::optional<pb::FactValue> before, writes_.GetMessage<pb::FactValue>(key));
  pb::FactValue joined = before.value_or(pb::FactValue());
  JoinFact(joined, value);
  const std::int64_t expiry = joined.expires_at_micros();
  if (expiry > 0) {
    SYMBOLON_TRY(const std::int64_t horizon, Horizon());
    if (expiry < horizon) return Joined::kRefused;
  }
  if (before && before->expires_at_micros() > 0 && before->expires_at_micros() != expiry) {
    writes_.Delete(keys::Expiry(pool_, before->expires_at_micros(), key));
  }
  if (expiry > 0) writes_.Put(keys::Expiry(pool_, expiry, key), Bytes());
  writes_.Put(key, Serialise(joined));
  return before ? Joined::kMore : Joined::kNew;
}

StoreResult<Bytes> FactWriter::OwnIncarnation(const Core::Identity& self) const {
  SYMBOLON_TRY(std::optional<Bytes> renamed, writes_.Get(keys::FactIncarnation(pool_)));
  return renamed ? *std::move(renamed) : self.incarnation;
}

StoreResult<std::int64_t> FactWriter::Horizon() const {
  SYMBOLON_TRY(const std::optional<Bytes> octets, writes_.Get(keys::Horizon(pool_)));
  SYMBOLON_TRY(const std::uint64_t horizon, ParseNumber(octets));
  return static_cast<std::int64_t>(horizon);
}

StoreResult<std::uint64_t> FactWriter::KnownNumber(BytesView region, BytesView incarnation) const {
  SYMBOLON_TRY(const std::optional<Bytes> octets, writes_.Get(keys::FactProgress(pool_, region, incarnation)));
  return ParseNumber(octets);
}

StoreResult<void> FactWriter::Append(pb::FactEntry entry, Joined joined) {
  const Bytes mention = keys::FactMention(pool_, entry.region(), entry.incarnation(), entry.key());
  SYMBOLON_TRY(const std::optional<Bytes> mentioned, writes_.Get(mention));
  if (mentioned) {
    SYMBOLON_TRY(const std::uint64_t number, ParseNumber(mentioned));
    SYMBOLON_TRY(const std::optional<pb::FactEntry> earlier, writes_.GetMessage<pb::FactEntry>(keys::FactEntry(
                                                                 pool_, entry.region(), entry.incarnation(), number)));
    if (earlier) {
      // What was said of a fact that has been forgotten since is forgotten too, though its entry may be here until facts
      // are forgotten the next time. An entry with a proof was joined by who signed it.
      SYMBOLON_TRY(const std::int64_t horizon, Horizon());
      const bool forgotten = joined == Joined::kNew || (EndOf(*earlier) > 0 && EndOf(*earlier) < horizon);
      if (!forgotten && !entry.has_proof()) JoinFact(*entry.mutable_value(), earlier->value());
      // Who signed the entry may have forgotten the fact since it said the earlier one; here that holds still.
      if (SaysAllOf(entry.value(), earlier->value())) {
        writes_.Put(keys::FactRepetition(pool_, entry.region(), entry.incarnation(), entry.number()), *mentioned);
      }
    }
  }
  const Bytes key = keys::FactEntry(pool_, entry.region(), entry.incarnation(), entry.number());
  if (const std::int64_t end = EndOf(entry); end > 0) writes_.Put(keys::Expiry(pool_, end, key), Bytes());
  writes_.Put(key, entry.SerializeAsString());
  writes_.Put(mention, Number(entry.number()));
  writes_.Put(keys::FactProgress(pool_, entry.region(), entry.incarnation()), Number(entry.number()));
  return {};
}

StoreResult<std::vector<pb::FactEntry>> ReadFactEntries(const View& view, const PoolId& pool, BytesView region,
                                                        BytesView incarnation, std::uint64_t first_number,
                                                        std::size_t limit_bytes) {
  SYMBOLON_CHECK(first_number >= 1);
  SYMBOLON_TRY(const std::uint64_t known, view.FactNumber(pool, region, incarnation));
  SYMBOLON_TRY(const std::optional<Bytes> stored_horizon, view.engine->Get(keys::Horizon(pool)));
  SYMBOLON_TRY(const std::uint64_t horizon, ParseNumber(stored_horizon));
  const Bytes log = keys::FactEntries(pool, region, incarnation);
  const auto stored =
      view.engine->Iterate(keys::FactEntry(pool, region, incarnation, first_number), keys::PrefixEnd(log));
  std::vector<pb::FactEntry> entries;
  std::size_t size_bytes = 0;
  std::uint64_t expected = first_number;
  for (; stored->Valid(); stored->Next()) {
    if (!entries.empty() && size_bytes + stored->value().size() > limit_bytes) return entries;
    pb::FactEntry entry;
    if (!entry.ParseFromArray(stored->value().data(), static_cast<int>(stored->value().size())) ||
        entry.number() < expected) {
      return Err(StoreError{StoreErrorCode::kCorrupt, "a stored fact entry does not parse"});
    }
    entry.set_forgotten_before(entry.number() - expected);
    if (entry.forgotten_before() > 0) entry.set_forgotten_until_micros(static_cast<std::int64_t>(horizon));
    expected = entry.number() + 1;
    size_bytes += stored->value().size();
    entries.push_back(std::move(entry));
  }
  SYMBOLON_TRY_VOID(stored->status());
  if (expected <= known) {
    pb::FactEntry& forgotten = entries.emplace_back();
    forgotten.set_region(Bytes(region));
    forgotten.set_incarnation(Bytes(incarnation));
    forgotten.set_number(known);
    forgotten.set_forgotten_before(known - expected);
    forgotten.set_forgotten_until_micros(static_cast<std::int64_t>(horizon));
  }
  return entries;
}

namespace {

// One run of ForgetExpired: what it takes out of which pool.
class Forgetting {
 public:
  explicit Forgetting(Core& core) : core_(core), writes_(core.engine()) {}

  std::size_t facts() const { return facts_; }

  StoreResult<void> Visit(const Bytes& expiry_key) {
    const keys::ParsedExpiry expiry = keys::ParseExpiry(expiry_key);
    writes_.Delete(expiry_key);
    const std::optional<Bytes> fact = keys::ParseFact(expiry.pool, expiry.engine_key);
    return fact ? VisitFact(expiry, *fact) : VisitEntry(expiry);
  }

  StoreResult<void> Finish() {
    for (const auto& [pool, horizon] : horizons_) SYMBOLON_TRY_VOID(RaiseHorizonOf(writes_, pool, horizon));
    if (writes_.empty()) return {};
    SYMBOLON_TRY_VOID(core_.Write(writes_.TakeBatch()));
    std::vector<Notice> notices;
    for (auto& [pool, forgotten] : forgotten_) {
      Notice& notice = notices.emplace_back();
      notice.version = core_.NextVersion();
      notice.pool = pool;
      for (const Key& key : forgotten) core_.recent_writes().Add(keys::Window(key), notice.version);
      notice.keys = std::move(forgotten);
    }
    core_.Publish(notices);
    return {};
  }

 private:
  StoreResult<void> VisitFact(const keys::ParsedExpiry& expiry, const Bytes& type_and_id) {
    SYMBOLON_TRY(const std::optional<pb::FactValue> fact, writes_.GetMessage<pb::FactValue>(expiry.engine_key));
    if (!fact || fact->expires_at_micros() != expiry.expires_at_micros) return {};
    writes_.Delete(expiry.engine_key);
    std::int64_t& horizon = horizons_[expiry.pool];
    horizon = std::max(horizon, expiry.expires_at_micros + 1);
    forgotten_[expiry.pool].push_back({Space::kFact, expiry.pool, ReadBigEndian16(type_and_id), type_and_id.substr(2)});
    ++facts_;
    return {};
  }

  // A log entry goes with its fact; while that lives, the entry takes over its end.
  StoreResult<void> VisitEntry(const keys::ParsedExpiry& expiry) {
    SYMBOLON_TRY(std::optional<pb::FactEntry> entry, writes_.GetMessage<pb::FactEntry>(expiry.engine_key));
    if (!entry) return {};
    SYMBOLON_TRY(const std::optional<pb::FactValue> fact,
                 writes_.GetMessage<pb::FactValue>(keys::Fact(expiry.pool, entry->key())));
    if (fact && fact->expires_at_micros() > expiry.expires_at_micros) {
      if (entry->has_proof()) {
        entry->set_kept_until_micros(fact->expires_at_micros());
      } else {
        entry->mutable_value()->set_expires_at_micros(fact->expires_at_micros());
      }
      writes_.Put(expiry.engine_key, entry->SerializeAsString());
      writes_.Put(keys::Expiry(expiry.pool, fact->expires_at_micros(), expiry.engine_key), Bytes());
      return {};
    }
    writes_.Delete(expiry.engine_key);
    const Bytes mention = keys::FactMention(expiry.pool, entry->region(), entry->incarnation(), entry->key());
    SYMBOLON_TRY(const std::optional<Bytes> mentioned, writes_.Get(mention));
    SYMBOLON_TRY(const std::uint64_t number, ParseNumber(mentioned));
    if (number == entry->number()) writes_.Delete(mention);
    return {};
  }

  Core& core_;
  WriteSet writes_;
  std::size_t facts_ = 0;
  std::map<PoolId, std::int64_t> horizons_;
  std::map<PoolId, std::vector<Key>> forgotten_;
};

}  // namespace

StoreResult<std::size_t> CompactFactLogs(Core& core, const PoolId& pool, const pb::FactVector& held,
                                         std::size_t limit) {
  std::lock_guard lock(core.write_mutex());
  SYMBOLON_TRY_VOID(core.CheckWritable());
  WriteSet writes(core.engine());
  const View view = core.view();
  std::size_t dropped = 0;
  for (const pb::FactProgress& progress : held.progress()) {
    const auto number_key = [&](std::uint64_t number) {
      return keys::FactRepetition(pool, progress.region(), progress.incarnation(), number);
    };
    if (progress.number() == 0) continue;
    const auto repetitions = view.engine->Iterate(number_key(0), number_key(progress.number() + 1));
    for (; repetitions->Valid() && dropped < limit; repetitions->Next()) {
      SYMBOLON_TRY(const std::uint64_t number, ParseNumber(Bytes(repetitions->value())));
      const Bytes key = keys::FactEntry(pool, progress.region(), progress.incarnation(), number);
      SYMBOLON_TRY(const std::optional<pb::FactEntry> repeated, writes.GetMessage<pb::FactEntry>(key));
      if (repeated) {
        if (const std::int64_t end = EndOf(*repeated); end > 0) writes.Delete(keys::Expiry(pool, end, key));
        writes.Delete(key);
      }
      writes.Delete(Bytes(repetitions->key()));
      ++dropped;
    }
    SYMBOLON_TRY_VOID(repetitions->status());
  }
  if (!writes.empty()) SYMBOLON_TRY_VOID(core.Write(writes.TakeBatch()));
  return dropped;
}

StoreResult<std::size_t> ForgetExpired(Core& core, Timestamp now, std::size_t limit) {
  std::lock_guard lock(core.write_mutex());
  SYMBOLON_TRY_VOID(core.CheckWritable());
  Forgetting forgetting(core);
  const View view = core.view();
  const auto expiries = view.engine->Iterate(keys::Expiries(), keys::PrefixEnd(keys::Expiries()));
  // Log entries that go along are bounded too.
  std::size_t visits_left = limit > SIZE_MAX / 8 ? SIZE_MAX : limit * 8;
  while (expiries->Valid() && forgetting.facts() < limit && visits_left-- > 0) {
    const keys::ParsedExpiry expiry = keys::ParseExpiry(expiries->key());
    if (expiry.expires_at_micros >= ToMicros(now)) {
      expiries->Seek(keys::PrefixEnd(keys::Expiries(expiry.pool)));
      continue;
    }
    SYMBOLON_TRY_VOID(forgetting.Visit(Bytes(expiries->key())));
    expiries->Next();
  }
  SYMBOLON_TRY_VOID(expiries->status());
  SYMBOLON_TRY_VOID(forgetting.Finish());
  return forgetting.facts();
}

}  // namespace symbolon::storage
