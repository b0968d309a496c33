// The words that policies may use: what is not known here is refused when a policy is set, so that a slip of the pen
// never is a rule that says nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace symbolon::policy {

// The actions of each service by its prefix: {"kms": {"Decrypt", ...}, ...}. Immutable once it is made.
class Vocabulary {
 public:
  explicit Vocabulary(std::map<std::string, std::vector<std::string>> actions);

  // Whether an action as policies write it ("kms:Decrypt", "kms:*Key", "*") names any; without regard to case.
  bool NamesAction(std::string_view pattern) const;

 private:
  // In lower case, with their prefix.
  std::vector<std::string> actions_;
};

enum class KeyType { kString, kArn, kBool, kNumber, kDate, kIpAddress };

struct ContextKey {
  KeyType type = KeyType::kString;
  // Conditions on it need ForAnyValue or ForAllValues.
  bool multivalued = false;
};

// The condition keys that requests may have here (docs/access.md lists them). nullopt: not known. Without regard to
// case.
std::optional<ContextKey> FindContextKey(std::string_view name);

}  // namespace symbolon::policy
