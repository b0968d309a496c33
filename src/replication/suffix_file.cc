#include "replication/suffix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace symbolon::replication {
namespace {

constexpr std::string_view kExtension = ".suffix";
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kItemBytesMax = 64 << 20;
constexpr std::size_t kSizeBytes = 4;
// So many changes are read in vain at the most, and so many files are known by heart.
constexpr std::uint64_t kChangesBetweenMarks = 256;
constexpr std::size_t kIndexesMax = 4;

auto Failed(const std::filesystem::path& file, int error) {
  return Err(storage::StoreError{storage::StoreErrorCode::kUnavailable,
                                 file.string() + ": " + std::generic_category().message(error)});
}

auto Damaged(const std::filesystem::path& file) {
  return Err(storage::StoreError{storage::StoreErrorCode::kCorrupt, file.string() + " is damaged"});
}

storage::StoreResult<void> SyncFolder(const std::filesystem::path& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failed(path, errno);
  const bool synced = fsync(folder) == 0;
  const int error = errno;
  close(folder);
  if (!synced) return Failed(path, error);
  return {};
}

// Appears under its name when it is whole and durable.
class NewFile {
 public:
  explicit NewFile(std::filesystem::path target) : target_(std::move(target)), partial_(target_.string() + ".part") {}
  ~NewFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  storage::StoreResult<void> Open() {
    descriptor_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor_ < 0) return Failed(partial_, errno);
    return {};
  }

  storage::StoreResult<void> Append(const google::protobuf::MessageLite& message) {
    Bytes octets;
    AppendBigEndian32(octets, static_cast<std::uint32_t>(message.ByteSizeLong()));
    octets += message.SerializeAsString();
    digest_.Update(octets);
    return Write(octets);
  }

  storage::StoreResult<void> Finish() {
    pb::SuffixItem end;
    end.set_end(digest_.Finish());
    SYMBOLON_TRY_VOID(Append(end));
    if (fsync(descriptor_) != 0) return Failed(partial_, errno);
    if (rename(partial_.c_str(), target_.c_str()) != 0) return Failed(target_, errno);
    return SyncFolder(target_.parent_path());
  }

 private:
  storage::StoreResult<void> Write(BytesView octets) {
    while (!octets.empty()) {
      const ssize_t written = write(descriptor_, octets.data(), octets.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed(partial_, errno);
      octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  const std::filesystem::path target_;
  const std::filesystem::path partial_;
  int descriptor_ = -1;
  crypto::Sha256Stream digest_;
};

pb::SuffixItem::Record RecordOf(storage::Record record) {
  pb::SuffixItem::Record item;
  item.set_key(std::move(record.id));
  item.set_value(std::move(record.value));
  return item;
}

storage::StoreResult<void> AppendEntries(NewFile& file, storage::Store& store, const PoolId& pool, std::uint64_t fork,
                                         std::uint64_t head) {
  for (std::uint64_t next = fork + 1; next <= head;) {
    SYMBOLON_TRY(std::vector<storage::pb::LogEntry> entries, store.ReadLog(pool, next, kPieceBytes));
    if (entries.empty()) return Err(storage::StoreError{storage::StoreErrorCode::kCorrupt, "the log ends too early"});
    next += entries.size();
    for (storage::pb::LogEntry& entry : entries) {
      pb::SuffixItem item;
      *item.mutable_entry() = std::move(entry);
      SYMBOLON_TRY_VOID(file.Append(item));
    }
  }
  return {};
}

storage::StoreResult<void> AppendDirectory(NewFile& file, storage::CopySource& source) {
  Bytes cursor;
  while (true) {
    SYMBOLON_TRY(std::vector<storage::Record> records, source.Next(cursor, kPieceBytes));
    if (records.empty()) return {};
    cursor = records.back().id;
    for (storage::Record& record : records) {
      pb::SuffixItem item;
      *item.mutable_record() = RecordOf(std::move(record));
      SYMBOLON_TRY_VOID(file.Append(item));
    }
  }
}

// Reads one message after the other. Not more than kItemBytesMax is believed.
class Reader {
 public:
  Reader(const std::filesystem::path& file, std::atomic<std::uint64_t>& octets_read)
      : stream_(file, std::ios::binary), octets_read_(octets_read) {}
  bool ok() const { return stream_.good(); }
  // Of what was read before the last Next(). Once.
  Bytes TakeDigest() { return digest_.Finish(); }
  bool Next(google::protobuf::MessageLite& message) {
    digest_.Update(last_);
    last_.resize(kSizeBytes);
    if (!stream_.read(last_.data(), kSizeBytes)) return false;
    const std::size_t size_bytes = ReadBigEndian32(last_);
    if (size_bytes > kItemBytesMax) return false;
    last_.resize(kSizeBytes + size_bytes);
    if (!stream_.read(last_.data() + kSizeBytes, static_cast<std::streamsize>(size_bytes))) return false;
    offset_ += last_.size();
    octets_read_ += last_.size();
    return message.ParseFromArray(last_.data() + kSizeBytes, static_cast<int>(size_bytes));
  }
  bool at_end() { return stream_.peek() == std::ifstream::traits_type::eof(); }
  // Where the next message begins.
  std::uint64_t offset() const { return offset_; }
  void Seek(std::uint64_t offset) {
    stream_.seekg(static_cast<std::streamoff>(offset));
    offset_ = offset;
  }

 private:
  std::ifstream stream_;
  std::atomic<std::uint64_t>& octets_read_;
  std::uint64_t offset_ = 0;
  crypto::Sha256Stream digest_;
  Bytes last_;
};

std::uint64_t ChangesIn(const pb::SuffixItem& item) {
  return item.has_record() ? 1 : static_cast<std::uint64_t>(item.entry().changes_size());
}

// What a file is known by while nobody touches it.
struct Identity {
  dev_t device;
  ino_t number;
  off_t size_bytes;
  std::int64_t changed_seconds, changed_nanoseconds;

  bool operator==(const Identity&) const = default;
};

storage::StoreResult<Identity> IdentityOf(const std::filesystem::path& path) {
  struct stat told{};
  if (stat(path.c_str(), &told) != 0) return Failed(path, errno);
  return Identity{.device = told.st_dev,
                  .number = told.st_ino,
                  .size_bytes = told.st_size,
                  .changed_seconds = told.st_mtim.tv_sec,
                  .changed_nanoseconds = told.st_mtim.tv_nsec};
}

}  // namespace

struct SuffixFolder::Index {
  // Where an item begins, and how many changes are before it.
  struct Mark {
    std::uint64_t changes;
    std::uint64_t offset;
  };
  std::filesystem::path path;
  Identity identity;
  pb::SuffixHeader header;
  std::vector<pb::SuffixItem::Record> key_records;
  // Ascending; of the first item, and of some of the others.
  std::vector<Mark> marks;
};

storage::StoreResult<std::optional<storage::pb::Head>> SuffixFolder::Keep(storage::Store& store, const PoolId& pool,
                                                                          std::uint64_t fork) {
  // A fenced log does not grow, so that all that follows belongs to one state.
  const auto snapshot = store.MakeSnapshot();
  SYMBOLON_TRY(std::optional<storage::pb::Head> head, snapshot->Head(pool));
  if (!head) return std::nullopt;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return Failed(folder_, error.value());
  const std::filesystem::path target =
      folder_ / (pool.value() + "." + std::to_string(fork + 1) + "-" + std::to_string(head->sequence()) + "." +
                 HexEncode(head->digest().substr(0, 4)) + std::string(kExtension));
  if (std::filesystem::exists(target, error)) return head;

  pb::SuffixHeader header;
  header.set_pool(pool.value());
  header.set_region(store.region().value());
  header.set_fork(fork);
  *header.mutable_head() = *head;
  SYMBOLON_TRY(*header.mutable_history(), snapshot->History(pool));
  const auto reaches = store.ReadLog(pool, fork + 1, 1);
  if (!reaches && reaches.error().code != storage::StoreErrorCode::kGap) return Err(reaches.error());
  header.set_whole_directory(!reaches);
  NewFile file(target);
  SYMBOLON_TRY_VOID(file.Open());
  SYMBOLON_TRY_VOID(file.Append(header));
  const storage::KeyRange keys{storage::Space::kDirectory, pool, key_record_type_, {}};
  SYMBOLON_TRY(storage::Page page, snapshot->Scan(keys, std::nullopt, 10'000));
  for (storage::Record& record : page.records) {
    Bytes type_and_id;
    AppendBigEndian16(type_and_id, key_record_type_);
    type_and_id += record.id;
    pb::SuffixItem item;
    *item.mutable_key_record() = RecordOf({std::move(type_and_id), std::move(record.value)});
    SYMBOLON_TRY_VOID(file.Append(item));
  }
  if (header.whole_directory()) {
    SYMBOLON_TRY(const std::unique_ptr<storage::CopySource> source, store.OpenCopy(pool));
    SYMBOLON_TRY_VOID(AppendDirectory(file, *source));
  } else {
    SYMBOLON_TRY_VOID(AppendEntries(file, store, pool, fork, head->sequence()));
  }
  SYMBOLON_TRY_VOID(file.Finish());
  return head;
}

storage::StoreResult<std::vector<SuffixFolder::File>> SuffixFolder::List() const {
  std::vector<File> files;
  std::error_code error;
  if (!std::filesystem::exists(folder_, error)) return files;
  for (const auto& item : std::filesystem::directory_iterator(folder_, error)) {
    if (item.path().extension() != kExtension) continue;
    File file{.name = item.path().filename().string(), .header = {}};
    Reader reader(item.path(), octets_read_);
    if (reader.ok() && reader.Next(file.header)) files.push_back(std::move(file));
  }
  if (error) return Failed(folder_, error.value());
  std::ranges::sort(files, {}, &File::name);
  return files;
}

storage::StoreResult<std::filesystem::path> SuffixFolder::PathOf(const std::string& name) const {
  std::filesystem::path path = folder_ / name;
  if (path.parent_path() == folder_ && path.extension() == kExtension && std::filesystem::exists(path)) return path;
  return Err(storage::StoreError{storage::StoreErrorCode::kGap, "there is no such file"});
}

storage::StoreResult<pb::SuffixHeader> SuffixFolder::Read(
    const std::string& name, const std::function<void(const pb::SuffixItem&)>& take) const {
  SYMBOLON_TRY(const std::filesystem::path path, PathOf(name));
  pb::SuffixHeader header;
  for (const bool verifying : {true, false}) {
    Reader reader(path, octets_read_);
    if (!reader.ok() || !reader.Next(header)) return Damaged(path);
    pb::SuffixItem item;
    do {
      if (!reader.Next(item)) return Damaged(path);
      if (!verifying && !item.has_end()) take(item);
    } while (!item.has_end());
    if (item.end() != reader.TakeDigest() || !reader.at_end()) return Damaged(path);
  }
  return header;
}

storage::StoreResult<std::shared_ptr<const SuffixFolder::Index>> SuffixFolder::IndexOf(
    const std::filesystem::path& path) const {
  SYMBOLON_TRY(const Identity identity, IdentityOf(path));
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find_if(
        indexes_, [&](const auto& index) { return index->path == path && index->identity == identity; });
    if (known != indexes_.end()) {
      indexes_.splice(indexes_.begin(), indexes_, known);
      return indexes_.front();
    }
  }

  auto index =
      std::make_shared<Index>(Index{.path = path, .identity = identity, .header = {}, .key_records = {}, .marks = {}});
  Reader reader(path, octets_read_);
  if (!reader.ok() || !reader.Next(index->header)) return Damaged(path);
  pb::SuffixItem item;
  for (std::uint64_t changes = 0; !item.has_end(); changes += ChangesIn(item)) {
    if (index->marks.empty() || changes >= index->marks.back().changes + kChangesBetweenMarks) {
      index->marks.push_back({.changes = changes, .offset = reader.offset()});
    }
    if (!reader.Next(item)) return Damaged(path);
    if (item.has_key_record()) index->key_records.push_back(item.key_record());
  }
  if (item.end() != reader.TakeDigest() || !reader.at_end()) return Damaged(path);

  const std::lock_guard lock(mutex_);
  indexes_.remove_if([&](const auto& former) { return former->path == path; });
  indexes_.push_front(index);
  if (indexes_.size() > kIndexesMax) indexes_.pop_back();
  return index;
}

storage::StoreResult<pb::SuffixHeader> SuffixFolder::ReadFrom(
    const std::string& name, std::uint64_t first,
    const std::function<bool(std::uint64_t before, const pb::SuffixItem&)>& take) const {
  SYMBOLON_TRY(const std::filesystem::path path, PathOf(name));
  SYMBOLON_TRY(const std::shared_ptr<const Index> index, IndexOf(path));
  const auto behind = std::ranges::upper_bound(index->marks, first, {}, &Index::Mark::changes);
  const Index::Mark& mark = *std::prev(behind);  // the first one is of change 0
  Reader reader(path, octets_read_);
  reader.Seek(mark.offset);
  pb::SuffixItem item;
  for (std::uint64_t before = mark.changes;; before += ChangesIn(item)) {
    if (!reader.Next(item)) return Damaged(path);
    if (item.has_end()) return index->header;
    if (before + ChangesIn(item) > first && !take(before, item)) return index->header;
  }
}

storage::StoreResult<std::vector<pb::SuffixItem::Record>> SuffixFolder::KeyRecords(const std::string& name) const {
  SYMBOLON_TRY(const std::filesystem::path path, PathOf(name));
  SYMBOLON_TRY(const std::shared_ptr<const Index> index, IndexOf(path));
  return index->key_records;
}

storage::StoreResult<std::uint64_t> SuffixFolder::Erase(const std::string& name,
                                                        const storage::Store::ErasesBody& which) const {
  std::uint64_t erased = 0;
  const auto count = [&](const pb::SuffixItem& item) {
    for (const storage::pb::LogChange& change : item.entry().changes()) {
      erased += change.has_value() && which(change.key(), change.value());
    }
    erased += item.has_record() && which(item.record().key(), item.record().value());
  };
  SYMBOLON_TRY(const pb::SuffixHeader header, Read(name, count));
  if (erased == 0) return 0;
  SYMBOLON_TRY(std::filesystem::path path, PathOf(name));
  NewFile file(std::move(path));
  SYMBOLON_TRY_VOID(file.Open());
  SYMBOLON_TRY_VOID(file.Append(header));
  storage::StoreResult<void> written;
  const auto copy = [&](const pb::SuffixItem& item) {
    if (!written || (item.has_record() && which(item.record().key(), item.record().value()))) return;
    pb::SuffixItem kept = item;
    if (kept.has_entry()) {
      for (storage::pb::LogChange& change : *kept.mutable_entry()->mutable_changes()) {
        if (change.has_value() && which(change.key(), change.value())) change.clear_value();
      }
    }
    written = file.Append(kept);
  };
  SYMBOLON_TRY_VOID(Read(name, copy));
  SYMBOLON_TRY_VOID(written);
  SYMBOLON_TRY_VOID(file.Finish());
  return erased;
}

storage::StoreResult<std::uint64_t> SuffixFolder::RemoveAllOf(const PoolId& pool) const {
  std::error_code error;
  if (!std::filesystem::exists(folder_, error)) return 0;
  // Names begin with the pool's id, which has no dot.
  std::vector<std::filesystem::path> files;
  for (const auto& item : std::filesystem::directory_iterator(folder_, error)) {
    if (item.path().filename().string().starts_with(pool.value() + ".")) files.push_back(item.path());
  }
  for (const std::filesystem::path& file : files) {
    if (!error) std::filesystem::remove(file, error);
  }
  if (error) return Failed(folder_, error.value());
  if (!files.empty()) SYMBOLON_TRY_VOID(SyncFolder(folder_));
  return files.size();
}

}  // namespace symbolon::replication
