// What is known of a request, for the conditions and variables of policies.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace symbolon::policy {

// ASCII letters only, as names of actions and context keys compare.
std::string LowerCase(std::string_view text);

// Condition keys and their values, as text. Names compare without regard to case. Not thread-safe while it changes.
class Context {
 public:
  // One more value of a key. A key that never holds more than one value may still get several, when names differ in
  // case only (members of an encryption context).
  void Add(std::string_view key, std::string value);
  // A key that is there, perhaps without any value.
  void SetAll(std::string_view key, std::vector<std::string> values);
  void SetFlag(std::string_view key, bool value) { SetAll(key, {value ? "true" : "false"}); }
  // aws:CurrentTime and aws:EpochTime.
  void SetTime(Timestamp now);

  // By the name in lower case; nullptr if the request has no such key.
  const std::vector<std::string>* Find(std::string_view lower_case_key) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace symbolon::policy
