#include "keys/aws_kms/aws_kms_key_provider.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "crypto/random.h"
#include "http/test_client.h"
#include "http/test_signer.h"
#include "keys/provider_contract_test.h"
#include "node/node.h"

namespace symbolon::keys::aws_kms {
namespace {

constexpr const char* kAccount = "111111111111";
constexpr const char* kAccessKeyId = "KMSUSER";
constexpr const char* kSecret = "secret-of-the-kms-user";

// Another symbolond, as somebody's KMS.
class SecondNode {
 public:
  SecondNode() { Start(); }

  void Start() {
    node::Config config;
    config.region = Region("eu-central-1");
    config.account = kAccount;
    config.data_dir = folder_.path() / "data";
    config.neutral_url = "http://127.0.0.1:1";
    config.api = {.listen = {"127.0.0.1", port_}, .public_url = "http://127.0.0.1:2"};
    config.operations = {"127.0.0.1", 0};
    config.regions.push_back({.name = config.region, .public_url = config.api.public_url});
    config.keys.root_key_file = folder_.path() / "root.key";
    config.access_keys.push_back({.id = kAccessKeyId, .secret = Secret::CopyOf(kSecret)});
    config.http.threads = 1;
    node_ = node::Node::Start(std::move(config), SystemClock(), crypto::SystemRandom()).value();
    port_ = node_->api_port();
  }
  void Stop() { node_.reset(); }
  std::uint16_t port() const { return port_; }

  // A call of its KMS API: the answer.
  boost::json::object Call(std::string_view operation, const boost::json::object& body) const {
    http::Request request{.method = "POST", .target = "/", .body = boost::json::serialize(body)};
    request.headers.Add("Host", "127.0.0.1");
    request.headers.Add("Content-Type", "application/x-amz-json-1.1");
    request.headers.Add("X-Amz-Target", "TrentService." + std::string(operation));
    http::TestSigner{kAccessKeyId, kSecret, "eu-central-1", "kms"}.Sign(request, SystemClock().Now());
    std::string text = "POST / HTTP/1.1\r\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
    const auto response = http::Fetch(port_, text);
    EXPECT_EQ(response.status, 200) << response.body;
    const auto answer = boost::json::parse(response.body.empty() ? "{}" : response.body);
    return answer.as_object();
  }

 private:
  TemporaryDirectory folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<node::Node> node_;
};

class AwsKmsHarness final : public KeyProviderHarness {
 public:
  AwsKmsHarness() { Restart(); }
  KeyProvider& provider() override { return *provider_; }
  std::string MakeKey() override {
    const auto answer = node_.Call("CreateKey", {});
    return std::string(answer.at("KeyMetadata").at("Arn").as_string());
  }
  void Disable(const std::string& arn) override { node_.Call("DisableKey", {{"KeyId", arn}}); }
  void Enable(const std::string& arn) override { node_.Call("EnableKey", {{"KeyId", arn}}); }
  bool CanScheduleDeletion() const override { return true; }
  void ScheduleDeletion(const std::string& arn) override {
    node_.Call("ScheduleKeyDeletion", {{"KeyId", arn}, {"PendingWindowInDays", 7}});
  }
  void Restart() override {
    node_.Stop();
    node_.Start();
    provider_ = std::make_unique<AwsKmsKeyProvider>(
        AwsKmsKeyProvider::Options{.client = {.endpoint = "http://127.0.0.1:" + std::to_string(node_.port()),
                                              .region = "eu-central-1",
                                              .access_key_id = kAccessKeyId,
                                              .secret_access_key = Secret::CopyOf(kSecret),
                                              .timeout = std::chrono::seconds(60),
                                              .pause = [this](std::chrono::nanoseconds time) { clock_.Advance(time); }},
                                   .region = Region("eu-central-1"),
                                   .accounts = {kAccount}},
        clock_, crypto::SystemRandom());
  }
  bool CanBeCutOff() const override { return true; }
  void CutOff() override { node_.Stop(); }
  void Reconnect() override {
    node_.Start();
    clock_.Advance(std::chrono::seconds(1));
  }

 private:
  SecondNode node_;
  // Signatures show the real time.
  ManualClock clock_{SystemClock().Now()};
  std::unique_ptr<AwsKmsKeyProvider> provider_;
};

}  // namespace
}  // namespace symbolon::keys::aws_kms

namespace symbolon::keys {

INSTANTIATE_TEST_SUITE_P(AwsKms, KeyProviderContractTest,
                         testing::Values([] { return std::make_unique<aws_kms::AwsKmsHarness>(); }));

}  // namespace symbolon::keys
