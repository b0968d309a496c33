#include "node/users.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "base/log.h"
#include "kms_api/authorisation.h"
#include "node/config_reader.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kUsersMax = 10'000;
constexpr std::size_t kAccessKeysMax = 10;
constexpr std::size_t kPoliciesMax = 20;

class UsersParser {
 public:
  explicit UsersParser(const std::filesystem::path& file) : file_(file), folder_(file.parent_path()) {
    result_.files.push_back(file);
  }

  Result<UsersFile, ConfigProblems> Parse(std::string_view text) {
    try {
      toml::table parsed = toml::parse(text);
      TableReader root(parsed, "", 1, problems_);
      root.Tables("users", [&](TableReader& table) { ReadUser(table); });
      if (result_.users.size() > kUsersMax) root.Refuse("users", fmt::format("are more than {}", kUsersMax));
      root.Finish();
    } catch (const toml::parse_error& error) {
      problems_.push_back({error.source().begin.line, std::string(error.description())});
    }
    if (problems_.empty()) return std::move(result_);
    return Err(std::move(problems_));
  }

 private:
  void ReadUser(TableReader& table) {
    UserConfig user;
    user.name = table.RequiredText("name");
    if (!user.name.empty() && !policy::IsUserName(user.name)) {
      table.Refuse("name", "must be 1 to 64 letters, digits and +=,.@_-");
    }
    if (std::ranges::find(result_.users, user.name, &UserConfig::name) != result_.users.end()) {
      table.Refuse("name", fmt::format("\"{}\" stands here twice", user.name));
    }
    if (table.Has("policies")) ReadPolicies(table, user);
    table.Tables("access_keys", [&](TableReader& key) {
      user.access_keys.push_back(ReadAccessKey(key, folder_, ids_));
      if (key.Has("secret_file")) result_.files.push_back(folder_ / key.Text("secret_file").value_or(""));
    });
    if (user.access_keys.size() > kAccessKeysMax) {
      table.Refuse("access_keys", fmt::format("are more than {}", kAccessKeysMax));
    }
    result_.users.push_back(std::move(user));
  }

  void ReadPolicies(TableReader& table, UserConfig& user) {
    const auto names = table.Texts("policies");
    if (names.size() > kPoliciesMax) {
      table.Refuse("policies", fmt::format("are more than {}", kPoliciesMax));
      return;
    }
    for (const std::string& name : names) {
      auto [place, first] = policies_.try_emplace(name);
      if (first) {
        auto document = ReadPolicy(name);
        if (!document) table.Refuse("policies", fmt::format("{}: {}", name, document.error()));
        if (document) place->second = *std::move(document);
      }
      if (place->second != nullptr) user.policies.push_back(place->second);
    }
  }

  Result<std::shared_ptr<const policy::Document>, std::string> ReadPolicy(const std::string& name) {
    const std::filesystem::path path = folder_ / name;
    result_.files.push_back(path);
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return Err(std::string("cannot be read"));
    std::string text(policy::Document::kBytesMax + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    auto document = policy::Document::Parse(text, policy::DocumentKind::kIdentity, kms_api::KnownActions());
    if (!document) return Err(document.error().message);
    return std::make_shared<const policy::Document>(*std::move(document));
  }

  const std::filesystem::path file_;
  const std::filesystem::path folder_;
  ConfigProblems problems_;
  UsersFile result_;
  std::vector<std::string> ids_;
  std::map<std::string, std::shared_ptr<const policy::Document>> policies_;
};

// What changes when a file is written, or another one takes its place.
std::string FingerprintOf(const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return "missing";
  return fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::vector<std::string> FingerprintsOf(const std::vector<std::filesystem::path>& files) {
  std::vector<std::string> fingerprints;
  for (const auto& file : files) fingerprints.push_back(FingerprintOf(file));
  return fingerprints;
}

}  // namespace

Result<UsersFile, ConfigProblems> LoadUsers(const std::filesystem::path& file) {
  SYMBOLON_TRY(Bytes text, ReadConfigFile(file));
  auto users = UsersParser(std::filesystem::absolute(file)).Parse(text);
  Wipe(text.data(), text.size());
  return users;
}

struct Users::Table {
  struct Key {
    Secret secret;
    std::string owner;
  };
  std::map<std::string, Key, std::less<>> keys;
  std::map<std::string, policy::Documents, std::less<>> users;
};

Users::Users(std::string account, std::vector<AccessKeyConfig> root_keys, std::filesystem::path file)
    : account_(std::move(account)), root_keys_(std::move(root_keys)), file_(std::move(file)) {}

Users::~Users() = default;

Result<std::unique_ptr<Users>, ConfigProblems> Users::Open(std::string account, std::vector<AccessKeyConfig> root_keys,
                                                           std::filesystem::path file) {
  std::unique_ptr<Users> users(new Users(std::move(account), std::move(root_keys), std::move(file)));
  std::lock_guard reload(users->reload_mutex_);
  SYMBOLON_TRY_VOID(users->Load());
  return users;
}

std::shared_ptr<const Users::Table> Users::Current() const {
  std::lock_guard guard(mutex_);
  return table_;
}

std::optional<http::AccessKey> Users::Find(std::string_view access_key_id) const {
  const auto table = Current();
  const auto found = table->keys.find(access_key_id);
  if (found == table->keys.end()) return std::nullopt;
  return http::AccessKey{.secret = found->second.secret.Clone(), .owner = found->second.owner};
}

std::optional<policy::Identity> Users::FindIdentity(std::string_view owner) const {
  if (owner.empty()) return policy::Identity{.principal = policy::Principal::Root(account_), .policies = {}};
  const auto table = Current();
  const auto found = table->users.find(owner);
  if (found == table->users.end()) return std::nullopt;
  return policy::Identity{.principal = policy::Principal::User(account_, std::string(owner)),
                          .policies = found->second};
}

Result<void, ConfigProblems> Users::Load() {
  UsersFile file;
  // How the files look is taken before they are read: what changes meanwhile is read again. Until they have been read
  // once it is not known which ones they are.
  while (!file_.empty()) {
    fingerprint_ = FingerprintsOf(files_);
    SYMBOLON_TRY(file, LoadUsers(file_));
    if (file.files == files_) break;
    files_ = file.files;
  }
  SYMBOLON_TRY(auto table, MakeTable(std::move(file)));
  std::lock_guard guard(mutex_);
  table_ = std::move(table);
  return {};
}

Result<std::shared_ptr<const Users::Table>, ConfigProblems> Users::MakeTable(UsersFile file) const {
  auto table = std::make_shared<Table>();
  for (const AccessKeyConfig& key : root_keys_) {
    table->keys.emplace(key.id, Table::Key{.secret = key.secret.Clone(), .owner = ""});
  }
  for (UserConfig& user : file.users) {
    for (AccessKeyConfig& key : user.access_keys) {
      const bool fresh =
          table->keys.try_emplace(key.id, Table::Key{.secret = std::move(key.secret), .owner = user.name}).second;
      if (!fresh) {
        return Err(ConfigProblems{{1, fmt::format("the access key \"{}\" of user \"{}\" is one of [[access_keys]], too",
                                                  key.id, user.name)}});
      }
    }
    table->users.emplace(std::move(user.name), std::move(user.policies));
  }
  return table;
}

void Users::Reload() {
  if (file_.empty()) return;
  std::lock_guard reload(reload_mutex_);
  problems_.clear();
  Try();
}

void Users::ReloadIfChanged() {
  if (file_.empty()) return;
  std::lock_guard reload(reload_mutex_);
  // What a wrong file lacks may have come.
  if (!problems_.empty() || FingerprintsOf(files_) != fingerprint_) Try();
}

void Users::Try() {
  auto loaded = Load();
  const bool told = !loaded && loaded.error() == problems_;
  problems_ = loaded ? ConfigProblems() : std::move(loaded).error();
  {
    std::lock_guard guard(mutex_);
    counters_.stale = !problems_.empty();
    if (loaded) ++counters_.reloads;
    if (!loaded && !told) ++counters_.failures;
  }
  if (loaded) log::Info("users and policies are read again from {}", file_.string());
  if (loaded || told) return;
  log::Error("{} is wrong: the users and policies from before stay in force", file_.string());
  for (const auto& [line, reason] : problems_) log::Error("{}:{}: {}", file_.string(), line, reason);
}

Users::Counters Users::counters() const {
  std::lock_guard guard(mutex_);
  return counters_;
}

}  // namespace symbolon::node
