// For tests: an OpenID Connect provider without a network.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "crypto/jws.h"
#include "crypto/signing_key.h"
#include "directory/records.pb.h"
#include "federation/fetch.h"

namespace symbolon::federation {

class TestProvider final : public Fetcher {
 public:
  explicit TestProvider(std::string issuer = "https://idp.example") : issuer_(std::move(issuer)) { AddKey("first"); }

  const std::string& issuer() const { return issuer_; }
  directory::pb::IdentityProviderRecord Record(const std::string& name = "Partner") const {
    directory::pb::IdentityProviderRecord record;
    record.set_id("id of " + name);
    record.set_name(name);
    record.set_type("OIDC");
    record.set_client_id("symbolon");
    record.set_client_secret("secret");
    record.set_issuer(issuer_);
    record.set_scopes("openid email");
    record.set_attributes_request_method("GET");
    for (const char* claim : {"email", "email_verified", "name"}) (*record.mutable_attribute_mapping())[claim] = claim;
    return record;
  }

  // Signs from now on; earlier ones stay in the key set until DropKey.
  void AddKey(const std::string& kid) {
    keys_.insert_or_assign(kid, crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256));
    published_.push_back(kid);
    signing_kid_ = kid;
  }
  void DropKey(const std::string& kid) { std::erase(published_, kid); }

  boost::json::object Claims(const std::string& subject, Timestamp now, const std::string& nonce = "nonce") const {
    return {{"iss", issuer_},
            {"aud", "symbolon"},
            {"sub", subject},
            {"nonce", nonce},
            {"iat", ToSeconds(now)},
            {"exp", ToSeconds(now) + 300},
            {"email", subject + "@idp.example"},
            {"email_verified", true}};
  }
  std::string Sign(const boost::json::object& claims) const {
    return crypto::SignJws(keys_.at(signing_kid_), signing_kid_, boost::json::serialize(claims));
  }
  std::string Jwks() const {
    boost::json::array keys;
    for (const std::string& kid : published_) keys.push_back(JwkOf(kid));
    return boost::json::serialize(boost::json::object{{"keys", std::move(keys)}});
  }
  boost::json::object JwkOf(const std::string& kid) const {
    const crypto::Jwk jwk = keys_.at(kid).PublicKey().ToJwk();
    return {{"kid", kid}, {"kty", jwk.kty}, {"crv", jwk.crv}, {"x", jwk.x},
            {"y", jwk.y}, {"use", "sig"},   {"alg", "ES256"}};
  }

  // What the endpoints answer. `token_response`: of the token endpoint.
  boost::json::object token_response;
  boost::json::object user_info;
  boost::json::object discovery_changes;
  // Nobody answers.
  bool is_gone = false;
  // By the path of the endpoint.
  std::map<std::string, int> asked;
  std::string last_form;

  Result<FetchAnswer, FetchError> Fetch(const FetchRequest& request) override {
    const std::string path = request.url.starts_with(issuer_) ? request.url.substr(issuer_.size()) : request.url;
    ++asked[path];
    if (is_gone) return Err(FetchError{.code = FetchError::Code::kFailed, .detail = "gone"});
    const auto answer = [](const boost::json::object& body) {
      return FetchAnswer{.status = 200, .body = boost::json::serialize(body)};
    };
    if (path == "/.well-known/openid-configuration") {
      boost::json::object document{{"issuer", issuer_},
                                   {"authorization_endpoint", issuer_ + "/auth"},
                                   {"token_endpoint", issuer_ + "/token"},
                                   {"userinfo_endpoint", issuer_ + "/me"},
                                   {"jwks_uri", issuer_ + "/jwks"},
                                   {"code_challenge_methods_supported", {"S256"}}};
      for (const auto& change : discovery_changes) document[change.key()] = change.value();
      return answer(document);
    }
    if (path == "/jwks") return FetchAnswer{.status = 200, .body = Jwks()};
    if (path == "/token") {
      last_form = request.form.value_or("");
      return answer(token_response);
    }
    if (path == "/me") return answer(user_info);
    return FetchAnswer{.status = 404, .body = {}};
  }

 private:
  const std::string issuer_;
  std::map<std::string, crypto::SigningKey> keys_;
  std::vector<std::string> published_;
  std::string signing_kid_;
};

}  // namespace symbolon::federation
