#include "key_life/older_records.h"

#include <future>

#include "directory/record_types.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kRegionalAtOnce = 500;
constexpr int kRegionalAttemptsMax = 16;
// Sealed ones. What is added to Space::kRegional has to be named here, or its generations stay for ever.
constexpr RecordType kRegionalTypes[] = {RecordType::kOutbox, RecordType::kRegionalSettings};

void NoteIn(std::set<Bytes>& found, const std::set<Bytes>& wanted, BytesView value) {
  const auto generation = keys::GenerationOf(value);
  if (generation && wanted.contains(Bytes(*generation))) found.insert(Bytes(*generation));
}

// One commit; true: there may be more.
storage::StoreResult<std::size_t> ResealPage(storage::Store& store, const PoolId& pool, RecordType type,
                                             const keys::PoolKeys& keys, Random& random, std::optional<Bytes>& after) {
  const auto snapshot = store.MakeSnapshot();
  const storage::KeyRange range{
      .space = storage::Space::kRegional, .pool = pool, .type = static_cast<std::uint16_t>(type), .id_prefix = {}};
  SYMBOLON_TRY(storage::Page page, snapshot->Scan(range, after, kRegionalAtOnce));
  storage::Commit commit{.pool = pool, .snapshot_version = snapshot->version()};
  for (storage::Record& record : page.records) {
    const auto generation = keys::GenerationOf(record.value);
    if (!generation || *generation == keys.sealing_generation()) continue;
    storage::Key key{.space = range.space, .pool = pool, .type = range.type, .id = std::move(record.id)};
    const auto plain = keys.Open(key, record.value);
    // Of a generation that nobody has any more; it cannot be read anyway.
    if (!plain) continue;
    commit.reads.push_back(key);
    Bytes sealed = keys.Seal(key, *plain, random);
    commit.regional.push_back({.key = std::move(key), .value = std::move(sealed)});
  }
  const std::size_t count = commit.regional.size();
  if (count > 0) {
    std::promise<storage::StoreResult<storage::Committed>> done;
    store.Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
    SYMBOLON_TRY_VOID(done.get_future().get());
  }
  after = std::move(page.next);
  return count;
}

}  // namespace

storage::StoreResult<std::optional<std::uint16_t>> NextType(storage::CopySource& source,
                                                            std::optional<std::uint16_t> after) {
  Bytes cursor;
  if (after) {
    AppendBigEndian16(cursor, *after);
    // Past every id.
    cursor.append(storage::kKeyIdBytesMax + 1, '\xff');
  }
  SYMBOLON_TRY(const std::vector<storage::Record> next, source.Next(cursor, 1));
  if (next.empty()) return std::nullopt;
  return ReadBigEndian16(next.front().id);
}

storage::StoreResult<OlderFound> LookForOlder(storage::Store& store, const PoolId& pool,
                                              const std::set<Bytes>& generations, Bytes cursor,
                                              std::size_t limit_bytes) {
  SYMBOLON_TRY(const auto source, store.OpenCopy(pool));
  OlderFound found;
  for (std::size_t looked_at = 0; looked_at < limit_bytes;) {
    SYMBOLON_TRY(const std::vector<storage::Record> records, source->Next(cursor, kPieceBytes));
    if (records.empty()) return found;
    for (const storage::Record& record : records) {
      NoteIn(found.generations, generations, record.value);
      looked_at += record.id.size() + record.value.size();
    }
    cursor = records.back().id;
  }
  found.cursor = std::move(cursor);
  return found;
}

storage::StoreResult<std::size_t> ResealRegional(storage::Store& store, const PoolId& pool, const keys::PoolKeys& keys,
                                                 Random& random) {
  std::size_t count = 0;
  for (const RecordType type : kRegionalTypes) {
    std::optional<Bytes> after;
    int conflicts = 0;
    do {
      const auto resealed = ResealPage(store, pool, type, keys, random, after);
      if (!resealed && resealed.error().code == storage::StoreErrorCode::kConflict &&
          ++conflicts < kRegionalAttemptsMax) {
        continue;
      }
      if (!resealed) return Err(resealed.error());
      count += *resealed;
    } while (after);
  }
  return count;
}

storage::StoreResult<std::set<Bytes>> OlderInSuffixes(const replication::SuffixFolder& suffixes, const PoolId& pool,
                                                      const std::set<Bytes>& generations) {
  std::set<Bytes> found;
  SYMBOLON_TRY(const auto files, suffixes.List());
  for (const auto& file : files) {
    if (file.header.pool() != pool.value()) continue;
    const auto read = suffixes.Read(file.name, [&](const replication::pb::SuffixItem& item) {
      for (const storage::pb::LogChange& change : item.entry().changes()) NoteIn(found, generations, change.value());
      if (item.has_record()) NoteIn(found, generations, item.record().value());
    });
    if (!read) return Err(read.error());
  }
  return found;
}

}  // namespace symbolon::key_life
