#include "keys/aws_kms/kms_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <vector>

#include "crypto/sigv4_signer.h"

namespace symbolon::keys::aws_kms {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kContentType = "application/x-amz-json-1.1";
constexpr std::string_view kTargetPrefix = "TrentService.";
constexpr int kAttemptsMax = 5;
constexpr std::chrono::nanoseconds kFirstBackoff = 50ms;
constexpr std::chrono::nanoseconds kBackoffMax = 500ms;
// An attempt takes half of the time that is left, so that a connection that died unnoticed leaves room for another.
constexpr std::chrono::nanoseconds kShortestAttempt = 250ms;
constexpr auto kOpenTime = 500ms;
constexpr std::size_t kJsonMemoryBytes = 4 * Https::kAnswerBytesMax;

// What is signed and sent as Host: without a port that is the scheme's own.
std::string HostOf(std::string_view endpoint) {
  const bool tls = endpoint.starts_with("https://");
  endpoint.remove_prefix(endpoint.find("://") + 3);
  const std::string_view own_port = tls ? ":443" : ":80";
  if (endpoint.ends_with(own_port)) endpoint.remove_suffix(own_port.size());
  return std::string(endpoint);
}

std::string_view TextOf(const boost::json::object& object, std::string_view member) {
  const boost::json::value* const value = object.if_contains(member);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

// Memory for a parsed answer, wiped after use.
class JsonMemory {
 public:
  JsonMemory() : octets_(kJsonMemoryBytes), resource_(octets_.data(), octets_.size()) {}
  JsonMemory(const JsonMemory&) = delete;
  JsonMemory& operator=(const JsonMemory&) = delete;
  ~JsonMemory() { Wipe(octets_.data(), octets_.size()); }
  boost::json::monotonic_resource* resource() { return &resource_; }

 private:
  std::vector<unsigned char> octets_;
  boost::json::monotonic_resource resource_;
};

KmsFailure NoAnswer(std::string detail) {
  return {.error = {KeyErrorCode::kUnavailable, std::move(detail)}, .transient = true, .out_of_reach = true};
}

}  // namespace

KmsClient::KmsClient(Options options, Clock& clock, Random& random)
    : options_(std::move(options)),
      host_(HostOf(options_.endpoint)),
      clock_(clock),
      random_(random),
      https_(options_.endpoint + "/", options_.ca_file),
      breaker_(clock, kOpenTime) {}

KeyResult<void> KmsClient::Call(std::string_view operation, const Secret& json,
                                const std::function<bool(const boost::json::object&)>& read) {
  if (!breaker_.Admit()) {
    return Err(KeyError{KeyErrorCode::kUnavailable, options_.endpoint + " has not answered a moment ago"});
  }
  const auto deadline = clock_.SinceBoot() + options_.timeout;
  for (int attempt = 1;; ++attempt) {
    const auto left = deadline - clock_.SinceBoot();
    const auto answer = Attempt(operation, json, std::min(left, std::max(left / 2, kShortestAttempt)), read);
    if (answer) {
      breaker_.Answered();
      return {};
    }
    const KmsFailure& failure = answer.error();
    const auto pause = Backoff(attempt);
    if (!failure.transient || attempt == kAttemptsMax || clock_.SinceBoot() + pause + kShortestAttempt > deadline) {
      // Trouble with one key must not hold up the others.
      failure.out_of_reach ? breaker_.Failed() : breaker_.Answered();
      return Err(failure.error);
    }
    options_.pause(pause);
  }
}

// Full jitter: from nothing to a bound that doubles.
std::chrono::nanoseconds KmsClient::Backoff(int attempt) {
  const auto bound = std::min(kBackoffMax, kFirstBackoff * (1 << (attempt - 1)));
  return bound * ReadBigEndian32(random_.Octets(4)) / (1LL << 32);
}

Result<void, KmsFailure> KmsClient::Attempt(std::string_view operation, const Secret& json,
                                            std::chrono::nanoseconds limit,
                                            const std::function<bool(const boost::json::object&)>& read) {
  const std::string target = std::string(kTargetPrefix) + std::string(operation);
  const std::string date_time = crypto::SigV4DateTime(clock_.Now());
  const std::string authorization = crypto::SigV4Authorization(
      {.host = host_, .content_type = kContentType, .target = target, .body = json.view()},
      {.region = options_.region, .service = "kms"}, options_.access_key_id, options_.secret_access_key, date_time);
  const auto answer =
      https_.Post({fmt::format("Host: {}", host_), fmt::format("Content-Type: {}", kContentType),
                   "X-Amz-Date: " + date_time, "X-Amz-Target: " + target, "Authorization: " + authorization,
                   "Accept: application/json", "User-Agent: symbolon", "Expect:"},
                  json.view(), std::max(std::chrono::ceil<std::chrono::milliseconds>(limit), 1ms));
  if (!answer) return Err(NoAnswer(answer.error()));

  JsonMemory memory;
  boost::system::error_code error;
  const boost::json::value parsed = boost::json::parse(answer->body.view(), error, memory.resource());
  const boost::json::object* const object = error ? nullptr : parsed.if_object();
  if (answer->status != 200) {
    if (object == nullptr) return Err(TranslateKmsError(answer->status, "", ""));
    std::string_view message = TextOf(*object, "message");
    if (message.empty()) message = TextOf(*object, "Message");
    return Err(TranslateKmsError(answer->status, TextOf(*object, "__type"), message));
  }
  if (object != nullptr && read(*object)) return {};
  return Err(KmsFailure{.error = {KeyErrorCode::kUnavailable,
                                  fmt::format("{}: the answer to {} cannot be read", options_.endpoint, operation)},
                        .transient = true});
}

}  // namespace symbolon::keys::aws_kms
