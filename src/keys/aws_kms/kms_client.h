// Calls of the AWS KMS API, signed, and repeated while that may help.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"
#include "keys/aws_kms/https.h"
#include "keys/aws_kms/kms_errors.h"
#include "keys/circuit_breaker.h"

namespace symbolon::keys::aws_kms {

// Thread-safe.
class KmsClient {
 public:
  struct Options {
    // "https://kms.eu-central-1.amazonaws.com": scheme, host, perhaps a port.
    std::string endpoint;
    // Of the signatures' scope.
    std::string region;
    std::string access_key_id;
    Secret secret_access_key;
    // PEM of those who may sign the endpoint's certificate; empty for the system's.
    std::filesystem::path ca_file = {};
    // Of a call with all its attempts.
    std::chrono::milliseconds timeout{2000};
    // Waits between two attempts.
    std::function<void(std::chrono::nanoseconds)> pause;
  };

  // `clock` and `random` outlive it.
  KmsClient(Options options, Clock& clock, Random& random);

  // Posts a JSON object and hands the answer's to `read`, which says whether it is what it should be; both are wiped
  // afterwards. After an attempt that failed for want of an answer there are more, at growing random intervals, within
  // the time-out; after a call that did not reach the service none is tried for half a second. Errors: what
  // TranslateKmsError says.
  KeyResult<void> Call(std::string_view operation, const Secret& json,
                       const std::function<bool(const boost::json::object&)>& read);

 private:
  Result<void, KmsFailure> Attempt(std::string_view operation, const Secret& json, std::chrono::nanoseconds limit,
                                   const std::function<bool(const boost::json::object&)>& read);
  std::chrono::nanoseconds Backoff(int attempt);

  const Options options_;
  const std::string host_;
  Clock& clock_;
  Random& random_;
  Https https_;
  CircuitBreaker breaker_;
};

}  // namespace symbolon::keys::aws_kms
