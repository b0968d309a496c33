#include "wire/serialise.h"

#include <gtest/gtest.h>

#include "wire/test_shapes.h"

namespace symbolon::wire {
namespace {

using test::Whole;

std::string Text(const Whole& whole) { return Serialise(test::kWhole, &whole); }

TEST(Serialise, UnsetMembersAreLeftOut) { EXPECT_EQ(Text({.Id = "a"}), R"({"Id":"a"})"); }

TEST(Serialise, MembersComeInTheOrderOfTheModel) {
  EXPECT_EQ(Text({.Id = "a",
                  .Text = "t",
                  .Shade = test::Colour::kGreen,
                  .Small = -1,
                  .Large = std::numeric_limits<std::int64_t>::min(),
                  .Real = 0.1,
                  .Flag = false,
                  .Blob = Bytes("\0\xff", 2),
                  .Any = Document{R"([1,{"b":null}])"},
                  .Names = {{"x", "y"}},
                  .Shades = {{test::Colour::kRed}},
                  .Parts = {{{.Name = "p"}, {.Name = "q", .Secret = "s"}}},
                  .Tags = {{{"k", "v"}, {"a", "b"}}},
                  .One = test::Part{.Name = "o"}}),
            R"({"Id":"a","Text":"t","Shade":"GREEN","Small":-1,"Large":-9223372036854775808,"Real":0.1,"Flag":false,)"
            R"("Blob":"AP8=","Any":[1,{"b":null}],"Names":["x","y"],"Shades":["RED"],)"
            R"("Parts":[{"Name":"p"},{"Name":"q","Secret":"s"}],"Tags":{"a":"b","k":"v"},"One":{"Name":"o"}})");
}

TEST(Serialise, EmptyListsAndMapsAreWritten) {
  EXPECT_EQ(Text({.Id = "a", .Names = std::vector<std::string>(), .Tags = std::map<std::string, std::string>()}),
            R"({"Id":"a","Names":[],"Tags":{}})");
}

TEST(Serialise, TextIsEscaped) {
  EXPECT_EQ(Text({.Id = std::string("\"\\/\b\f\n\r\t\x1f\0é😀\x7f", 17)}),
            "{\"Id\":\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u001f\\u0000é😀\x7f\"}");
}

TEST(Serialise, TimestampsAreSecondsWithMilliseconds) {
  const auto date = [](std::int64_t micros) { return Text({.Id = "a", .Date = FromMicros(micros)}).substr(17); };
  EXPECT_EQ(date(1520501199421000), "1520501199.421}");
  EXPECT_EQ(date(1520501199000999), "1520501199.000}");
  EXPECT_EQ(date(0), "0.000}");
  EXPECT_EQ(date(-1), "-0.001}");
  EXPECT_EQ(date(-1500000), "-1.500}");
}

}  // namespace
}  // namespace symbolon::wire
