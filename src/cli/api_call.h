// Calls of SymbolonService, signed as AWS SDKs sign (Signature Version 4).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"
#include "cli/failure.h"

namespace symbolon::cli {

// A Region's API, and who calls it.
struct ApiAccess {
  std::string host;
  std::uint16_t port = 0;
  // Of the signature: any Region of the topology.
  std::string region;
  std::string access_key_id;
  Secret secret_access_key;
};

// The answer's JSON. Blocks, at most `timeout`. An error of the service is a failure with its name and message.
CliResult<std::string> CallApi(const ApiAccess& access, std::string_view operation, const std::string& json,
                               Timestamp now, std::chrono::milliseconds timeout);

}  // namespace symbolon::cli
