#include "oauth/discovery.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <set>

namespace symbolon::oauth {
namespace {

namespace json = boost::json;

// The algorithms of the published keys, each once.
json::array Algorithms(const directory::pb::PublicRecord& published) {
  std::set<std::string> algorithms;
  for (const std::string& text : published.jwks()) {
    boost::system::error_code error;
    const json::value jwk = json::parse(text, error);
    if (error || !jwk.is_object()) continue;
    if (const json::value* alg = jwk.as_object().if_contains("alg"); alg != nullptr && alg->is_string()) {
      algorithms.emplace(alg->as_string());
    }
  }
  return json::array(algorithms.begin(), algorithms.end());
}

}  // namespace

std::string DomainBaseUrl(std::string_view base_url, const directory::pb::PublicRecord& published) {
  if (published.custom_domain()) return "https://" + published.domain();
  return std::string(base_url) + "/_domain/" + published.domain();
}

std::optional<std::string> DiscoveryDocument(const directory::RegionSettings& settings, const PoolId& pool,
                                             const directory::pb::PublicRecord& published) {
  const auto known = directory::IssuerOf(settings, pool, published.issuer());
  if (!known) return std::nullopt;
  const std::string& issuer = *known;
  json::object document;
  if (!published.domain().empty()) {
    const std::string base = DomainBaseUrl(issuer.substr(0, issuer.rfind('/')), published);
    document["authorization_endpoint"] = base + "/oauth2/authorize";
    document["end_session_endpoint"] = base + "/logout";
    document["code_challenge_methods_supported"] = json::array{"S256"};
    document["token_endpoint"] = base + "/oauth2/token";
    document["token_endpoint_auth_methods_supported"] =
        json::array{"client_secret_basic", "client_secret_post", "none"};
    document["grant_types_supported"] = json::array{"authorization_code", "refresh_token", "client_credentials"};
  }
  document["id_token_signing_alg_values_supported"] = Algorithms(published);
  document["issuer"] = issuer;
  document["jwks_uri"] = issuer + "/.well-known/jwks.json";
  document["response_types_supported"] = json::array{"code"};
  document["scopes_supported"] = json::array{"openid", "email", "phone", "profile"};
  document["subject_types_supported"] = json::array{"public"};
  return json::serialize(document);
}

}  // namespace symbolon::oauth
