// Calls of the JSON APIs, signed as AWS SDKs sign (Signature Version 4).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"
#include "cli/failure.h"
#include "cli/http_client.h"

namespace symbolon::cli {

// A Region's API, and who calls it.
struct ApiAccess {
  HttpServer server;
  // Of the signature: any Region of the topology.
  std::string region;
  std::string access_key_id;
  Secret secret_access_key;
};

inline constexpr std::string_view kCognitoPrefix = "AWSCognitoIdentityProviderService.";
inline constexpr std::string_view kOwnPrefix = "SymbolonService.";
inline constexpr std::string_view kKmsPrefix = "TrentService.";

// A pool is handed over, and that its next primary has begun is not heard yet. Asking again is safe.
inline constexpr std::string_view kPromotionPending = "PromotionPendingException";

// What came of a call.
struct ApiAnswer {
  // 0: there was no answer, and whether the call was served is not known; `message` says why there was none.
  int status = 0;
  // JSON.
  std::string body;
  // Of an error: "ResourceNotFoundException" and what goes with it.
  std::string error;
  std::string message;

  bool ok() const { return status == 200; }
  // It may have happened, or not: there was no answer, or the service broke off.
  bool IsOpen() const;
  // "ResourceNotFoundException: ..."
  std::string Complaint() const;
};

// Calls over one connection. Not thread-safe.
class ApiConnection {
 public:
  ApiConnection(const ApiAccess& access, Clock& clock);

  // `operation` with its prefix. Blocks, at most `timeout`.
  ApiAnswer Call(std::string_view operation, std::string json, std::chrono::milliseconds timeout);
  // Without a signature, as an app calls.
  ApiAnswer CallUnsigned(std::string_view operation, std::string json, std::chrono::milliseconds timeout);

 private:
  ApiAnswer Send(std::string_view operation, HttpHeaders headers, std::string json, std::chrono::milliseconds timeout);

  const std::string host_header_;
  const std::string region_;
  const std::string access_key_id_;
  const Secret secret_access_key_;
  Clock& clock_;
  HttpConnection connection_;
};

// One call, of SymbolonService unless `prefix` says otherwise, over a connection of its own: the answer's JSON. An
// error of the service is a failure with its name and message.
CliResult<std::string> CallApi(const ApiAccess& access, std::string_view operation, const std::string& json,
                               Clock& clock, std::chrono::milliseconds timeout, std::string_view prefix = kOwnPrefix);

}  // namespace symbolon::cli
