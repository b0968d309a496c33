#include "keys/aws_kms/kms_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace symbolon::keys::aws_kms {
namespace {

constexpr std::size_t kMessageBytesMax = 500;

// Of the operations' and the common errors (AWS KMS API Reference), those that say something of the key, or of us.
constexpr std::array<std::pair<std::string_view, KeyErrorCode>, 18> kVerdicts = {{
    {"NotFoundException", KeyErrorCode::kNotFound},
    {"InvalidArnException", KeyErrorCode::kNotFound},
    {"DisabledException", KeyErrorCode::kDisabled},
    {"KMSInvalidStateException", KeyErrorCode::kDisabled},
    {"InvalidCiphertextException", KeyErrorCode::kInvalidCiphertext},
    {"IncorrectKeyException", KeyErrorCode::kInvalidCiphertext},
    {"AccessDeniedException", KeyErrorCode::kAccessDenied},
    {"AccessDenied", KeyErrorCode::kAccessDenied},
    {"InvalidKeyUsageException", KeyErrorCode::kAccessDenied},
    {"InvalidGrantTokenException", KeyErrorCode::kAccessDenied},
    {"NotAuthorized", KeyErrorCode::kAccessDenied},
    {"OptInRequired", KeyErrorCode::kAccessDenied},
    {"UnrecognizedClientException", KeyErrorCode::kAccessDenied},
    {"InvalidClientTokenId", KeyErrorCode::kAccessDenied},
    {"InvalidSignatureException", KeyErrorCode::kAccessDenied},
    {"IncompleteSignature", KeyErrorCode::kAccessDenied},
    {"MissingAuthenticationToken", KeyErrorCode::kAccessDenied},
    {"MissingAuthenticationTokenException", KeyErrorCode::kAccessDenied},
}};

constexpr std::array<std::string_view, 9> kTransient = {
    "ThrottlingException",     "Throttling",           "RequestLimitExceeded",
    "LimitExceededException",  "KMSInternalException", "DependencyTimeoutException",
    "KeyUnavailableException", "ServiceUnavailable",   "InternalFailure",
};

std::string_view BareType(std::string_view type) {
  if (const auto hash = type.rfind('#'); hash != std::string_view::npos) type.remove_prefix(hash + 1);
  return type.substr(0, type.find(':'));
}

std::optional<KeyErrorCode> VerdictOf(std::string_view type, std::string_view message) {
  const auto found = std::ranges::find(kVerdicts, type, &std::pair<std::string_view, KeyErrorCode>::first);
  if (found == kVerdicts.end()) return std::nullopt;
  // A clock that is off, theirs or ours, is nobody's refusal.
  if (type == "InvalidSignatureException" && (message.contains("expired") || message.contains("not yet current"))) {
    return std::nullopt;
  }
  if (type == "KMSInvalidStateException" && message.contains("pending deletion")) {
    return KeyErrorCode::kPendingDeletion;
  }
  return found->second;
}

}  // namespace

KmsFailure TranslateKmsError(int status, std::string_view type, std::string_view message) {
  type = BareType(type);
  KmsFailure failure{.error = {KeyErrorCode::kUnavailable,
                               fmt::format("{} {}: {}", status, type.empty() ? std::string_view("no error name") : type,
                                           message.substr(0, kMessageBytesMax))}};
  if (const auto verdict = VerdictOf(type, message)) {
    failure.error.code = *verdict;
  } else {
    failure.out_of_reach = type.empty() && status >= 500;  // A proxy's or a balancer's word.
    failure.transient = status >= 500 || status == 429 || std::ranges::find(kTransient, type) != kTransient.end();
  }
  return failure;
}

}  // namespace symbolon::keys::aws_kms
