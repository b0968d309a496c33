// Files in which suffixes are set aside (set_aside.proto): one for each, in one folder, written once.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "replication/set_aside.h"
#include "replication/set_aside.pb.h"

namespace symbolon::replication {

// Thread-safe.
class SuffixFolder final : public SuffixArchive {
 public:
  // The folder is made when it is needed. `key_record_type`: the type of the directory records that are needed to open
  // the others.
  SuffixFolder(std::filesystem::path folder, std::uint16_t key_record_type)
      : folder_(std::move(folder)), key_record_type_(key_record_type) {}

  storage::StoreResult<std::optional<storage::pb::Head>> Keep(storage::Store& store, const PoolId& pool,
                                                              std::uint64_t fork) override;

  struct File {
    // Within the folder.
    std::string name;
    pb::SuffixHeader header;
  };
  // Ascending by name. Files that are none of these are left out.
  storage::StoreResult<std::vector<File>> List() const;
  // Hands every item but the end to `take`, once the whole file has been verified. kGap: there is no such file.
  // `name` as List() gave it.
  storage::StoreResult<pb::SuffixHeader> Read(const std::string& name,
                                              const std::function<void(const pb::SuffixItem&)>& take) const;
  // Hands the items with changes from number `first` on to `take`, each with the number of changes before it, until
  // that answers false. A change of an entry, and a record of a whole directory, counts as one. The file is verified
  // the first time; while it stays the same file, and is one of the last few that were asked for, not much more is read
  // after that than is handed out. kGap: there is no such file.
  storage::StoreResult<pb::SuffixHeader> ReadFrom(
      const std::string& name, std::uint64_t first,
      const std::function<bool(std::uint64_t before, const pb::SuffixItem&)>& take) const;
  // The directory records that open the others, as they were at the head.
  storage::StoreResult<std::vector<pb::SuffixItem::Record>> KeyRecords(const std::string& name) const;
  // Removes what was set aside of this pool, unfinished files as well; answers how many. Durable when it returns.
  storage::StoreResult<std::uint64_t> RemoveAllOf(const PoolId& pool) const;
  // Erases bodies from the file: of changes in entries, which stay without them, and whole records; those for which
  // `which` says so. Answers how many; with none the file stays as it is, otherwise another one, durable when this
  // returns, has taken its place. kGap: there is no such file. Blocking.
  storage::StoreResult<std::uint64_t> Erase(const std::string& name, const storage::Store::ErasesBody& which) const;

  // Octets of files that were read so far.
  std::uint64_t octets_read() const { return octets_read_; }

 private:
  struct Index;

  // Of a file that has been verified, now or when it was the same.
  storage::StoreResult<std::shared_ptr<const Index>> IndexOf(const std::filesystem::path& path) const;
  // kGap: `name` is not one of a file here.
  storage::StoreResult<std::filesystem::path> PathOf(const std::string& name) const;

  const std::filesystem::path folder_;
  const std::uint16_t key_record_type_;
  mutable std::atomic<std::uint64_t> octets_read_ = 0;

  mutable std::mutex mutex_;
  // The one that was asked for last in front; guarded by mutex_.
  mutable std::list<std::shared_ptr<const Index>> indexes_;
};

}  // namespace symbolon::replication
