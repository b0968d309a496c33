// Signs requests with AWS Signature Version 4, as an SDK does ("Create a signed AWS API request", AWS IAM User Guide).
// For paths that need no encoding and requests without a query. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace symbolon::bench {

using HeaderField = std::pair<std::string, std::string>;

class AwsSigner {
 public:
  struct Scope {
    std::string access_key_id;
    std::string secret_access_key;
    std::string region;
    std::string service;
  };

  explicit AwsSigner(Scope scope) : scope_(std::move(scope)) {}

  // The fields to add: X-Amz-Date and Authorization. `headers` are all signed and must have Host.
  std::vector<HeaderField> Sign(std::string_view method, std::string_view path, const std::vector<HeaderField>& headers,
                                std::string_view body, Timestamp now);

 private:
  const Bytes& KeyOf(const std::string& date);

  const Scope scope_;
  // Of one day, which seldom ends.
  std::string key_date_;
  Bytes key_;
};

}  // namespace symbolon::bench
