// What is measured of customer managed keys.
#pragma once

#include <prometheus/metric_family.h>

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "key_life/reencryption.h"
#include "keys/keyring.h"
#include "keys/provider.h"
#include "node/metrics.h"
#include "storage/store.h"

namespace symbolon::node {

// "access_denied": a value of the labels `reason` and `outcome`.
std::string_view NameOf(keys::KeyErrorCode code);

// Reads the store: what the pools' records say, of Metrics::kPoolsMax pools at the most.
void ReadKeys(storage::Store& store, const keys::Keyring& keyring, const key_life::Reencryption& reencryption,
              Timestamp now, Metrics::Readings::Keys& readings);

void AddKeys(const Metrics::Readings::Keys& readings, std::vector<prometheus::MetricFamily>& families);

// A key provider whose calls are counted and timed. Thread-safe.
class MeteredKeyProvider final : public keys::KeyProvider {
 public:
  // All outlive this object.
  MeteredKeyProvider(keys::KeyProvider& provider, Metrics& metrics, Clock& clock)
      : provider_(provider), metrics_(metrics), clock_(clock) {}

  std::string_view name() const override { return provider_.name(); }
  KeyProvider& Serving(std::string_view key_arn) override { return provider_.Serving(key_arn); }
  keys::KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                         const keys::EncryptionContext& context) override;
  keys::KeyResult<Bytes> Encrypt(std::string_view key_arn, const keys::EncryptionContext& context,
                                 BytesView plaintext) override;
  keys::KeyResult<Secret> Decrypt(std::string_view key_arn, const keys::EncryptionContext& context,
                                  BytesView ciphertext) override;
  keys::KeyResult<keys::KeyDescription> DescribeKey(std::string_view key_arn) override;

 private:
  template <class Call>
  auto Metered(std::string_view operation, std::string_view key_arn, Call&& call);

  keys::KeyProvider& provider_;
  Metrics& metrics_;
  Clock& clock_;
};

}  // namespace symbolon::node
