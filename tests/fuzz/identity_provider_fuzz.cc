// What identity providers answer: discovery documents, key sets, token and userInfo answers, ID tokens.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/manual_clock.h"
#include "federation/oidc_client.h"

namespace {

using namespace symbolon;

// Answers every request with what the fuzzer made up, or with what leads on to the next one.
class Answers final : public federation::Fetcher {
 public:
  Answers(std::size_t made_up, std::string answer) : made_up_(made_up), answer_(std::move(answer)) {}
  Result<federation::FetchAnswer, federation::FetchError> Fetch(const federation::FetchRequest& request) override {
    const std::string leads_on[] = {
        R"({"issuer":"https://i","authorization_endpoint":"https://i/a","token_endpoint":"https://i/t",)"
        R"("jwks_uri":"https://i/k","userinfo_endpoint":"https://i/u"})",
        R"({"id_token":"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AA","access_token":"a"})", R"({"keys":[]})"};
    const std::size_t which = request.url.ends_with("/t") ? 1 : request.url.ends_with("/k") ? 2 : 0;
    return federation::FetchAnswer{.status = 200, .body = which == made_up_ ? answer_ : leads_on[which]};
  }

 private:
  const std::size_t made_up_;
  const std::string answer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  ManualClock clock;
  Answers answers(data[0] % 3, text);
  federation::OidcClient client(answers, clock);
  directory::pb::IdentityProviderRecord provider;
  provider.set_issuer("https://i");
  provider.set_client_id("c");
  (*provider.mutable_attribute_mapping())["email"] = "email";
  (void)client.Redeem(provider, "code", {.redirect_uri = "https://d", .nonce = "n", .code_verifier = {}});
  (void)federation::KeyIdOf(text);
  if (const auto key = federation::ParseProviderKey(text)) {
    SYMBOLON_CHECK(federation::ParseProviderKey(key->jwk)->jwk == key->jwk);
  }
  return 0;
}
