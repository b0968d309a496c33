// Verifies AWS Signature Version 4 in the Authorization header ("Create a signed AWS API request", AWS IAM User Guide).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "http/message.h"

namespace symbolon::http {

struct AccessKey {
  Secret secret;
  // Whose it is; empty for the account's root.
  std::string owner = {};
};

// Who may sign. Thread-safe.
class AccessKeys {
 public:
  virtual ~AccessKeys() = default;
  // nullopt for an id that is not known (any more).
  virtual std::optional<AccessKey> Find(std::string_view access_key_id) const = 0;
};

enum class SigV4Code {
  kMissing,           // not signed at all
  kIncomplete,        // no well-formed Authorization header, or no date
  kInvalidSignature,  // another key, body, header, or something that must be signed is not
  kExpired,           // signed longer ago, or further ahead, than five minutes
  kUnknownKey,        // no such access key, or a session token, which nobody gave out here
  kBadScope,          // for another date, Region or service
};

struct SigV4Error {
  SigV4Code code;
  // For the client, in AWS's words. Holds nothing but what the client sent, and times.
  std::string message;
};

struct SigV4Caller {
  std::string access_key_id;
  // Of the scope.
  std::string region;
  std::string service;
  // AccessKey::owner.
  std::string owner = {};
  bool operator==(const SigV4Caller&) const = default;
};

// Thread-safe.
//
// A signature covers the path with dot segments and doubled slashes removed: whoever routes by path must take a path
// that has them for another than the one that was signed. Query strings signed instead of a header (presigned URLs) are
// not accepted, nor are unsigned or chunk-signed payloads.
class SigV4Verifier {
 public:
  // `access_keys` and `clock` must outlive the verifier. `regions`: those whose scope is accepted.
  SigV4Verifier(std::vector<std::string> regions, const AccessKeys& access_keys, Clock& clock);

  // Requires Host, the date and, where present, X-Amz-Target and X-Amz-Content-Sha256's agreement with the body;
  // accepts a scope of any of `services`.
  Result<SigV4Caller, SigV4Error> Verify(const Request& request, std::span<const std::string_view> services) const;
  // The same for a request that came at `arrived`: the age of its signature is that which it had then.
  Result<SigV4Caller, SigV4Error> VerifyAt(const Request& request, std::span<const std::string_view> services,
                                           Timestamp arrived) const;

 private:
  struct Authorization;
  // Derived from the secret access key for one day, Region and service (four HMACs), and good for many requests.
  class SigningKeys {
   public:
    std::shared_ptr<const crypto::HmacKey> Get(const Secret& secret, std::string_view date, const SigV4Caller& scope);

   private:
    std::mutex mutex_;
    // By digest of the secret and by scope, so that a new secret has a new key. Guarded by mutex_.
    std::map<Bytes, std::shared_ptr<const crypto::HmacKey>> keys_;
  };

  const std::vector<std::string> regions_;
  const AccessKeys& access_keys_;
  Clock& clock_;
  mutable SigningKeys signing_keys_;
};

// The canonical request: method, path, query, the signed headers (in the order given) and the payload's hash.
std::string SigV4CanonicalRequest(const Request& request, std::span<const std::string_view> signed_headers,
                                  std::string_view payload_hash_hex);

}  // namespace symbolon::http
