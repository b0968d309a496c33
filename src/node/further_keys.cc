#include "node/further_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "keys/pkcs11/pkcs11_key_provider.h"
#include "node/secret_source.h"

namespace symbolon::node {
namespace {

bool IsInHsm(const keys::KeyArn& arn) { return arn.key_id.starts_with(keys::pkcs11::kKeyIdPrefix); }

Result<std::unique_ptr<keys::KeyProvider>, NodeError> OpenHsm(const Config& config, Clock& clock, Random& random) {
  const HsmConfig& hsm = *config.keys.hsm;
  auto provider = keys::pkcs11::Pkcs11KeyProvider::Open({.module = hsm.module,
                                                         .token_label = hsm.token_label,
                                                         .slot = hsm.slot,
                                                         .pin = [source = hsm.pin] { return ReadSecret(source); },
                                                         .region = config.region,
                                                         .account = config.account,
                                                         .timeout = hsm.timeout,
                                                         .sessions = hsm.sessions},
                                                        clock, random);
  if (!provider) return Err(NodeError{"[keys.pkcs11]: " + provider.error()});
  return *std::move(provider);
}

std::unique_ptr<keys::aws_kms::AwsKmsKeyProvider> OpenAwsKms(const AwsKmsConfig& kms, Clock& clock, Random& random) {
  keys::aws_kms::KmsClient::Options client{
      .endpoint = kms.endpoint,
      .region = kms.region.value(),
      .access_key_id = kms.access_key_id,
      .secret_access_key = kms.secret_access_key.Clone(),
      .ca_file = kms.ca_file,
      .timeout = kms.timeout,
      .pause = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }};
  return std::make_unique<keys::aws_kms::AwsKmsKeyProvider>(
      keys::aws_kms::AwsKmsKeyProvider::Options{
          .client = std::move(client), .region = kms.region, .accounts = kms.accounts},
      clock, random);
}

}  // namespace

std::chrono::milliseconds CallLimitOf(const KeysConfig& config) {
  std::chrono::milliseconds limit{2000};
  if (config.hsm) limit = std::max(limit, config.hsm->timeout);
  if (config.aws_kms) limit = std::max(limit, config.aws_kms->timeout);
  return limit;
}

Result<FurtherKeys, NodeError> FurtherKeys::Open(const Config& config, Clock& clock, Random& random) {
  FurtherKeys keys;
  if (config.keys.hsm) {
    SYMBOLON_TRY(keys.hsm_, OpenHsm(config, clock, random));
  }
  if (config.keys.aws_kms) keys.aws_kms_ = OpenAwsKms(*config.keys.aws_kms, clock, random);
  return keys;
}

void FurtherKeys::AddTo(keys::KeyProviders& providers) const {
  if (hsm_) providers.Add(IsInHsm, *hsm_);
  if (aws_kms_) {
    providers.Add([kms = aws_kms_.get()](const keys::KeyArn& arn) { return kms->Serves(arn); }, *aws_kms_);
  }
}

keys::KeyProvider* FurtherKeys::Serving(std::string_view key_arn) const {
  const auto arn = keys::ParseKeyArn(key_arn);
  if (!arn) return nullptr;
  if (hsm_ && IsInHsm(*arn)) return hsm_.get();
  return aws_kms_ && aws_kms_->Serves(*arn) ? aws_kms_.get() : nullptr;
}

}  // namespace symbolon::node
