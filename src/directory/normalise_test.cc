#include "directory/normalise.h"

#include <gtest/gtest.h>

namespace symbolon::directory {
namespace {

TEST(FoldCase, AsciiBecomesLowerCase) {
  EXPECT_EQ(FoldCase(""), "");
  EXPECT_EQ(FoldCase("AZaz@[`{09_"), "azaz@[`{09_");
}

TEST(FoldCase, LettersOfEveryScriptFold) {
  EXPECT_EQ(FoldCase("ÄÖÜ"), "äöü");
  EXPECT_EQ(FoldCase("ΣΊΣΥΦΟΣ"), FoldCase("σίσυφος"));
  EXPECT_EQ(FoldCase("ИВАН"), "иван");
  EXPECT_EQ(FoldCase("STRASSE"), FoldCase("straße"));
}

TEST(FoldCase, IsNoLocalesCase) {
  // Turkish would map I to a dotless ı.
  EXPECT_EQ(FoldCase("TITLE İ"), FoldCase("title i\u0307"));
  EXPECT_NE(FoldCase("ı"), FoldCase("i"));
}

TEST(FoldCase, ComposedAndDecomposedAreOne) {
  EXPECT_EQ(FoldCase("e\u0301"), "é");
  EXPECT_EQ(FoldCase("E\u0301"), "é");
  EXPECT_EQ(FoldCase("\u212B"), "å");  // ångström sign
}

TEST(FoldCase, FoldingAgainChangesNothing) {
  for (const char* text : {"ΐ", "ŉ", "ǰ", "ﬃ", "ẞ", "ᾳ\u0301", "\u0345\u0301", "ϒ\u0301"}) {
    EXPECT_EQ(FoldCase(FoldCase(text)), FoldCase(text)) << text;
  }
}

}  // namespace
}  // namespace symbolon::directory
