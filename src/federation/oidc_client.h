// This service as a relying party of an OpenID Connect provider (OpenID Connect Core, Discovery 1.0, RFC 7636).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "directory/records.pb.h"
#include "federation/fetch.h"
#include "federation/id_token.h"
#include "federation/jwks.h"
#include "federation/mapping.h"

namespace symbolon::federation {

// A provider's endpoints: those that its record names, and for the others what its discovery document says.
struct Metadata {
  std::string authorize_url, token_url, jwks_uri;
  // Empty: it has none.
  std::string attributes_url;
  // Whether it says that it knows PKCE with S256.
  bool pkce = false;
  // Whether its answers name it (RFC 9207).
  bool names_itself = false;
};

// What went wrong at a provider; `description` is for the client application and its user (error_description), `detail`
// for the operator's log.
struct OidcError {
  std::string description;
  std::string detail;
  // Whether the same may go well later: no answer, or one of a server in trouble.
  bool passes = false;
};

// What a provider said of somebody, verified.
struct Assertion {
  std::string subject;
  MappedAttributes attributes;
  std::string id_token;
  // The key that verified it, as ProviderKey::jwk.
  std::string jwk;
};

// What is remembered from the way to the provider.
struct SentNonces {
  std::string redirect_uri;
  std::string nonce;
  // Empty: without PKCE.
  std::string code_verifier;
};

// Thread-safe; methods block while they ask, bounded by the fetcher. Remembers endpoints and keys: fresh ones for
// kFreshFor, and while the provider does not answer for kStaleFor. A key that is not among them, and a provider that
// could not be asked for its endpoints, are looked for at most every kRefetchInterval, whoever wants it.
class OidcClient {
 public:
  static constexpr std::chrono::minutes kFreshFor{10};
  static constexpr std::chrono::hours kStaleFor{24};
  static constexpr std::chrono::seconds kRefetchInterval{15};
  static constexpr std::size_t kRememberedMax = 512;

  OidcClient(Fetcher& fetcher, Clock& clock) : fetcher_(fetcher), clock_(clock) {}

  Result<Metadata, OidcError> MetadataOf(const directory::pb::IdentityProviderRecord& provider);

  // Redeems the provider's code and verifies what comes of it.
  Result<Assertion, OidcError> Redeem(const directory::pb::IdentityProviderRecord& provider, const std::string& code,
                                      const SentNonces& sent);

  // The provider's keys, asked for now.
  Result<std::vector<ProviderKey>, OidcError> FetchKeys(const directory::pb::IdentityProviderRecord& provider);

 private:
  template <class T>
  struct Remembered {
    T value;
    std::chrono::nanoseconds fetched_at{};
    std::chrono::nanoseconds tried_at{};
  };
  using Keys = std::vector<ProviderKey>;

  Result<Bytes, OidcError> Get(const std::string& url, std::string_view what);
  Result<Metadata, OidcError> Discover(const std::string& issuer);
  // What Discover said, now or within the last kRefetchInterval if it failed.
  Result<Metadata, OidcError> DiscoverAtTimes(const std::string& issuer, std::chrono::nanoseconds now);
  Result<Keys, OidcError> KeysAt(const std::string& jwks_uri);
  Result<ProviderKey, OidcError> KeyNamed(const std::string& jwks_uri, const std::string& kid);
  Result<boost::json::object, OidcError> Ask(const directory::pb::IdentityProviderRecord& provider,
                                             const Metadata& metadata, const std::string& access_token,
                                             const std::string& subject);

  Fetcher& fetcher_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Remembered<Metadata>> metadata_;   // by issuer; guarded by mutex_
  std::map<std::string, Remembered<OidcError>> failures_;  // of discovery, by issuer; guarded by mutex_
  std::map<std::string, Remembered<Keys>> keys_;           // by jwks_uri; guarded by mutex_
};

// `url` with more parameters.
std::string WithQuery(std::string_view url, const std::vector<std::pair<std::string, std::string>>& parameters);
// application/x-www-form-urlencoded.
std::string EncodeForm(const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace symbolon::federation
