#include "crypto/srp.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <atomic>
#include <boost/json.hpp>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/srp_group.h"

namespace symbolon::crypto {
namespace {

using internal::OwnedNumber;

Bytes Hex(std::string_view text) { return HexDecode(text.size() % 2 ? '0' + std::string(text) : text).value(); }

OwnedNumber Number(BytesView octets) { return internal::NumberFromOctets(octets); }

Bytes Octets(const OwnedNumber& number) { return Bytes(internal::NumberToOctets(number.get()).view()); }

struct Vector {
  std::string pool_name, user_id, password, salt, a, b, verifier, A, B, K, secret_block, timestamp, signature;
  SrpIdentity identity() const { return {pool_name, user_id}; }
};

std::vector<Vector> Vectors() {
  std::ifstream file(SYMBOLON_CRYPTO_TESTDATA "/srp_vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Vector> vectors;
  for (const auto& value : boost::json::parse(text.str()).as_array()) {
    const auto member = [&](const char* name) { return std::string(value.at(name).as_string()); };
    vectors.push_back({.pool_name = member("poolName"),
                       .user_id = member("userIdForSrp"),
                       .password = member("password"),
                       .salt = member("salt"),
                       .a = member("a"),
                       .b = member("b"),
                       .verifier = member("verifier"),
                       .A = member("A"),
                       .B = member("B"),
                       .K = member("K"),
                       .secret_block = member("secretBlock"),
                       .timestamp = member("timestamp"),
                       .signature = member("passwordClaimSignature")});
  }
  return vectors;
}

OwnedNumber GeneralPower(const BIGNUM* base, const BIGNUM* exponent) {
  OwnedNumber result(BN_new());
  const internal::OwnedNumberContext context(BN_CTX_new());
  EXPECT_EQ(BN_mod_exp(result.get(), base, exponent, internal::SrpGroup::Instance().modulus(), context.get()), 1);
  return result;
}

OwnedNumber Two() {
  OwnedNumber two(BN_new());
  BN_set_word(two.get(), 2);
  return two;
}

Bytes JavaPad(Bytes number) {
  number.erase(0, number.find_first_not_of('\0'));
  if (static_cast<unsigned char>(number[0]) >= 0x80) number.insert(0, 1, '\0');
  return number;
}

// The client, written from the protocol's text with plain big numbers.
Bytes ClientSessionKey(const SrpIdentity& identity, BytesView password, BytesView salt, BytesView a, BytesView A,
                       BytesView B) {
  const BIGNUM* const n = internal::SrpGroup::Instance().modulus();
  const internal::OwnedNumberContext context(BN_CTX_new());
  const OwnedNumber x =
      Number(Sha256({JavaPad(Bytes(salt)),
                     Sha256(std::string(identity.pool_name) + std::string(identity.user_id) + ":" + Bytes(password))}));
  const OwnedNumber k = Number(Hex("538282c4354742d7cbbde2359fcf67f9f5b3a6b08791e5011b43b8a5b66d9ee6"));
  const Bytes u_octets = Sha256(JavaPad(Bytes(A)) + JavaPad(Bytes(B)));
  const OwnedNumber u = Number(u_octets), a_number = Number(a);
  const OwnedNumber v = GeneralPower(Two().get(), x.get());
  OwnedNumber base(BN_new()), exponent(BN_new());
  BN_mod_mul(base.get(), k.get(), v.get(), n, context.get());
  BN_mod_sub(base.get(), Number(B).get(), base.get(), n, context.get());
  BN_mul(exponent.get(), u.get(), x.get(), context.get());
  BN_add(exponent.get(), exponent.get(), a_number.get());
  const Bytes s = JavaPad(Octets(GeneralPower(base.get(), exponent.get())));
  return HmacSha256(HmacSha256(JavaPad(u_octets), s), Bytes("Caldera Derived Key\x01")).substr(0, 16);
}

TEST(SrpTest, VectorsOfTheServersSide) {
  const auto vectors = Vectors();
  ASSERT_EQ(vectors.size(), 3u);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.user_id);
    const Secret verifier = ComputeSrpVerifier(vector.identity(), vector.password, Hex(vector.salt));
    EXPECT_EQ(CanonicalHex(verifier.view()), vector.verifier);

    const auto A = SrpClientPublicKey::FromHex(vector.A);
    ASSERT_TRUE(A);
    const Secret K = SrpSessionKey(*A, Hex(vector.B), Hex(vector.b), verifier.view());
    EXPECT_EQ(HexEncode(K.view()), vector.K);
    EXPECT_EQ(Base64Encode(SrpClaimSignature(K.view(), vector.identity(), Base64Decode(vector.secret_block).value(),
                                             vector.timestamp)),
              vector.signature);
  }
}

// The vectors' b is longer than ours, so B is checked against k·v + g^b by plain arithmetic.
TEST(SrpTest, VectorsOfTheServersPublicKey) {
  const internal::SrpGroup& group = internal::SrpGroup::Instance();
  for (const Vector& vector : Vectors()) {
    const OwnedNumber kv =
        group.Multiply(Number(Hex("538282c4354742d7cbbde2359fcf67f9f5b3a6b08791e5011b43b8a5b66d9ee6")).get(),
                       Number(Hex(vector.verifier)).get());
    const OwnedNumber B = group.Add(kv.get(), GeneralPower(Two().get(), Number(Hex(vector.b)).get()).get());
    EXPECT_EQ(CanonicalHex(Octets(B)), vector.B);
  }
  const SrpEphemeral ephemeral = SrpEphemeral::FromSecret(Secret(Bytes(32, '\x5a')));
  const Vector vector = Vectors()[0];
  const OwnedNumber kv =
      group.Multiply(Number(Hex("538282c4354742d7cbbde2359fcf67f9f5b3a6b08791e5011b43b8a5b66d9ee6")).get(),
                     Number(Hex(vector.verifier)).get());
  const OwnedNumber B = group.Add(kv.get(), GeneralPower(Two().get(), Number(Bytes(32, '\x5a')).get()).get());
  EXPECT_EQ(CanonicalHex(SrpServerPublicKey(ephemeral, Hex(vector.verifier))), CanonicalHex(Octets(B)));
}

TEST(SrpTest, VectorsOfTheClientInThisTest) {
  for (const Vector& vector : Vectors()) {
    EXPECT_EQ(CanonicalHex(Octets(GeneralPower(Two().get(), Number(Hex(vector.a)).get()))), vector.A);
    EXPECT_EQ(HexEncode(ClientSessionKey(vector.identity(), vector.password, Hex(vector.salt), Hex(vector.a),
                                         Hex(vector.A), Hex(vector.B))),
              vector.K);
  }
}

TEST(SrpTest, RoundTripWithTheRightPasswordOnly) {
  for (int i = 0; i < 8; ++i) {
    const SrpIdentity identity{"AbC123xyz", "user"};
    const Bytes salt = NewSrpSalt(SystemRandom());
    EXPECT_EQ(salt.size(), kSrpSaltBytes);
    const Secret verifier = ComputeSrpVerifier(identity, "P@ssw0rd", salt);
    EXPECT_EQ(verifier.size(), kSrpVerifierBytes);
    const Bytes a = SystemRandom().Octets(128);
    const auto A = SrpClientPublicKey::FromOctets(Octets(GeneralPower(Two().get(), Number(a).get())));
    ASSERT_TRUE(A);
    const SrpEphemeral ephemeral = SrpEphemeral::Generate(SystemRandom());
    const Bytes B = SrpServerPublicKey(ephemeral, verifier.view());
    const Secret K = SrpSessionKey(*A, B, ephemeral.b().view(), verifier.view());
    EXPECT_EQ(K.view(), ClientSessionKey(identity, "P@ssw0rd", salt, a, A->octets(), B));
    EXPECT_NE(K.view(), ClientSessionKey(identity, "p@ssw0rd", salt, a, A->octets(), B));
    EXPECT_NE(K.view(), ClientSessionKey({"AbC123xyz", "User"}, "P@ssw0rd", salt, a, A->octets(), B));
  }
}

TEST(SrpTest, PasswordCheck) {
  const SrpIdentity identity{"AbC123xyz", "user"};
  const Bytes salt = NewSrpSalt(SystemRandom());
  const Secret verifier = ComputeSrpVerifier(identity, "P@ssw0rd", salt);
  EXPECT_TRUE(SrpPasswordMatches(identity, "P@ssw0rd", salt, verifier.view()));
  EXPECT_FALSE(SrpPasswordMatches(identity, "P@ssw0rd ", salt, verifier.view()));
  EXPECT_FALSE(SrpPasswordMatches({"AbC123xyz", "user2"}, "P@ssw0rd", salt, verifier.view()));
  EXPECT_FALSE(SrpPasswordMatches(identity, "P@ssw0rd", NewSrpSalt(SystemRandom()), verifier.view()));
  EXPECT_FALSE(SrpPasswordMatches(identity, "P@ssw0rd", salt, ""));
}

TEST(SrpTest, PowersOfTwoEqualPlainOnes) {
  const internal::SrpGroup& group = internal::SrpGroup::Instance();
  std::vector<Bytes> exponents = {Bytes(32, '\0'), Bytes(31, '\0') + '\x01', Bytes(32, '\xff'),
                                  '\x80' + Bytes(31, '\0')};
  for (int i = 0; i < 50; ++i) exponents.push_back(SystemRandom().Octets(32));
  for (const Bytes& exponent : exponents) {
    const OwnedNumber plain = GeneralPower(Two().get(), Number(exponent).get());
    EXPECT_EQ(BN_cmp(group.PowerOfTwo(exponent).get(), plain.get()), 0) << HexEncode(exponent);
    EXPECT_EQ(BN_cmp(group.Power(Two().get(), exponent).get(), plain.get()), 0) << HexEncode(exponent);
  }
}

TEST(SrpTest, ClientPublicKeyThatGivesTheSecretAwayIsRefused) {
  const Bytes n = Bytes(internal::NumberToOctets(internal::SrpGroup::Instance().modulus()).view());
  Bytes below = n;
  below.back() = static_cast<char>(below.back() - 1);
  EXPECT_TRUE(SrpClientPublicKey::FromOctets(below));
  EXPECT_TRUE(SrpClientPublicKey::FromHex("00" + HexEncode(below)));
  EXPECT_FALSE(SrpClientPublicKey::FromOctets(n));
  EXPECT_FALSE(SrpClientPublicKey::FromHex(HexEncode(n)));
  EXPECT_FALSE(SrpClientPublicKey::FromOctets(Bytes(384, '\xff')));
  for (const std::string& text : {std::string(), std::string("0"), std::string("000"), std::string(768, '0'),
                                  std::string("xyz"), std::string("-1"), std::string("1g"), std::string(" 1"),
                                  std::string(771, '1'), std::string("01") + std::string(768, '0')}) {
    EXPECT_FALSE(SrpClientPublicKey::FromHex(text)) << text;
  }
  EXPECT_EQ(SrpClientPublicKey::FromHex("ABC")->octets(), Bytes("\x0a\xbc"));
  EXPECT_EQ(SrpClientPublicKey::FromHex("000aBc")->octets(), Bytes("\x0a\xbc"));
}

TEST(SrpTest, CanonicalHexHasNoLeadingZeros) {
  EXPECT_EQ(CanonicalHex(Bytes("\0\0\x0a\xbc", 4)), "abc");
  EXPECT_EQ(CanonicalHex(Bytes("\xab\x00", 2)), "ab00");
  EXPECT_EQ(CanonicalHex(Bytes(2, '\0')), "0");
}

TEST(SrpTest, ManyThreadsAtOnce) {
  const Vector vector = Vectors()[0];
  const Bytes expected = Hex(vector.verifier);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        wrong += ComputeSrpVerifier(vector.identity(), vector.password, Hex(vector.salt)).view() != expected;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace symbolon::crypto
