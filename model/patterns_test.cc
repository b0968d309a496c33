// The patterns of all shapes: that the automaton and ICU agree, and that both mean what Java means.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

#include "model/cognito_tables.h"
#include "model/kms_tables.h"
#include "model/own_tables.h"
#include "wire/pattern.h"

namespace symbolon::model {
namespace {

std::vector<const wire::Pattern*> AllPatterns() {
  std::set<const wire::Pattern*> patterns;
  for (const auto& shapes : {std::span<const wire::Shape* const>(cognito::shapes::kAll),
                             std::span<const wire::Shape* const>(kms::shapes::kAll),
                             std::span<const wire::Shape* const>(own::shapes::kAll)}) {
    for (const wire::Shape* shape : shapes) {
      if (shape->pattern != nullptr) patterns.insert(shape->pattern);
    }
  }
  return {patterns.begin(), patterns.end()};
}

TEST(Patterns, TheAutomatonAgreesWithIcu) {
  // Pieces that make matches and near misses likely.
  const std::vector<std::string> pieces = {"a",
                                           "Z",
                                           "0",
                                           "4",
                                           "f",
                                           "_",
                                           "-",
                                           ":",
                                           "arn",
                                           "arn:aws:s",
                                           "+",
                                           "=",
                                           "/",
                                           ".",
                                           ",",
                                           "@",
                                           "{####}",
                                           "{##",
                                           "##}",
                                           " ",
                                           "\t",
                                           "\n",
                                           "\r",
                                           "import-",
                                           "Level1",
                                           "\\",
                                           "\"",
                                           "!",
                                           "~",
                                           "\x7f",
                                           "é",
                                           "\xC2\xA0",
                                           "\xE2\x80\xA8",
                                           "😀",
                                           "tkn",
                                           "us-east-1",
                                           "-4",
                                           "-8",
                                           "0123456789abcdef0123456",
                                           "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f"};
  std::mt19937 random(1);  // NOLINT: the same run every time
  std::vector<std::string> samples = {""};
  for (int i = 0; i < 3000; ++i) {
    std::string sample;
    for (auto count = 1 + random() % 6; count > 0; --count) sample += pieces[random() % pieces.size()];
    samples.push_back(sample);
  }
  int matches = 0;
  for (const wire::Pattern* pattern : AllPatterns()) {
    // Patterns are made to live for ever; what ICU compiled for them as well.
    static auto& patterns_of_icu = *new std::deque<wire::Pattern>();
    const wire::Pattern& by_icu = patterns_of_icu.emplace_back(pattern->text(), pattern->icu(), nullptr, false);
    for (const std::string& sample : samples) {
      const bool expected = by_icu.Matches(sample);
      matches += expected;
      EXPECT_EQ(pattern->Matches(sample), expected) << pattern->text() << " on " << sample;
    }
  }
  EXPECT_GT(matches, 1000);
}

bool Matches(const wire::Shape& shape, std::string_view value) { return shape.pattern->Matches(value); }

TEST(Patterns, WordsAndSpacesAreAsciiAsInJava) {
  EXPECT_TRUE(Matches(cognito::shapes::kClientIdType, "3n4b5urk1ft4fl3mg5e62d9ado"));
  EXPECT_FALSE(Matches(cognito::shapes::kClientIdType, "é"));
  EXPECT_FALSE(Matches(cognito::shapes::kClientIdType, "a b"));
  EXPECT_FALSE(Matches(cognito::shapes::kClientIdType, ""));
  EXPECT_TRUE(Matches(cognito::shapes::kPasswordType, "p\xC2\xA0q"));
  EXPECT_FALSE(Matches(cognito::shapes::kPasswordType, "p q"));
}

TEST(Patterns, UserNamesAreAnyVisibleText) {
  EXPECT_TRUE(Matches(cognito::shapes::kUsernameType, "ann@example.com"));
  EXPECT_TRUE(Matches(cognito::shapes::kUsernameType, "Ærøskøbing"));
  EXPECT_TRUE(Matches(cognito::shapes::kUsernameType, "日本😀"));
  EXPECT_FALSE(Matches(cognito::shapes::kUsernameType, "two words"));
  EXPECT_FALSE(Matches(cognito::shapes::kUsernameType, "日 本"));
  EXPECT_FALSE(Matches(cognito::shapes::kUsernameType, "bell\a"));
}

TEST(Patterns, WholeValuesAreMatched) {
  EXPECT_TRUE(Matches(cognito::shapes::kUserPoolIdType, "eu-central-1_AbC123xyz"));
  EXPECT_TRUE(Matches(cognito::shapes::kUserPoolIdType, "a_b_c"));
  EXPECT_FALSE(Matches(cognito::shapes::kUserPoolIdType, "eu-central-1_"));
  EXPECT_FALSE(Matches(cognito::shapes::kUserPoolIdType, "eu-central-1"));
  EXPECT_FALSE(Matches(cognito::shapes::kUserPoolIdType, "eu-central-1_AbC "));
  EXPECT_FALSE(Matches(cognito::shapes::kUserPoolIdType, "eu-central-1_AbC\n"));
}

TEST(Patterns, LongTextsOutsideAsciiAreMatched) {
  const std::string words = std::string(9000, 'x') + "é";
  EXPECT_TRUE(Matches(cognito::shapes::kEmailVerificationMessageByLinkType, words + "{##here##}" + words));
  EXPECT_TRUE(Matches(cognito::shapes::kEmailVerificationMessageType, words + "{####}" + words));
}

// A text on which the pattern would backtrack for long is given up.
TEST(Patterns, WorkIsBounded) {
  std::string text;
  while (text.size() < 20000) text += "{##";
  EXPECT_FALSE(Matches(cognito::shapes::kEmailVerificationMessageByLinkType, text + "é"));
}

}  // namespace
}  // namespace symbolon::model
