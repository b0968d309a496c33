#include "crypto/hash.h"
#include "crypto/xaes.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

class TestKeys final : public keys::PoolKeys {
 public:
  explicit TestKeys(PoolId pool) : pool_(std::move(pool)), key_(crypto::Sha256("sealing key of " + pool_.value())) {}

  const PoolId& pool() const override { return pool_; }

  Bytes Seal(const storage::Key& key, BytesView plaintext, Random& random) const override {
    return key_.Seal(random, PlaceOf(key), plaintext);
  }
  keys::OpenResult<Bytes> Open(const storage::Key& key, BytesView sealed) const override {
    return OpenWith(PlaceOf(key), sealed);
  }
  Bytes SealToken(keys::TokenPurpose purpose, std::string_view audience, BytesView plaintext,
                  Random& random) const override {
    return key_.Seal(random, PlaceOf(purpose, audience), plaintext);
  }
  keys::OpenResult<Bytes> OpenToken(keys::TokenPurpose purpose, std::string_view audience,
                                    BytesView sealed) const override {
    return OpenWith(PlaceOf(purpose, audience), sealed);
  }
  Bytes BlindIndex(std::string_view label, BytesView value) const override {
    return crypto::HmacSha256(pool_.value(), {"index", label, ":", value});
  }
  Bytes Derive(std::string_view label, BytesView value) const override {
    return crypto::HmacSha256(pool_.value(), {"identity", label, ":", value});
  }

 private:
  static Bytes PlaceOf(const storage::Key& key) {
    return Bytes(1, static_cast<char>(key.space)) + key.pool.value() + ":" + std::to_string(key.type) + ":" + key.id;
  }
  Bytes PlaceOf(keys::TokenPurpose purpose, std::string_view audience) const {
    return Bytes(1, static_cast<char>(purpose)) + pool_.value() + ":" + Bytes(audience);
  }
  keys::OpenResult<Bytes> OpenWith(BytesView place, BytesView sealed) const {
    auto opened = key_.Open(place, sealed);
    if (!opened) return Err(keys::OpenError{.code = keys::OpenErrorCode::kInvalid, .detail = "test"});
    return Bytes(opened->view());
  }

  PoolId pool_;
  crypto::XaesKey key_;
};

}  // namespace

std::shared_ptr<const keys::PoolKeys> TestKeysOf(const PoolId& pool) { return std::make_shared<TestKeys>(pool); }

}  // namespace symbolon::directory
