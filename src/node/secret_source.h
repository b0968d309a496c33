// A secret that the configuration does not hold but says where it is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace symbolon::node {

// At most one of them.
struct SecretSource {
  std::filesystem::path file = {};
  // The name of an environment variable.
  std::string variable = {};
  std::optional<int> descriptor = {};

  bool given() const { return !file.empty() || !variable.empty() || descriptor.has_value(); }
};

// A line end behind the secret is not part of it. A file that others than its owner may read is refused, as is a secret
// of no or more than 1024 octets. A descriptor is read to its end and closed, so it can be read once only. The error
// is for the operator.
Result<Secret, std::string> ReadSecret(const SecretSource& source);

}  // namespace symbolon::node
