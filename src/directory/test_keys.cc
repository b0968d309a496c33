#include <functional>

#include "base/seeded_random.h"
#include "crypto/hash.h"
#include "directory/test_store.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::directory {
namespace {

constexpr const char* kCmk = "arn:aws:kms:eu-central-1:000000000000:key/mrk-test";

// A key service whose keys are made of their encryption contexts alone.
class TestKeyProvider final : public keys::KeyProvider {
 public:
  std::string_view name() const override { return "test"; }
  keys::KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view, const keys::EncryptionContext&) override {
    return "wrapped";
  }
  keys::KeyResult<Bytes> Encrypt(std::string_view, const keys::EncryptionContext&, BytesView) override {
    return Err(keys::KeyError{keys::KeyErrorCode::kAccessDenied, "it only makes keys"});
  }
  keys::KeyResult<Secret> Decrypt(std::string_view, const keys::EncryptionContext& context, BytesView) override {
    Bytes said;
    for (const auto& [name, value] : context) said += name + "=" + value + "\n";
    return Secret(crypto::HmacSha256("test", said));
  }
  keys::KeyResult<keys::KeyDescription> DescribeKey(std::string_view) override {
    return Err(keys::KeyError{keys::KeyErrorCode::kAccessDenied, "it only makes keys"});
  }
};

}  // namespace

std::shared_ptr<const keys::PoolKeys> TestKeysOf(const Region& here, const PoolId& pool) {
  TestKeyProvider provider;
  SeededRandom random(std::hash<PoolId>()(pool));
  const std::string arn = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/" + pool.value();
  const auto wrapped = keys::WrapNewPoolKeys(provider, kCmk, arn, Timestamp(), random);
  SYMBOLON_CHECK(wrapped);
  auto opened = keys::OpenPoolKeys(provider, here, pool, *wrapped);
  SYMBOLON_CHECK(opened);
  return *std::move(opened);
}

}  // namespace symbolon::directory
