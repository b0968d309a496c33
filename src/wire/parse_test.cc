#include "wire/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/test_shapes.h"

namespace symbolon::wire {
namespace {

using test::Colour;
using test::Whole;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kFailed = " failed to satisfy constraint: ";

// The parsed object; the test fails if there is none.
Request Parsed(std::string_view body, ParseReport* report = nullptr) {
  ParseReport ignored;
  auto result = ParseRequest(test::kWhole, body, report == nullptr ? ignored : *report);
  if (result) return *std::move(result);
  ADD_FAILURE() << result.error().message;
  return Request(test::kWhole);
}

ParseError Failure(std::string_view body) {
  ParseReport report;
  auto result = ParseRequest(test::kWhole, body, report);
  if (!result) return std::move(result).error();
  ADD_FAILURE() << "parsed: " << body;
  return {};
}

// The message of a body that breaks constraints only, without "N validation error(s) detected: ".
std::string Broken(std::string_view members) {
  const ParseError error = Failure(R"({"Id":"a",)" + std::string(members) + "}");
  EXPECT_EQ(error.kind, ParseError::Kind::kConstraint) << error.message;
  const std::string prefix = "1 validation error detected: ";
  EXPECT_TRUE(error.message.starts_with(prefix)) << error.message;
  return error.message.substr(prefix.size());
}

// The message of a body of the wrong type.
std::string Malformed(std::string_view members) {
  const ParseError error = Failure(R"({"Id":"a",)" + std::string(members) + "}");
  EXPECT_EQ(error.kind, ParseError::Kind::kMalformed) << error.message;
  return error.message;
}

TEST(Parse, EveryKind) {
  const Request request = Parsed(R"({"Id":"abc","Text":"\u00e9\ud83d\ude00\n","Shade":"GREEN","Small":60,
      "Large":9223372036854775807,"Real":-0.5,"Flag":true,"Date":1520501199.421,"Blob":"AAEC","Any":{"a":[1,null]},
      "Names":["a","b"],"Shades":["RED","GREEN"],"Parts":[{"Name":"p"}],"Tags":{"k":"v"},"One":{"Name":"q","Secret":"sesame"}})");
  const auto& whole = request.As<Whole>();
  EXPECT_EQ(whole.Id, "abc");
  EXPECT_EQ(whole.Text, "é😀\n");
  EXPECT_EQ(whole.Shade, Colour::kGreen);
  EXPECT_EQ(whole.Small, 60);
  EXPECT_EQ(whole.Large, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(whole.Real, -0.5);
  EXPECT_EQ(whole.Flag, true);
  EXPECT_EQ(whole.Date, FromMicros(1520501199421000));
  EXPECT_EQ(whole.Blob, Bytes("\0\1\2", 3));
  EXPECT_EQ(whole.Any->json, R"({"a":[1,null]})");
  EXPECT_EQ(whole.Names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(whole.Shades, (std::vector{Colour::kRed, Colour::kGreen}));
  EXPECT_EQ(whole.Parts->at(0).Name, "p");
  EXPECT_EQ(whole.Tags->at("k"), "v");
  EXPECT_EQ(whole.One->Secret, "sesame");
  EXPECT_FALSE(whole.Hidden);
}

TEST(Parse, NullIsUnset) {
  const Request request = Parsed(R"({"Id":"a","Text":null,"Names":null,"One":null,"Tags":{"k":null}})");
  EXPECT_FALSE(request.As<Whole>().Text);
  EXPECT_FALSE(request.As<Whole>().Names);
  EXPECT_FALSE(request.As<Whole>().One);
  EXPECT_TRUE(request.As<Whole>().Tags->empty());
  EXPECT_EQ(Failure(R"({"Id":null})").message,
            "1 validation error detected: Value null at 'id' failed to satisfy constraint: Member must not be null");
}

TEST(Parse, AnEmptyListIsNotAnUnsetOne) {
  const Request request = Parsed(R"({"Id":"a","Shades":[]})");
  ASSERT_TRUE(request.As<Whole>().Shades);
  EXPECT_TRUE(request.As<Whole>().Shades->empty());
}

TEST(Parse, UnknownMembersAreCountedAndIgnored) {
  ParseReport report;
  Parsed(R"({"Id":"a","New":{"deep":[1,2]},"One":{"Name":"b","Newer":1}})", &report);
  EXPECT_EQ(report.unknown_members, 2);
}

TEST(Parse, OfARepeatedMemberTheLastOneCounts) {
  EXPECT_EQ(Parsed(R"({"Id":"a","Id":"b"})").As<Whole>().Id, "b");
  EXPECT_EQ(Parsed(R"({"Id":"a","Tags":{"k":"v","k":"w"}})").As<Whole>().Tags->at("k"), "w");
}

TEST(Parse, MembersComeInAnyOrder) {
  const Request request = Parsed(R"({"Flag":false,"Text":"t","Id":"a","Small":1})");
  EXPECT_EQ(request.As<Whole>().Id, "a");
  EXPECT_EQ(request.As<Whole>().Text, "t");
}

TEST(Parse, EveryConstraintInAwsWords) {
  EXPECT_EQ(Broken(R"("Text":"x","Id":"A")"),
            "Value 'A' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+");
  EXPECT_EQ(Broken(R"("Id":"abcdef")"),
            "Value 'abcdef' at 'id' failed to satisfy constraint: Member must have length less than or equal to 5");
  EXPECT_EQ(Broken(R"("Small":0)"),
            "Value '0' at 'small' failed to satisfy constraint: Member must have value greater than or equal to 1");
  EXPECT_EQ(Broken(R"("Small":61)"),
            "Value '61' at 'small' failed to satisfy constraint: Member must have value less than or equal to 60");
  EXPECT_EQ(Broken(R"("Shade":"BLUE")"),
            "Value 'BLUE' at 'shade' failed to satisfy constraint: Member must satisfy enum value set: [RED, GREEN]");
  EXPECT_EQ(Broken(R"("Names":[])"),
            "Value '[]' at 'names' failed to satisfy constraint: Member must have length greater than or equal to 1");
  EXPECT_EQ(
      Broken(R"("Names":["a","b","c","d"])"),
      "Value '[a, b, c, d]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 3");
  EXPECT_EQ(Broken(R"("Blob":"AAECAwQ=")"),
            "Value 'AAECAwQ=' at 'blob' failed to satisfy constraint: Member must have length less than or equal to 4");
  EXPECT_EQ(Broken(R"("Tags":{"a":"a","b":"b","c":"c"})"),
            "Value '{a=a, b=b, c=c}' at 'tags' failed to satisfy constraint: Member must have length less than or "
            "equal to 2");
}

TEST(Parse, ElementsAreReportedAtTheirListOrMap) {
  const std::string all =
      "[Member must have length less than or equal to 5, Member must have length greater than or equal to 1, "
      "Member must satisfy regular expression pattern: [a-z]+]";
  EXPECT_EQ(Broken(R"("Names":["a","B","C"])"),
            "Value '[a, B, C]' at 'names' failed to satisfy constraint: Member must satisfy constraint: " + all);
  EXPECT_EQ(
      Broken(R"("Shades":["RED","BLUE"])"),
      "Value '[RED, BLUE]' at 'shades' failed to satisfy constraint: Member must satisfy constraint: [Member must "
      "satisfy enum value set: [RED, GREEN]]");
  EXPECT_EQ(Broken(R"("Tags":{"K":"v"})"),
            "Value '{K=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: " + all);
  EXPECT_EQ(Broken(R"("Tags":{"k":"V"})"),
            "Value '{k=V}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: " + all);
}

TEST(Parse, MembersOfElementsHaveAPath) {
  EXPECT_EQ(Broken(R"("Parts":[{"Name":"a"},{}])"),
            "Value null at 'parts.2.member.name' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(Broken(R"("One":{"Name":"A"})"), "Value 'A' at 'one.name'" + std::string(kFailed) +
                                                 "Member must satisfy regular expression pattern: [a-z]+");
}

TEST(Parse, AllFailuresComeInOneMessage) {
  EXPECT_EQ(
      Failure(R"({"Small":0,"Shade":"BLUE"})").message,
      "3 validation errors detected: Value '0' at 'small' failed to satisfy constraint: Member must have value greater "
      "than or equal to 1; Value 'BLUE' at 'shade' failed to satisfy constraint: Member must satisfy enum value set: "
      "[RED, GREEN]; Value null at 'id' failed to satisfy constraint: Member must not be null");
}

TEST(Parse, SensitiveValuesAreNotEchoed) {
  EXPECT_EQ(Broken(R"("Password":"hush")"),
            "Value at 'password' failed to satisfy constraint: Member must have length greater than or equal to 6");
  EXPECT_EQ(Broken(R"("One":{"Name":"a","Secret":"hush"})"),
            "Value at 'one.secret' failed to satisfy constraint: Member must have length greater than or equal to 6");
  EXPECT_THAT(Broken(R"("Hidden":{"a":"HUSH"})"), Not(HasSubstr("HUSH")));
  // A list that is too long would show the secrets of its elements.
  EXPECT_THAT(Broken(R"("Parts":[{"Name":"a","Secret":"hushhush"},{"Name":"a"},{"Name":"a"}])"),
              Not(HasSubstr("hush")));
}

TEST(Parse, MessagesAreBounded) {
  const std::string message = Broken("\"Id\":\"" + std::string(100000, 'a') + "\"");
  EXPECT_LT(message.size(), 500);
  EXPECT_THAT(message, HasSubstr("aaa...'"));
  EXPECT_LT(Broken("\"Names\":[\"" + std::string(300, 'A') + "\",\"é\"]").size(), 700);
}

TEST(Parse, LengthsCountUtf16Units) {
  ParseReport report;
  static constexpr Shape kShort = {.name = "Short", .kind = Kind::kString, .max = 2};
  static constexpr Member kMembers[] = {{"Id", &kShort, 0, nullptr}};
  static constexpr Shape kHolder = {
      .name = "Holder", .kind = Kind::kStructure, .structure = &kStructureAccess<std::string>, .members = kMembers};
  EXPECT_TRUE(ParseRequest(kHolder, R"({"Id":"éé"})", report));
  EXPECT_TRUE(ParseRequest(kHolder, R"({"Id":"😀"})", report));
  EXPECT_FALSE(ParseRequest(kHolder, R"({"Id":"😀a"})", report));
}

TEST(Parse, AnotherTypeIsATypeError) {
  EXPECT_EQ(Malformed(R"("Text":1)"), "NUMBER_VALUE can not be converted to a String at 'text'");
  EXPECT_EQ(Malformed(R"("Text":{})"), "START_OBJECT can not be converted to a String at 'text'");
  EXPECT_EQ(Malformed(R"("Small":"1")"), "STRING_VALUE can not be converted to an Integer at 'small'");
  EXPECT_EQ(Malformed(R"("Flag":"true")"), "STRING_VALUE can not be converted to a Boolean at 'flag'");
  EXPECT_EQ(Malformed(R"("Date":"2026-01-01")"), "STRING_VALUE can not be converted to a Timestamp at 'date'");
  EXPECT_EQ(Malformed(R"("Blob":"***")"), "STRING_VALUE can not be converted to a Blob at 'blob'");
  EXPECT_EQ(Malformed(R"("Names":"a")"), "STRING_VALUE can not be converted to a list at 'names'");
  EXPECT_EQ(Malformed(R"("Names":[1])"), "NUMBER_VALUE can not be converted to a String at 'names.1.member'");
  EXPECT_EQ(Malformed(R"("Names":["a",null])"), "VALUE_NULL can not be converted to an element at 'names.2.member'");
  EXPECT_EQ(Malformed(R"("Tags":[])"), "START_ARRAY can not be converted to a map at 'tags'");
  EXPECT_EQ(Malformed(R"("One":[])"), "START_ARRAY can not be converted to a structure at 'one'");
  EXPECT_EQ(Malformed(R"("Shade":1)"), "NUMBER_VALUE can not be converted to a String at 'shade'");
}

TEST(Parse, HugeNumbersAreRefusedAndWholeDoublesAreNot) {
  EXPECT_EQ(Parsed(R"({"Id":"a","Small":6e1})").As<Whole>().Small, 60);
  for (const char* number :
       {"2147483648", "-2147483649", "1e10", "1.5", "99999999999999999999999", "18446744073709551615"}) {
    EXPECT_THAT(Malformed("\"Small\":" + std::string(number)), HasSubstr("an Integer")) << number;
  }
  for (const char* number : {"9223372036854775808", "1e300", "0.5", "-9223372036854775809"}) {
    EXPECT_THAT(Malformed("\"Large\":" + std::string(number)), HasSubstr("a Long")) << number;
  }
  EXPECT_THAT(Malformed(R"("Date":1e300)"), HasSubstr("a Timestamp"));
  EXPECT_EQ(Failure(R"({"Id":"a","Real":1e99999999999999999999})").kind, ParseError::Kind::kMalformed);
}

TEST(Parse, TextThatIsNotJsonIsRefused) {
  using namespace std::string_literals;
  for (const std::string& body :
       {"{"s, "[]"s, "1"s, "null"s, "{\"Id\":\"a\"}x"s, "{'Id':'a'}"s, "{\"Id\":\"a\",}"s, "{\"Id\":NaN}"s,
        "{\"Id\":\"\n\"}"s, "\xEF\xBB\xBF{}"s, " "s, "{\"Id\":\"a\"}\0"s, "// {}"s}) {
    EXPECT_EQ(Failure(body).kind, ParseError::Kind::kMalformed) << body;
  }
}

TEST(Parse, AnEmptyBodyIsAnEmptyObject) { EXPECT_EQ(Failure("").kind, ParseError::Kind::kConstraint); }

TEST(Parse, TextThatIsNotUtf8IsRefused) {
  for (const std::string text :
       {"\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\\ud800", "\\ud800\\u0041", "\\udc00"}) {
    EXPECT_EQ(Failure("{\"Id\":\"a\",\"Text\":\"" + text + "\"}").kind, ParseError::Kind::kMalformed) << text;
    EXPECT_EQ(Failure("{\"Id\":\"a\",\"" + text + "\":1}").kind, ParseError::Kind::kMalformed) << text;
  }
}

TEST(Parse, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return R"({"Id":"a","Any":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  Parsed(nested(kDepthMax - 1));
  EXPECT_EQ(Failure(nested(kDepthMax)).message, "The request body is nested too deeply");
  EXPECT_EQ(Failure(nested(1000000)).message, "The request body is nested too deeply");
}

TEST(Parse, ManyFailuresAreListedUpToABound) {
  std::string parts;
  for (std::size_t i = 0; i < 2 * kViolationsMax; ++i) parts += (i == 0 ? "" : ",") + std::string(R"({"Name":"A"})");
  static constexpr Shape kMany = {
      .name = "Many", .kind = Kind::kList, .element = &test::kPart, .list = &kListAccess<test::Part>};
  static constexpr Member kMembers[] = {{"Parts", &kMany, 0, nullptr}};
  static constexpr Shape kHolder = {.name = "Holder",
                                    .kind = Kind::kStructure,
                                    .structure = &kStructureAccess<std::vector<test::Part>>,
                                    .members = kMembers};
  ParseReport report;
  auto result = ParseRequest(kHolder, "{\"Parts\":[" + parts + "]}", report);
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().message.starts_with(std::to_string(kViolationsMax) + " validation errors detected: "));
}

TEST(Request, TextReadsAMemberIfItIsThereAndSet) {
  const Request request = Parsed(R"({"Id":"a"})");
  EXPECT_EQ(request.Text(FindMember(test::kWhole, "Id")), "a");
  EXPECT_EQ(request.Text(FindMember(test::kWhole, "Text")), std::nullopt);
  EXPECT_EQ(request.Text(nullptr), std::nullopt);
}

TEST(Request, SensitiveMembersAreWiped) {
  Whole whole;
  whole.Id = "clear";
  whole.Password = "sesame";
  whole.Parts = {{.Name = "clear", .Secret = "sesame"}};
  whole.Hidden.emplace()["k"] = "sesame";
  WipeSensitive(test::kWhole, &whole);
  const std::string zeros(6, '\0');
  EXPECT_EQ(whole.Id, "clear");
  EXPECT_EQ(whole.Password, zeros);
  EXPECT_EQ(whole.Parts->at(0).Name, "clear");
  EXPECT_EQ(whole.Parts->at(0).Secret, zeros);
  EXPECT_EQ(whole.Hidden->at("k"), zeros);
}

}  // namespace
}  // namespace symbolon::wire
