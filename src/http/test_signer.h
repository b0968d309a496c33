// Signs requests as an AWS SDK does, written apart from the verifier so that the two can be held against each other.
// Test support.
#pragma once

#include <string_view>

#include "http/message.h"

namespace symbolon::http {

struct TestSigner {
  std::string_view access_key_id;
  std::string_view secret;
  std::string_view region;
  std::string_view service;

  // Adds X-Amz-Date and Authorization; signs every header there is. The target's path must need no normalising, and its
  // query must be empty.
  void Sign(Request& request, Timestamp now) const;
};

}  // namespace symbolon::http
