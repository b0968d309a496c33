#include "node/config_reader.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "base/ids.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kConfigLimitBytes = 1024 * 1024;
constexpr std::size_t kSecretLimitBytes = 1024;
constexpr std::size_t kAccessKeyIdLimit = 128;

}  // namespace

Result<Bytes, ConfigProblems> ReadConfigFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Err(ConfigProblems{{1, "cannot be read"}});
  Bytes text(kConfigLimitBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kConfigLimitBytes) return Err(ConfigProblems{{1, "is larger than 1 MiB"}});
  return text;
}

std::filesystem::path ReadFilePath(TableReader& table, std::string_view key, const std::filesystem::path& folder) {
  const std::string text = table.RequiredText(key);
  if (text.empty()) return {};
  std::filesystem::path path = folder / text;
  if (!std::ifstream(path)) table.Refuse(key, fmt::format("cannot read {}", path.string()));
  return path;
}

Secret ReadSecret(TableReader& table, const std::string& key, const std::filesystem::path& folder) {
  const std::string file_key = key + "_file", variable_key = key + "_env";
  std::optional<Secret> secret = table.TakeSecret(key);
  const bool in_file = table.Has(file_key), in_variable = table.Has(variable_key);
  const std::filesystem::path file = in_file ? ReadFilePath(table, file_key, folder) : std::filesystem::path();
  const std::string variable = in_variable ? table.RequiredText(variable_key) : std::string();
  if (int{table.Has(key)} + int{in_file} + int{in_variable} != 1) {
    table.Refuse(key, fmt::format("must be given, or {} or {} instead of it", file_key, variable_key));
    return {};
  }
  if (in_variable) {
    const char* const value = ::getenv(variable.c_str());
    if (value != nullptr && *value != '\0') return Secret::CopyOf(value);
    table.Refuse(variable_key, fmt::format("there is no environment variable {}", variable));
    return {};
  }
  if (!in_file) return secret ? *std::move(secret) : Secret();
  std::ifstream stream(file, std::ios::binary);
  Bytes content(kSecretLimitBytes + 1, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  const auto size = static_cast<std::size_t>(stream.gcount());
  std::string_view trimmed = std::string_view(content).substr(0, size);
  while (trimmed.ends_with('\n') || trimmed.ends_with('\r')) trimmed.remove_suffix(1);
  if (size > kSecretLimitBytes || trimmed.empty()) {
    table.Refuse(file_key, fmt::format("must hold 1 to {} octets", kSecretLimitBytes));
  }
  Secret from_file = Secret::CopyOf(trimmed);
  Wipe(content.data(), content.size());
  return from_file;
}

AccessKeyConfig ReadAccessKey(TableReader& table, const std::filesystem::path& folder, std::vector<std::string>& ids) {
  AccessKeyConfig key;
  key.id = table.RequiredText("id");
  if (key.id.size() > kAccessKeyIdLimit || key.id.find_first_not_of(kAlphanumeric) != std::string::npos) {
    table.Refuse("id", "must be up to 128 letters and digits");
  }
  if (std::ranges::find(ids, key.id) != ids.end()) {
    table.Refuse("id", fmt::format("\"{}\" stands here twice", key.id));
  }
  ids.push_back(key.id);
  key.secret = ReadSecret(table, "secret", folder);
  return key;
}

}  // namespace symbolon::node
