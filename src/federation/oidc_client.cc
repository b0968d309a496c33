#include "federation/oidc_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace symbolon::federation {
namespace {

namespace json = boost::json;
using directory::pb::IdentityProviderRecord;

constexpr std::size_t kDetailBytesMax = 300;

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::optional<json::object> ParseObject(std::string_view text) {
  json::parse_options options;
  options.max_depth = 16;
  json::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

OidcError Failed(std::string description, std::string detail, bool passes = false) {
  if (detail.size() > kDetailBytesMax) detail.resize(kDetailBytesMax);
  return {.description = std::move(description), .detail = std::move(detail), .passes = passes};
}

OidcError Translate(const FetchError& error, std::string_view what) {
  switch (error.code) {
    case FetchError::Code::kTimeout:
      return Failed(fmt::format("Timeout occurred in calling IdP {}", what), error.detail, true);
    case FetchError::Code::kRefused:
      return Failed(fmt::format("The IdP {} may not be called", what), error.detail);
    case FetchError::Code::kFailed:
      return Failed(fmt::format("The IdP {} cannot be reached", what), error.detail, true);
  }
  return Failed({}, error.detail);
}

bool Lists(const json::object& document, std::string_view name, std::string_view value) {
  const json::value* list = document.if_contains(name);
  return list != nullptr && list->is_array() && std::ranges::any_of(list->get_array(), [&](const json::value& entry) {
           return entry.is_string() && entry.get_string() == value;
         });
}

template <class Map>
void MakeRoom(Map& map, std::size_t most) {
  if (map.size() >= most) map.erase(map.begin());
}

}  // namespace

std::string EncodeForm(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += '&';
    text += boost::urls::encode(name, boost::urls::unreserved_chars);
    text += '=';
    text += boost::urls::encode(value, boost::urls::unreserved_chars);
  }
  return text;
}

std::string WithQuery(std::string_view url, const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string fragment;
  if (const std::size_t hash = url.find('#'); hash != std::string_view::npos) {
    fragment = url.substr(hash);
    url = url.substr(0, hash);
  }
  std::string text(url);
  const std::string query = EncodeForm(parameters);
  if (!query.empty()) text += (text.find('?') == std::string::npos ? "?" : "&") + query;
  return text + fragment;
}

Result<Bytes, OidcError> OidcClient::Get(const std::string& url, std::string_view what) {
  auto answer = fetcher_.Fetch({.url = url});
  if (!answer) return Err(Translate(answer.error(), what));
  if (answer->status != 200) {
    return Err(Failed(fmt::format("The IdP {} answered {}", what, answer->status),
                      fmt::format("{}: {}", url, answer->status), answer->status >= 500));
  }
  return std::move(answer->body);
}

Result<Metadata, OidcError> OidcClient::Discover(const std::string& issuer) {
  const std::string base = issuer.ends_with('/') ? issuer.substr(0, issuer.size() - 1) : issuer;
  SYMBOLON_TRY(const Bytes body, Get(base + "/.well-known/openid-configuration", "discovery endpoint"));
  const auto document = ParseObject(body);
  if (!document) return Err(Failed("The IdP discovery document is not JSON", issuer));
  // Discovery §4.3: otherwise one issuer could speak for another.
  if (Text(*document, "issuer") != issuer) {
    return Err(Failed("The IdP discovery document names another issuer", Text(*document, "issuer")));
  }
  const json::value* names_itself = document->if_contains("authorization_response_iss_parameter_supported");
  return Metadata{.authorize_url = Text(*document, "authorization_endpoint"),
                  .token_url = Text(*document, "token_endpoint"),
                  .jwks_uri = Text(*document, "jwks_uri"),
                  .attributes_url = Text(*document, "userinfo_endpoint"),
                  .pkce = Lists(*document, "code_challenge_methods_supported", "S256"),
                  .names_itself = names_itself != nullptr && names_itself->is_bool() && names_itself->get_bool()};
}

Result<Metadata, OidcError> OidcClient::DiscoverAtTimes(const std::string& issuer, std::chrono::nanoseconds now) {
  {
    const std::lock_guard lock(mutex_);
    const auto failed = failures_.find(issuer);
    if (failed != failures_.end() && now < failed->second.tried_at + kRefetchInterval) return Err(failed->second.value);
  }
  auto discovered = Discover(issuer);
  const std::lock_guard lock(mutex_);
  if (discovered) {
    failures_.erase(issuer);
  } else {
    MakeRoom(failures_, kRememberedMax);
    failures_[issuer] = {.value = discovered.error(), .fetched_at = now, .tried_at = now};
  }
  return discovered;
}

Result<Metadata, OidcError> OidcClient::MetadataOf(const IdentityProviderRecord& provider) {
  Metadata metadata;
  const bool complete = !provider.authorize_url().empty() && !provider.token_url().empty() &&
                        !provider.attributes_url().empty() && !provider.jwks_uri().empty();
  if (!complete) {
    const std::string& issuer = provider.issuer();
    const auto now = clock_.SinceBoot();
    std::optional<Remembered<Metadata>> known;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = metadata_.find(issuer); found != metadata_.end()) known = found->second;
    }
    if (!known || now >= known->fetched_at + kFreshFor) {
      auto fetched = DiscoverAtTimes(issuer, now);
      if (fetched) {
        const std::lock_guard lock(mutex_);
        MakeRoom(metadata_, kRememberedMax);
        metadata_[issuer] = {.value = *fetched, .fetched_at = now, .tried_at = now};
        metadata = *std::move(fetched);
      } else if (known && fetched.error().passes && now < known->fetched_at + kStaleFor) {
        metadata = known->value;
      } else {
        return Err(std::move(fetched).error());
      }
    } else {
      metadata = known->value;
    }
  }
  const auto prefer = [](std::string& into, const std::string& own) {
    if (!own.empty()) into = own;
  };
  prefer(metadata.authorize_url, provider.authorize_url());
  prefer(metadata.token_url, provider.token_url());
  prefer(metadata.attributes_url, provider.attributes_url());
  prefer(metadata.jwks_uri, provider.jwks_uri());
  if (metadata.authorize_url.empty() || metadata.token_url.empty() || metadata.jwks_uri.empty()) {
    return Err(Failed("The IdP does not say where its endpoints are", provider.issuer()));
  }
  return metadata;
}

Result<OidcClient::Keys, OidcError> OidcClient::KeysAt(const std::string& jwks_uri) {
  auto answer = fetcher_.Fetch({.url = jwks_uri});
  if (!answer && answer.error().code == FetchError::Code::kTimeout)
    return Err(Failed("Timeout in calling jwks uri", answer.error().detail, true));
  if (!answer) return Err(Translate(answer.error(), "jwks uri"));
  if (answer->status != 200) {
    return Err(Failed(fmt::format("The IdP jwks uri answered {}", answer->status), jwks_uri, answer->status >= 500));
  }
  auto keys = ParseJwks(answer->body);
  if (!keys) return Err(Failed("The IdP jwks uri has no key set", jwks_uri));
  return *std::move(keys);
}

Result<ProviderKey, OidcError> OidcClient::KeyNamed(const std::string& jwks_uri, const std::string& kid) {
  const auto now = clock_.SinceBoot();
  const auto find = [&](const Keys& keys) -> const ProviderKey* {
    const auto found = std::ranges::find(keys, kid, &ProviderKey::kid);
    return found == keys.end() ? nullptr : &*found;
  };
  std::optional<Remembered<Keys>> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = keys_.find(jwks_uri); found != keys_.end()) {
      known = found->second;
      const bool is_fresh = now < known->fetched_at + kFreshFor;
      const bool may_ask = now >= known->tried_at + kRefetchInterval;
      const bool is_known = find(known->value) != nullptr;
      if (is_known && (is_fresh || (!may_ask && now < known->fetched_at + kStaleFor))) return *find(known->value);
      if (!may_ask) return Err(Failed("The IdP has no such key", kid));
      found->second.tried_at = now;
    }
  }
  auto fetched = KeysAt(jwks_uri);
  if (!fetched) {
    const bool usable = known && fetched.error().passes && now < known->fetched_at + kStaleFor;
    if (const ProviderKey* key = usable ? find(known->value) : nullptr) return *key;
    return Err(std::move(fetched).error());
  }
  const ProviderKey* key = find(*fetched);
  Result<ProviderKey, OidcError> answer = Err(Failed("The IdP has no such key", kid));
  if (key != nullptr) answer = *key;
  const std::lock_guard lock(mutex_);
  MakeRoom(keys_, kRememberedMax);
  keys_[jwks_uri] = {.value = *std::move(fetched), .fetched_at = now, .tried_at = now};
  return answer;
}

Result<std::vector<ProviderKey>, OidcError> OidcClient::FetchKeys(const IdentityProviderRecord& provider) {
  SYMBOLON_TRY(const Metadata metadata, MetadataOf(provider));
  return KeysAt(metadata.jwks_uri);
}

Result<json::object, OidcError> OidcClient::Ask(const IdentityProviderRecord& provider, const Metadata& metadata,
                                                const std::string& access_token, const std::string& subject) {
  FetchRequest request{.url = metadata.attributes_url, .bearer = access_token};
  if (provider.attributes_request_method() == "POST") request.form = Bytes();
  auto answer = fetcher_.Fetch(request);
  if (!answer) return Err(Translate(answer.error(), "userInfo endpoint"));
  if (answer->status != 200) {
    return Err(Failed(fmt::format("{} Error - {} error getting userInfo", provider.name(), answer->status), request.url,
                      answer->status >= 500));
  }
  auto claims = ParseObject(answer->body);
  if (!claims) return Err(Failed("The IdP userInfo answer is not JSON", request.url));
  // OpenID Connect Core §5.3.2: otherwise it may be about somebody else.
  if (Text(*claims, "sub") != subject)
    return Err(Failed("The IdP userInfo answer is about somebody else", request.url));
  return *std::move(claims);
}

Result<Assertion, OidcError> OidcClient::Redeem(const IdentityProviderRecord& provider, const std::string& code,
                                                const SentNonces& sent) {
  SYMBOLON_TRY(const Metadata metadata, MetadataOf(provider));

  // 1. The code, for tokens. client_secret_post, as Cognito does.
  std::vector<std::pair<std::string, std::string>> form{{"grant_type", "authorization_code"},
                                                        {"code", code},
                                                        {"redirect_uri", sent.redirect_uri},
                                                        {"client_id", provider.client_id()}};
  if (!provider.client_secret().empty()) form.emplace_back("client_secret", provider.client_secret());
  if (!sent.code_verifier.empty()) form.emplace_back("code_verifier", sent.code_verifier);
  auto answer = fetcher_.Fetch({.url = metadata.token_url, .form = EncodeForm(form)});
  if (!answer) return Err(Translate(answer.error(), "token endpoint"));
  const auto body = ParseObject(answer->body);
  if (answer->status != 200) {
    return Err(Failed(fmt::format("{} Error - {} error getting token", provider.name(), answer->status),
                      body ? Text(*body, "error") : std::string(), answer->status >= 500));
  }
  const std::string id_token = body ? Text(*body, "id_token") : std::string();
  if (id_token.empty()) return Err(Failed("The IdP answered without an ID token", metadata.token_url));

  // 2. The ID token.
  const auto refused = [&](IdTokenError error) {
    return Err(Failed("The IdP's ID token is not valid",
                      fmt::format("ID token of provider {}: {}", provider.name(), Name(error))));
  };
  const auto kid = KeyIdOf(id_token);
  if (!kid) return refused(kid.error());
  SYMBOLON_TRY(const ProviderKey key, KeyNamed(metadata.jwks_uri, *kid));
  const auto verified = VerifyIdToken(
      id_token, key,
      {.issuer = provider.issuer(), .audience = provider.client_id(), .nonce = sent.nonce, .now = clock_.Now()});
  if (!verified) return refused(verified.error());

  // 3. What it does not say, if the mapping wants it.
  json::object more;
  const std::string access_token = Text(*body, "access_token");
  if (!metadata.attributes_url.empty() && !access_token.empty() && NeedsAnswer(provider, verified->claims)) {
    SYMBOLON_TRY(more, Ask(provider, metadata, access_token, verified->subject));
  }
  return Assertion{.subject = verified->subject,
                   .attributes = MapClaims(provider, verified->claims, more),
                   .id_token = id_token,
                   .jwk = key.jwk};
}

}  // namespace symbolon::federation
