// Names of KMS keys: arn:aws:kms:<Region>:<account>:key/<id>. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace symbolon::keys {

struct KeyArn {
  std::string partition = "aws";
  Region region;
  std::string account;
  std::string key_id;

  std::string ToString() const;
  bool operator==(const KeyArn&) const = default;
};

// nullopt for anything else, aliases included.
std::optional<KeyArn> ParseKeyArn(std::string_view text);

// "mrk-" and 32 hexadecimal digits.
bool IsMultiRegionKeyId(std::string_view key_id);

// The same key in another Region: a multi-Region key differs in its Region only; another key is what it is.
std::string KeyArnInRegion(std::string_view arn, const Region& region);

}  // namespace symbolon::keys
