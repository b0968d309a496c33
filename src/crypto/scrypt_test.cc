#include "crypto/scrypt.h"

#include <gtest/gtest.h>

namespace symbolon::crypto {
namespace {

// RFC 7914 §12.
TEST(ScryptTest, PublishedVectors) {
  EXPECT_EQ(
      HexEncode(Scrypt("", "", {.n = 16, .r = 1, .p = 1}, 64).view()),
      "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d"
      "3628cf35e20c38d18906");
  EXPECT_EQ(
      HexEncode(Scrypt("password", "NaCl", {.n = 1024, .r = 8, .p = 16}, 64).view()),
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83"
      "ee6d8360cbdfa2cc0640");
  EXPECT_EQ(
      HexEncode(Scrypt("pleaseletmein", "SodiumChloride", {.n = 16384, .r = 8, .p = 1}, 64).view()),
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d65"
      "1e40dfcf017b45575887");
}

TEST(ScryptTest, CostsThatNobodyCouldPay_AreNotAccepted) {
  EXPECT_TRUE(ScryptCost().IsAcceptable());
  EXPECT_TRUE((ScryptCost{.n = 1 << 20, .r = 8, .p = 1}.IsAcceptable()));
  for (const ScryptCost& cost : {ScryptCost{.n = 1 << 21, .r = 8}, ScryptCost{.n = 0}, ScryptCost{.n = 1},
                                 ScryptCost{.n = 3}, ScryptCost{.r = 0}, ScryptCost{.p = 0}, ScryptCost{.p = 17},
                                 ScryptCost{.n = std::uint64_t{1} << 63}, ScryptCost{.n = 2, .r = 0xffffffff}}) {
    EXPECT_FALSE(cost.IsAcceptable()) << cost.n << " " << cost.r << " " << cost.p;
  }
}

}  // namespace
}  // namespace symbolon::crypto
