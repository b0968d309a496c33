// Private to this module: PoolKeys over unwrapped keys.
#pragma once

#include <array>
#include <map>

#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/xaes.h"
#include "keys/pool_keys.h"

namespace symbolon::keys::internal {

inline constexpr std::size_t kGenerationBytes = 16;

// Formats: wrapped_pool_keys.h.
class OpenedPoolKeys final : public PoolKeys {
 public:
  struct Material {
    std::map<Bytes, Secret, std::less<>> data_keys;  // by generation
    Bytes sealing_generation;                        // one of them
    Secret index_key, identity_key, token_key;
  };

  OpenedPoolKeys(PoolId pool, const Region& here, const Material& material);

  const PoolId& pool() const override { return pool_; }
  BytesView sealing_generation() const override { return BytesView(sealing_header_).substr(1, kGenerationBytes); }
  bool Holds(BytesView generation) const override { return data_keys_.contains(generation); }
  Bytes Seal(const storage::Key& key, BytesView plaintext, Random& random) const override;
  OpenResult<Bytes> Open(const storage::Key& key, BytesView sealed) const override;
  Bytes SealToken(TokenPurpose purpose, std::string_view audience, BytesView plaintext, Random& random) const override;
  OpenResult<Bytes> OpenToken(TokenPurpose purpose, std::string_view audience, BytesView sealed) const override;
  Bytes BlindIndex(std::string_view label, BytesView value) const override;
  Bytes Derive(std::string_view label, BytesView value) const override;

 private:
  const crypto::XaesKey& TokenKey(TokenPurpose purpose) const;
  Bytes TokenData(TokenPurpose purpose, std::string_view audience) const;

  const PoolId pool_;
  const Bytes sealing_header_;
  std::map<Bytes, crypto::XaesKey, std::less<>> data_keys_;
  std::vector<crypto::XaesKey> token_keys_;  // by purpose
  const crypto::HmacKey index_key_, identity_key_;
};

}  // namespace symbolon::keys::internal
