// The key providers beside the local one, as the configuration names them.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "keys/aws_kms/aws_kms_key_provider.h"
#include "keys/key_providers.h"
#include "keys/provider.h"
#include "node/config.h"
#include "node/node.h"

namespace symbolon::node {

// What a call of any of them takes at the most.
std::chrono::milliseconds CallLimitOf(const KeysConfig& config);

class FurtherKeys {
 public:
  // `clock` and `random` outlive it. Blocks.
  static Result<FurtherKeys, NodeError> Open(const Config& config, Clock& clock, Random& random);

  // Has `providers` ask them for their keys. This outlives it.
  void AddTo(keys::KeyProviders& providers) const;
  // nullptr: none of them serves this ARN.
  keys::KeyProvider* Serving(std::string_view key_arn) const;

 private:
  std::unique_ptr<keys::KeyProvider> hsm_;
  std::unique_ptr<keys::aws_kms::AwsKmsKeyProvider> aws_kms_;
};

}  // namespace symbolon::node
