// Files in which suffixes are set aside (set_aside.proto): one for each, in one folder, written once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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

  storage::StoreResult<void> Keep(storage::Store& store, const PoolId& pool, std::uint64_t fork) override;

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
  // Removes what was set aside of this pool, unfinished files as well; answers how many. Durable when it returns.
  storage::StoreResult<std::uint64_t> RemoveAllOf(const PoolId& pool) const;
  // Erases bodies from the file: of changes in entries, which stay without them, and whole records; those for which
  // `which` says so. Answers how many; with none the file stays as it is, otherwise another one, durable when this
  // returns, has taken its place. kGap: there is no such file. Blocking.
  storage::StoreResult<std::uint64_t> Erase(const std::string& name, const storage::Store::ErasesBody& which) const;

 private:
  // kGap: `name` is not one of a file here.
  storage::StoreResult<std::filesystem::path> PathOf(const std::string& name) const;

  const std::filesystem::path folder_;
  const std::uint16_t key_record_type_;
};

}  // namespace symbolon::replication
