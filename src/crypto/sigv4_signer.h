// Signs requests with AWS Signature Version 4 ("Create a signed AWS API request", AWS IAM User Guide).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"

namespace symbolon::crypto {

struct SigV4Scope {
  std::string_view region;
  std::string_view service;
};

// What a JSON API is asked: POST of a body to the path "/", without a query.
struct SigV4Request {
  // As it is sent: with the port, unless it is the scheme's own.
  std::string_view host;
  std::string_view content_type;
  // X-Amz-Target.
  std::string_view target;
  BytesView body;
};

// "20261128T110000Z", as X-Amz-Date shows it.
std::string SigV4DateTime(Timestamp now);

// The Authorization header of a request that carries Host, Content-Type, X-Amz-Date (`date_time`) and X-Amz-Target, all
// of them signed. Thread-safe.
std::string SigV4Authorization(const SigV4Request& request, const SigV4Scope& scope, std::string_view access_key_id,
                               const Secret& secret_access_key, std::string_view date_time);

}  // namespace symbolon::crypto
