#include "crypto/signing_key.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace symbolon::crypto {
namespace {

const SigningKey& RsaKey() {
  static const SigningKey key = SigningKey::Generate(SignatureAlgorithm::kRs256);
  return key;
}

const SigningKey& EcKey() {
  static const SigningKey key = SigningKey::Generate(SignatureAlgorithm::kEs256);
  return key;
}

class SigningKeyTest : public testing::TestWithParam<SignatureAlgorithm> {
 protected:
  const SigningKey& key() const { return GetParam() == SignatureAlgorithm::kRs256 ? RsaKey() : EcKey(); }
  std::size_t signature_bytes() const { return GetParam() == SignatureAlgorithm::kRs256 ? 256 : 64; }
};

TEST_P(SigningKeyTest, SignatureVerifiesAndIsBoundToMessageAndKey) {
  const Bytes signature = key().Sign("message");
  EXPECT_EQ(signature.size(), signature_bytes());
  const VerifyingKey public_key = key().PublicKey();
  EXPECT_EQ(public_key.algorithm(), GetParam());
  EXPECT_TRUE(public_key.Verify("message", signature));
  EXPECT_FALSE(public_key.Verify("Message", signature));
  EXPECT_FALSE(SigningKey::Generate(SignatureAlgorithm::kEs256).PublicKey().Verify("message", signature));
}

TEST_P(SigningKeyTest, AlteredSignatureIsRefused) {
  const Bytes signature = key().Sign("message");
  const VerifyingKey public_key = key().PublicKey();
  for (std::size_t i = 0; i < signature.size(); ++i) {
    Bytes altered = signature;
    altered[i] ^= 1;
    EXPECT_FALSE(public_key.Verify("message", altered)) << i;
  }
  for (const Bytes& wrong : {Bytes(), signature + '\0', '\0' + signature, signature.substr(1), signature.substr(0, 63),
                             Bytes(signature.size(), '\0'), Bytes(signature.size(), '\xff')}) {
    EXPECT_FALSE(public_key.Verify("message", wrong));
  }
}

TEST_P(SigningKeyTest, Pkcs8RoundTrip) {
  const Secret der = key().ToPkcs8();
  const auto copy = SigningKey::FromPkcs8(der.view());
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->algorithm(), GetParam());
  EXPECT_EQ(copy->ToPkcs8().view(), der.view());
  EXPECT_TRUE(key().PublicKey().Verify("message", copy->Sign("message")));
}

TEST_P(SigningKeyTest, DamagedPkcs8IsMalformed) {
  const Secret der = key().ToPkcs8();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(SigningKey::FromPkcs8(der.view().substr(0, size)));
  }
  EXPECT_EQ(SigningKey::FromPkcs8(Bytes(der.view()) + 'x').error(), CryptoError::kMalformed);
}

TEST_P(SigningKeyTest, JwkRoundTrip) {
  const Jwk jwk = key().PublicKey().ToJwk();
  const auto copy = VerifyingKey::FromJwk(jwk);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->algorithm(), GetParam());
  EXPECT_TRUE(copy->Verify("message", key().Sign("message")));
  EXPECT_EQ(copy->ToJwk().n, jwk.n);
  EXPECT_EQ(copy->ToJwk().x, jwk.x);
}

TEST_P(SigningKeyTest, OneKeyServesManyThreads) {
  const VerifyingKey public_key = key().PublicKey();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) wrong += !public_key.Verify("message", key().Sign("message"));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, SigningKeyTest,
                         testing::Values(SignatureAlgorithm::kRs256, SignatureAlgorithm::kEs256),
                         [](const auto& instance) { return std::string(Name(instance.param)); });

// RFC 7515, appendix A.3: ES256.
TEST(VerifyingKeyTest, Es256KnownAnswer) {
  const auto key = VerifyingKey::FromJwk({.kty = "EC",
                                          .crv = "P-256",
                                          .x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                                          .y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->Verify(
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"
      "VlfQ",
      Base64UrlDecode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
          .value()));
}

// RFC 7515, appendix A.2: RS256.
TEST(VerifyingKeyTest, Rs256KnownAnswer) {
  const auto key = VerifyingKey::FromJwk(
      {.kty = "RSA",
       .alg = "RS256",
       .n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
            "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
            "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
            "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
       .e = "AQAB"});
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->Verify(
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"
      "VlfQ",
      Base64UrlDecode("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
                      "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN"
                      "PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6I"
                      "eYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")
          .value()));
}

TEST(VerifyingKeyTest, ForeignAndDamagedJwksAreMalformed) {
  const Jwk ec = EcKey().PublicKey().ToJwk();
  const Jwk rsa = RsaKey().PublicKey().ToJwk();
  std::vector<Jwk> wrong(10, ec);
  wrong[0].kty = "oct";
  wrong[1].crv = "P-384";
  wrong[2].x = ec.y;
  wrong[3].y = "";
  wrong[4].alg = "RS256";
  wrong[5] = rsa;
  wrong[5].alg = "HS256";
  wrong[6] = rsa;
  wrong[6].n = rsa.n.substr(0, 172);  // 1032 bits
  wrong[7] = rsa;
  wrong[7].e = "";
  wrong[8] = rsa;
  wrong[8].n += "=";
  wrong[9] = rsa;
  wrong[9].n = std::string(4096, 'A');
  for (const Jwk& jwk : wrong) {
    EXPECT_FALSE(VerifyingKey::FromJwk(jwk)) << jwk.kty << ' ' << jwk.alg << ' ' << jwk.n << ' ' << jwk.x;
  }
}

}  // namespace
}  // namespace symbolon::crypto
