// Reads a TOML table member by member and remembers what was wrong with it. Private to config.cc and users.cc.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/config.h"

namespace symbolon::node {

// One table. Every member that is asked for is known; Finish refuses the others.
class TableReader {
 public:
  // `name` is the table's, as messages say it: "api", "" for the file itself. `line` stands in for a member that is
  // missing.
  TableReader(toml::table& table, std::string name, std::size_t line, ConfigProblems& problems)
      : table_(table), name_(std::move(name)), line_(line), problems_(problems) {}

  bool Has(std::string_view key) const { return table_.contains(key); }
  std::size_t LineOf(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node ? node->source().begin.line : line_;
  }
  std::string NameOf(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
  }
  void Refuse(std::string_view key, std::string_view reason) {
    const std::size_t line = LineOf(key);
    const auto place = std::ranges::upper_bound(problems_, line, {}, &ConfigProblem::line);
    problems_.insert(place, {line, NameOf(key) + ": " + std::string(reason)});
  }

  // A value that is not there or wrong is reported and empty.
  std::string RequiredText(std::string_view key) {
    if (!Require(key)) return {};
    return Text(key).value_or("");
  }
  std::optional<std::string> Text(std::string_view key) {
    toml::node* node = Find(key);
    if (!node) return std::nullopt;
    auto* text = node->as_string();
    if (!text || text->get().empty()) {
      Refuse(key, "must be a text that is not empty");
      return std::nullopt;
    }
    return text->get();
  }
  // One or more texts, none of them empty. Empty, and reported, otherwise.
  std::vector<std::string> Texts(std::string_view key) {
    toml::node* node = Find(key);
    const toml::array* array = node ? node->as_array() : nullptr;
    std::vector<std::string> texts;
    if (array) {
      for (const toml::node& element : *array) {
        const auto* text = element.as_string();
        if (text && !text->get().empty()) texts.push_back(text->get());
      }
    }
    if (array && !array->empty() && texts.size() == array->size()) return texts;
    Refuse(key, "must be a list of texts that are not empty");
    return {};
  }
  // The file's copy is wiped.
  std::optional<Secret> TakeSecret(std::string_view key) {
    auto text = Text(key);
    if (!text) return std::nullopt;
    std::string& original = table_.get(key)->as_string()->get();
    Wipe(original.data(), original.size());
    Secret secret = Secret::CopyOf(*text);
    Wipe(text->data(), text->size());
    return secret;
  }
  bool Flag(std::string_view key, bool otherwise) {
    toml::node* node = Find(key);
    if (!node) return otherwise;
    if (auto* flag = node->as_boolean()) return flag->get();
    Refuse(key, "must be true or false");
    return otherwise;
  }
  std::int64_t Number(std::string_view key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    toml::node* node = Find(key);
    if (!node) return otherwise;
    auto* number = node->as_integer();
    if (number && number->get() >= least && number->get() <= most) return number->get();
    Refuse(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return otherwise;
  }
  template <class T>
  T OneOf(std::string_view key, T otherwise, std::initializer_list<std::pair<std::string_view, T>> choices) {
    if (!Has(key)) {
      known_.emplace(key);
      return otherwise;
    }
    const auto text = Text(key);
    if (!text) return otherwise;
    std::string names;
    for (const auto& [name, value] : choices) {
      if (name == *text) return value;
      names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    }
    Refuse(key, "must be one of " + names);
    return otherwise;
  }

  // False, and reported, if it is missing.
  bool Require(std::string_view key) {
    if (Has(key)) return true;
    known_.emplace(key);
    Refuse(key, "is missing");
    return false;
  }

  // Reads the table `key`, if it is there, to its end.
  void Table(std::string_view key, const std::function<void(TableReader&)>& read) {
    toml::node* node = Find(key);
    if (!node) return;
    if (auto* table = node->as_table()) {
      TableReader reader(*table, NameOf(key), node->source().begin.line, problems_);
      read(reader);
      reader.Finish();
    } else {
      Refuse(key, "must be a table: [" + NameOf(key) + "]");
    }
  }
  // Reads each table of the array `key`.
  void Tables(std::string_view key, const std::function<void(TableReader&)>& read) {
    toml::node* node = Find(key);
    if (!node) return;
    auto* array = node->as_array();
    if (!array || !array->is_homogeneous<toml::table>()) {
      Refuse(key, "must be a list of tables: [[" + NameOf(key) + "]]");
      return;
    }
    for (toml::node& element : *array) {
      TableReader reader(*element.as_table(), NameOf(key), element.source().begin.line, problems_);
      read(reader);
      reader.Finish();
    }
  }

  void Finish() {
    for (const auto& [key, node] : table_) {
      if (!known_.contains(key.str())) Refuse(key.str(), "is not a setting");
    }
  }

 private:
  toml::node* Find(std::string_view key) {
    known_.emplace(key);
    return table_.get(key);
  }

  toml::table& table_;
  const std::string name_;
  const std::size_t line_;
  ConfigProblems& problems_;
  std::set<std::string, std::less<>> known_;
};

// At most 1 MiB.
Result<Bytes, ConfigProblems> ReadConfigFile(const std::filesystem::path& file);

// A file that can be read, under a path meant from `folder`. Empty, and reported, otherwise.
std::filesystem::path ReadFilePath(TableReader& table, std::string_view key, const std::filesystem::path& folder);

// The text `key`, or what lies in the file `key`_file or in the environment variable `key`_env. Empty, and reported,
// unless one of them is given.
Secret ReadSecret(TableReader& table, const std::string& key, const std::filesystem::path& folder);

// `id`, and a ReadSecret "secret". `ids`: those read before, to which this one is added.
AccessKeyConfig ReadAccessKey(TableReader& table, const std::filesystem::path& folder, std::vector<std::string>& ids);

}  // namespace symbolon::node
