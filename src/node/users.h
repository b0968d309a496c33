// Users with access keys and policies: the file that iam.users_file names (docs/access.md), and what is in force of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/sigv4.h"
#include "node/config.h"
#include "policy/identity.h"

namespace symbolon::node {

struct UserConfig {
  std::string name;
  std::vector<AccessKeyConfig> access_keys;
  policy::Documents policies;
};

struct UsersFile {
  std::vector<UserConfig> users;
  // The file, and the policies and secrets that it names.
  std::vector<std::filesystem::path> files;
};

// Relative paths in it are meant from its folder.
Result<UsersFile, ConfigProblems> LoadUsers(const std::filesystem::path& file);

// Who may sign, and what they may. Thread-safe: a request sees either what was in force before a reload or what is
// after.
class Users final : public http::AccessKeys, public policy::Identities {
 public:
  struct Counters {
    std::uint64_t reloads = 0;
    std::uint64_t failures = 0;
    // The files say something else than what is in force: they are wrong.
    bool stale = false;
  };

  // `root_keys`: of the account's root; they stay. Without a file these are all. The file was loaded before, so that a
  // node does not start with one that is wrong; an error is what changed since.
  static Result<std::unique_ptr<Users>, ConfigProblems> Open(std::string account,
                                                             std::vector<AccessKeyConfig> root_keys,
                                                             std::filesystem::path file);
  ~Users() override;

  std::optional<http::AccessKey> Find(std::string_view access_key_id) const override;
  std::optional<policy::Identity> FindIdentity(std::string_view owner) const override;

  // Reads the file again. What is wrong with it is logged, and what was in force stays. One thread at a time works.
  void Reload();
  // The same, if any of the files has changed since it was read.
  void ReloadIfChanged();

  Counters counters() const;

 private:
  struct Table;
  using Fingerprint = std::vector<std::string>;

  Users(std::string account, std::vector<AccessKeyConfig> root_keys, std::filesystem::path file);

  // With reload_mutex_ held.
  Result<void, ConfigProblems> Load();
  void Try();
  Result<std::shared_ptr<const Table>, ConfigProblems> MakeTable(UsersFile file) const;
  std::shared_ptr<const Table> Current() const;

  const std::string account_;
  const std::vector<AccessKeyConfig> root_keys_;
  const std::filesystem::path file_;

  std::mutex reload_mutex_;
  // Guarded by reload_mutex_: what was read, and how it looked on the disk then.
  std::vector<std::filesystem::path> files_;
  Fingerprint fingerprint_;
  // Of the last reading, if it failed.
  ConfigProblems problems_;

  mutable std::mutex mutex_;
  // Guarded by mutex_, which is held for moments only.
  std::shared_ptr<const Table> table_;
  Counters counters_;
};

}  // namespace symbolon::node
