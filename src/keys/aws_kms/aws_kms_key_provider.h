// CMKs in a service with the AWS KMS API: AWS KMS itself, or another that speaks it.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "keys/arn.h"
#include "keys/aws_kms/kms_client.h"
#include "keys/provider.h"

namespace symbolon::keys::aws_kms {

// Serves the ARNs of one Region and of the accounts that it is told. Nothing of what is asked is remembered, so that a
// withdrawn key is noticed at the next call; only connections are kept. Thread-safe.
class AwsKmsKeyProvider final : public KeyProvider {
 public:
  struct Options {
    KmsClient::Options client;
    Region region;
    std::vector<std::string> accounts;
  };

  // `clock` and `random` outlive the provider. Makes no call.
  AwsKmsKeyProvider(Options options, Clock& clock, Random& random);

  // Whether this is a key of that Region and one of the accounts.
  bool Serves(const KeyArn& arn) const;

  std::string_view name() const override { return "aws_kms"; }
  bool HasUntoldPolicies() const override { return true; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  // Also kNotFound for a key that is not for symmetric encryption.
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

 private:
  KeyResult<void> Check(std::string_view key_arn) const;
  KeyResult<Bytes> CallForCiphertext(std::string_view operation, const Secret& json);

  const Region region_;
  const std::vector<std::string> accounts_;
  KmsClient client_;
};

}  // namespace symbolon::keys::aws_kms
