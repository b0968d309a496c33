#include "base/base32.h"

#include <gtest/gtest.h>

namespace symbolon {
namespace {

TEST(Base32Test, Rfc4648Vectors) {
  EXPECT_EQ(Base32Encode(""), "");
  EXPECT_EQ(Base32Encode("f"), "MY");
  EXPECT_EQ(Base32Encode("fo"), "MZXQ");
  EXPECT_EQ(Base32Encode("foo"), "MZXW6");
  EXPECT_EQ(Base32Encode("foob"), "MZXW6YQ");
  EXPECT_EQ(Base32Encode("fooba"), "MZXW6YTB");
  EXPECT_EQ(Base32Encode("foobar"), "MZXW6YTBOI");
}

TEST(Base32Test, OctetsAboveAsciiAndLongInput) {
  EXPECT_EQ(Base32Encode(Bytes(5, '\xff')), "77777777");
  EXPECT_EQ(Base32Encode(Bytes(32, '\0')), std::string(52, 'A'));
}

}  // namespace
}  // namespace symbolon
