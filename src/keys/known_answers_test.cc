// The formats of wrapped_pool_keys.h, octet by octet. The expected values were computed from its text by another
// program (Python with the package `cryptography`: AES in ECB mode for XAES's derivation, AES-256-GCM, HMAC), under
//   data key 11…11, index key 22…22, identity key 33…33, token key 44…44, generation 00 01 … 0f,
//   and the nonce "ABCDEFGHIJKLMNOPQRSTUVWX".
// Whoever changes one of them makes stored data and issued tokens unreadable.
#include <gtest/gtest.h>

#include "keys/records.pb.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

const PoolId kPool("eu-central-1_AbC123xyz");

// "Unwraps" each key to what stands there already.
class KnownKeys final : public KeyProvider {
 public:
  std::string_view name() const override { return "known"; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view, const EncryptionContext&) override {
    return Err(KeyError{KeyErrorCode::kAccessDenied, ""});
  }
  KeyResult<Bytes> Encrypt(std::string_view, const EncryptionContext&, BytesView) override {
    return Err(KeyError{KeyErrorCode::kAccessDenied, ""});
  }
  KeyResult<Secret> Decrypt(std::string_view, const EncryptionContext&, BytesView ciphertext) override {
    return Secret::CopyOf(ciphertext);
  }
  KeyResult<KeyDescription> DescribeKey(std::string_view) override {
    return Err(KeyError{KeyErrorCode::kAccessDenied, ""});
  }
};

class FixedNonce final : public Random {
 public:
  Bytes Octets(std::size_t count) override {
    EXPECT_EQ(count, 24U);
    return "ABCDEFGHIJKLMNOPQRSTUVWX";
  }
};

std::shared_ptr<const PoolKeys> KnownPoolKeys() {
  Bytes generation;
  for (char octet = 0; octet < 16; ++octet) generation += octet;
  pb::WrappedPoolKeys wrapped;
  wrapped.set_provider("known");
  wrapped.set_cmk_arn("arn:aws:kms:eu-central-1:000000000000:key/known");
  wrapped.set_user_pool_arn("arn:aws:cognito-idp:eu-central-1:000000000000:userpool/" + kPool.value());
  auto& data_key = *wrapped.add_data_keys();
  data_key.set_generation(generation);
  data_key.set_wrapped(Bytes(32, 0x11));
  wrapped.set_sealing_generation(generation);
  wrapped.set_wrapped_index_key(Bytes(32, 0x22));
  wrapped.set_wrapped_identity_key(Bytes(32, 0x33));
  wrapped.set_wrapped_token_key(Bytes(32, 0x44));
  KnownKeys provider;
  return OpenPoolKeys(provider, Region("eu-central-1"), kPool, wrapped.SerializeAsString()).value();
}

TEST(KnownAnswersTest, SealedRecord) {
  const auto keys = KnownPoolKeys();
  const storage::Key key{.space = storage::Space::kDirectory, .pool = kPool, .type = 9, .id = "user"};
  FixedNonce nonce;
  const Bytes sealed = keys->Seal(key, "plaintext", nonce);
  EXPECT_EQ(HexEncode(sealed),
            "01000102030405060708090a0b0c0d0e0f0c65752d63656e7472616c2d314142434445464748494a4b4c4d4e4f505152"
            "53545556575887aeaddd749aa77b846de8daa86df21c61872e2bbcb889c00e");
  EXPECT_EQ(keys->Open(key, sealed), "plaintext");
}

TEST(KnownAnswersTest, SealedTokens) {
  const auto keys = KnownPoolKeys();
  FixedNonce nonce;
  EXPECT_EQ(HexEncode(keys->SealToken(TokenPurpose::kSession, "client", "plaintext", nonce)),
            "014142434445464748494a4b4c4d4e4f5051525354555657582314f490785cd93e117f6f627fcb6f35683d8d662c519b"
            "0ae5");
  EXPECT_EQ(HexEncode(keys->SealToken(TokenPurpose::kRefreshToken, "", "plaintext", nonce)),
            "014142434445464748494a4b4c4d4e4f505152535455565758c7fd86844028ed7b9bd3e6d8dcfed7e6d17937a76e61a9"
            "a6f1");
}

TEST(KnownAnswersTest, BlindIndexAndDerivedValue) {
  const auto keys = KnownPoolKeys();
  EXPECT_EQ(HexEncode(keys->BlindIndex("find:email", "anna@example.com")),
            "c5aff4d049f7457e6b6d8e6b4d1b24ba3e2917bec418b0670434607c5602615f");
  EXPECT_EQ(HexEncode(keys->Derive("find:email", "anna@example.com")),
            "954175767762ecb9eb079d4daa7370702130aeb64fbfc229a59a588334e65146");
}

}  // namespace
}  // namespace symbolon::keys
