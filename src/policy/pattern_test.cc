#include "policy/pattern.h"

#include <gtest/gtest.h>

namespace symbolon::policy {
namespace {

Pattern Like(std::string_view text) { return Pattern::Parse(text, {}).value(); }

TEST(PatternTest, WildcardsMatchAsPoliciesSayTheyDo) {
  struct Row {
    const char* pattern;
    const char* subject;
    bool matches;
  };
  constexpr Row kRows[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything:/at*all", true},
      {"a", "a", true},
      {"a", "A", false},
      {"a", "aa", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"a?c", "abbc", false},
      {"a*c", "ac", true},
      {"a*c", "abcbc", true},
      {"a*c", "abcb", false},
      {"*b*", "abc", true},
      {"**a**", "a", true},
      {"a*b*c", "aXbXbXc", true},
      {"?*", "", false},
      {"?*", "x", true},
      {"*?", "x", true},
      {"ab*ab", "ab", false},
      {"ab*ab", "abab", true},
      {"*aab", "aaaab", true},
      {"?", "\xc3\xa9", true},
      {"??", "\xc3\xa9", false},
      {"caf?s", "caf\xc3\xa9s", true},
  };
  for (const Row& row : kRows)
    EXPECT_EQ(Like(row.pattern).Matches(row.subject), row.matches) << row.pattern << ' ' << row.subject;
}

// What goes back to every star takes longer than the age of the world here.
TEST(PatternTest, ManyStarsBeforeAMismatchEnd) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(Like(pattern).Matches(std::string(60'000, 'a')));
  EXPECT_TRUE(Like(pattern).Matches(std::string(60'000, 'a') + "b"));
}

// Against an obvious recursive matcher, over every pattern and text of a small alphabet.
bool Obviously(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return Obviously(pattern.substr(1), text) || (!text.empty() && Obviously(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && Obviously(pattern.substr(1), text.substr(1));
}

std::vector<std::string> AllTexts(std::string_view alphabet, std::size_t length_max) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() == length_max) break;
    for (const char c : alphabet) texts.push_back(texts[i] + c);
  }
  return texts;
}

TEST(PatternTest, AgreesWithAnObviousMatcher) {
  const auto subjects = AllTexts("ab", 5);
  for (const std::string& text : AllTexts("ab*?", 5)) {
    const Pattern pattern = Like(text);
    for (const std::string& subject : subjects) {
      ASSERT_EQ(pattern.Matches(subject), Obviously(text, subject)) << text << ' ' << subject;
    }
  }
}

TEST(PatternTest, VariablesStandForValuesLiterally) {
  Context context;
  context.Add("aws:username", "a*b");
  const auto parse = [](std::string_view text) { return Pattern::Parse(text, {.variables = true}); };
  const Pattern home = parse("home/${aws:UserName}/*").value();
  EXPECT_TRUE(home.Matches("home/a*b/x", context));
  EXPECT_FALSE(home.Matches("home/aXb/x", context));
  EXPECT_FALSE(home.Matches("home//x", Context()));
  EXPECT_FALSE(home.Resolves(Context()));
  const Pattern with_default = parse("${aws:username, 'nobody'}").value();
  EXPECT_TRUE(with_default.Matches("nobody", Context()));
  EXPECT_FALSE(with_default.Matches("nobody", context));
  const Pattern escaped = parse("${*}${?}${$}").value();
  EXPECT_TRUE(escaped.Matches("*?$", context));
  EXPECT_FALSE(escaped.Matches("ab$", context));
}

TEST(PatternTest, VariablesThatCannotStandAreRefused) {
  const auto error = [](std::string_view text) { return Pattern::Parse(text, {.variables = true}).error(); };
  EXPECT_EQ(error("${aws:username"), "has a ${ without }");
  EXPECT_EQ(error("${aws:PrincipalTag/team}"), "has the variable ${aws:PrincipalTag/team}, which is not known here");
  EXPECT_EQ(error("${kms:GrantOperations}"), "has the variable ${kms:GrantOperations}, which may have many values");
  EXPECT_EQ(error("${aws:username, x}"), "has the variable ${aws:username, x}, whose default is not in single quotes");
  EXPECT_EQ(error(std::string(2049, 'a')), "is longer than 2048 octets");
  // Before Version 2012-10-17 it is text like any other.
  EXPECT_TRUE(Like("${aws:username").Matches("${aws:username"));
}

TEST(PatternTest, PartsOfArnsAreMatchedEachForItself) {
  const auto arn = [](std::string_view text) { return ArnPattern::Parse(text, false).value(); };
  const Context none;
  constexpr const char* kPool = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_AbC123xyz";
  EXPECT_TRUE(arn(kPool).Matches(kPool, none));
  EXPECT_TRUE(arn("arn:aws:cognito-idp:*:000000000000:userpool/*").Matches(kPool, none));
  EXPECT_TRUE(arn("*").Matches(kPool, none));
  EXPECT_FALSE(arn("arn:aws:*:000000000000:userpool/*:x").Matches(kPool, none));
  EXPECT_FALSE(arn("arn:aws:cognito-idp:*:userpool/*:*").Matches(kPool, none));
  EXPECT_FALSE(arn("arn:aws:cognito-idp:*:*:*").Matches("userpool", none));
  EXPECT_FALSE(ArnPattern::Parse("arn:aws:kms", false));
  EXPECT_FALSE(ArnPattern::Parse("aws:arn:a:b:c:d", false));
}

}  // namespace
}  // namespace symbolon::policy
