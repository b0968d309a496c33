#include "base/bytes.h"

#include <gtest/gtest.h>

namespace symbolon {
namespace {

TEST(Base64, PublishedVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},         {"f", "Zg=="},     {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},  {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    EXPECT_EQ(Base64Decode(encoded), plain);
  }
}

TEST(Base64, RefusesStrayBitsMissingPaddingAndForeignCharacters) {
  for (const char* bad : {"Zh==", "Zg=", "Zg", "Z===", "Zm9v\n", "Zm-_", "====", "=Zg="}) {
    EXPECT_EQ(Base64Decode(bad), std::nullopt) << bad;
  }
  for (const char* bad : {"Zh", "Zg==", "Z", "Zm+/", " Zg"}) EXPECT_EQ(Base64UrlDecode(bad), std::nullopt) << bad;
}

TEST(Base64, UrlAlphabetRoundTripsEveryOctet) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  for (std::size_t length = 0; length <= all.size(); ++length) {
    const Bytes bytes = all.substr(all.size() - length);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)), bytes);
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
    EXPECT_EQ(HexDecode(HexEncode(bytes)), bytes);
  }
}

TEST(Hex, RefusesOddLengthAndForeignCharacters) {
  EXPECT_EQ(HexDecode("abc"), std::nullopt);
  EXPECT_EQ(HexDecode("0g"), std::nullopt);
  EXPECT_EQ(HexDecode("AbCd"), "\xab\xcd");
}

TEST(BigEndian, EncodedNumbersSortAsNumbersDo) {
  Bytes small, large;
  AppendBigEndian64(small, 255);
  AppendBigEndian64(large, 256);
  EXPECT_LT(small, large);
  EXPECT_EQ(ReadBigEndian64(large), 256u);
  Bytes narrow;
  AppendBigEndian16(narrow, 0xfedc);
  AppendBigEndian32(narrow, 0x89abcdef);
  EXPECT_EQ(ReadBigEndian16(narrow), 0xfedc);
  EXPECT_EQ(ReadBigEndian32(BytesView(narrow).substr(2)), 0x89abcdefu);
}

}  // namespace
}  // namespace symbolon
