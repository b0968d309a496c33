// HTTP requests to identity providers. Their addresses come from a pool's administrator, who is not the node's: whoever
// fetches for a pool goes nowhere else than told, and takes no more than it has room for.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace symbolon::federation {

struct FetchRequest {
  std::string url;
  // POST with this form (application/x-www-form-urlencoded); nullopt: GET.
  std::optional<Bytes> form = {};
  // Of an Authorization header; empty: none.
  std::string bearer = {};
};

struct FetchAnswer {
  int status = 0;
  Bytes body;
};

struct FetchError {
  enum class Code {
    // No whole answer in time.
    kTimeout,
    // Not an address that may be asked: not https, or a part of the network that is closed to pools.
    kRefused,
    // All else: no connection, no trust in its certificate, an answer that is too large.
    kFailed,
  };
  Code code = Code::kFailed;
  std::string detail;  // for the operator's log
};

// Thread-safe.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // Blocks, bounded. Redirections are answers.
  virtual Result<FetchAnswer, FetchError> Fetch(const FetchRequest& request) = 0;
};

}  // namespace symbolon::federation
