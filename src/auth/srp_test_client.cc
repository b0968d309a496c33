#include "auth/srp_test_client.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <memory>

#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

struct Free {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
};
using Number = std::unique_ptr<BIGNUM, Free>;

Number New() { return Number(BN_new()); }

Number FromHex(const std::string& hex) {
  BIGNUM* number = nullptr;
  EXPECT_GT(BN_hex2bn(&number, hex.c_str()), 0);
  return Number(number);
}

Number FromOctets(BytesView octets) {
  return Number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(octets.data()), static_cast<int>(octets.size()), nullptr));
}

// As Java's BigInteger.toByteArray writes positive numbers.
Bytes Pad(const BIGNUM* number) {
  Bytes octets(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(octets.data()));
  if (octets.empty() || static_cast<unsigned char>(octets[0]) >= 0x80) octets.insert(0, 1, '\0');
  return octets;
}

struct Group {
  Number n{BN_get_rfc3526_prime_3072(nullptr)};
  Number g = New();
  std::unique_ptr<BN_CTX, Free> context{BN_CTX_new()};
  Group() { BN_set_word(g.get(), 2); }

  Number Power(const BIGNUM* base, const BIGNUM* exponent) const {
    Number result = New();
    EXPECT_EQ(BN_mod_exp(result.get(), base, exponent, n.get(), context.get()), 1);
    return result;
  }
};

std::string Hex(const BIGNUM* number) {
  char* text = BN_bn2hex(number);
  std::string hex = text;
  OPENSSL_free(text);
  return hex;
}

}  // namespace

std::string SrpTestClient::PublicKeyHex() const {
  const Group group;
  return Hex(group.Power(group.g.get(), FromHex(a_hex).get()).get());
}

Parameters SrpTestClient::Answer(const Parameters& challenge, std::string_view timestamp) const {
  const Group group;
  const std::string& user_id = challenge.at("USER_ID_FOR_SRP");
  const Number a = FromHex(a_hex), server = FromHex(challenge.at("SRP_B")), salt = FromHex(challenge.at("SALT"));
  const Bytes u_octets = crypto::Sha256(Pad(FromHex(PublicKeyHex()).get()) + Pad(server.get()));
  const Number u = FromOctets(u_octets);
  const Number k = FromOctets(crypto::Sha256(Pad(group.n.get()) + Pad(group.g.get())));
  const Number x = FromOctets(crypto::Sha256(Pad(salt.get()) + crypto::Sha256(pool_name + user_id + ":" + password)));
  Number base = New(), exponent = New();
  BN_mod_mul(base.get(), k.get(), group.Power(group.g.get(), x.get()).get(), group.n.get(), group.context.get());
  BN_mod_sub(base.get(), server.get(), base.get(), group.n.get(), group.context.get());
  BN_mul(exponent.get(), u.get(), x.get(), group.context.get());
  BN_add(exponent.get(), exponent.get(), a.get());
  const Bytes shared = Pad(group.Power(base.get(), exponent.get()).get());
  const Bytes prk = crypto::HmacSha256(Pad(u.get()), shared);
  const Bytes key = crypto::HmacSha256(prk, Bytes("Caldera Derived Key\x01")).substr(0, 16);
  const Bytes block = Base64Decode(challenge.at("SECRET_BLOCK")).value();
  const Bytes signature = crypto::HmacSha256(key, pool_name + user_id + block + std::string(timestamp));
  return {{"USERNAME", challenge.at("USERNAME")},
          {"PASSWORD_CLAIM_SECRET_BLOCK", challenge.at("SECRET_BLOCK")},
          {"PASSWORD_CLAIM_SIGNATURE", Base64Encode(signature)},
          {"TIMESTAMP", std::string(timestamp)}};
}

}  // namespace symbolon::auth
