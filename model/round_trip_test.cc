// Every structure of every service with every member set: JSON text to the struct and back is the same text.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "model/cognito_tables.h"
#include "model/kms_tables.h"
#include "model/own_tables.h"
#include "wire/constraints.h"
#include "wire/parse.h"
#include "wire/pattern.h"
#include "wire/serialise.h"

namespace symbolon::model {
namespace {

// A value within the bounds of a string shape.
std::string SampleText(const wire::Shape& shape) {
  static const std::string kCandidates[] = {"a",
                                            "abcdef",
                                            "Zürich",
                                            "123456",
                                            "Level1",
                                            "a@b",
                                            "us-east-1",
                                            "eu-central-1_0a1b2c3d",
                                            "arn:aws:kms:eu-central-1:000000000000:key/1",
                                            "arn:aws:s3:::bucket",
                                            "cognito-idp.amazonaws.com",
                                            "import-0aZ",
                                            "tkn0123456789abcdefghijklmno",
                                            "{####}",
                                            "{##a##}",
                                            "terms-of-use",
                                            "cognito:english",
                                            "cluster-abcdefghijk",
                                            "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f"};
  const std::size_t length_min = shape.min == wire::kNoMin ? 0 : shape.min;
  for (std::string candidate : kCandidates) {
    while (candidate.size() < length_min) candidate += candidate.back();
    wire::Broken broken;
    wire::CheckText(shape, candidate, broken);
    if (broken.empty()) return candidate;
  }
  ADD_FAILURE() << "no sample for " << shape.name;
  return {};
}

std::string Sample(const wire::Shape& shape);

std::string SampleEntries(const wire::Shape& shape, std::string_view entry) {
  std::string text(entry);
  for (std::int64_t count = 1; shape.min != wire::kNoMin && count < shape.min; ++count)
    text += "," + std::string(entry);
  return text;
}

std::string SampleMembers(const wire::Shape& shape) {
  std::string text;
  for (const wire::Member& member : shape.members) {
    text += fmt::format(R"({}"{}":{})", text.empty() ? "" : ",", member.name, Sample(*member.shape));
  }
  return text;
}

std::string SampleNumber(const wire::Shape& shape) {
  return fmt::format("{}", shape.min != wire::kNoMin ? shape.min : shape.max != wire::kNoMax ? shape.max : 7);
}

std::string Sample(const wire::Shape& shape) {
  switch (shape.kind) {
    case wire::Kind::kString:
      return fmt::format(R"("{}")", SampleText(shape));
    case wire::Kind::kEnum:
      return fmt::format(R"("{}")", shape.enum_values.back());
    case wire::Kind::kInteger:
    case wire::Kind::kLong:
      return SampleNumber(shape);
    case wire::Kind::kDouble:
      return "0.25";
    case wire::Kind::kBoolean:
      return "true";
    case wire::Kind::kTimestamp:
      return "1520501199.421";
    case wire::Kind::kBlob:
      return R"("AAEC")";
    case wire::Kind::kDocument:
      return R"({"a":[1,{"b":null}]})";
    case wire::Kind::kList:
      if (shape.max == 0) return "[]";
      return "[" + SampleEntries(shape, Sample(*shape.element)) + "]";
    case wire::Kind::kMap:
      return fmt::format("{{{}:{}}}", Sample(*shape.key), Sample(*shape.element));
    case wire::Kind::kStructure:
      return "{" + SampleMembers(shape) + "}";
  }
  return {};
}

class RoundTrip : public testing::TestWithParam<std::span<const wire::Shape* const>> {};

TEST_P(RoundTrip, TextToStructToText) {
  for (const wire::Shape* shape : GetParam()) {
    if (shape->kind != wire::Kind::kStructure) continue;
    const std::string text = Sample(*shape);
    wire::ParseReport report;
    const auto request = wire::ParseRequest(*shape, text, report);
    ASSERT_TRUE(request) << shape->name << ": " << request.error().message << " in " << text;
    EXPECT_EQ(wire::Serialise(*shape, request->object()), text) << shape->name;
    EXPECT_EQ(report.unknown_members, 0);
  }
}

TEST_P(RoundTrip, OptionalMembersStayUnset) {
  for (const wire::Shape* shape : GetParam()) {
    if (shape->kind != wire::Kind::kStructure) continue;
    std::string text = "{";
    for (const wire::Member& member : shape->members) {
      if (member.required())
        text += fmt::format(R"({}"{}":{})", text.size() > 1 ? "," : "", member.name, Sample(*member.shape));
    }
    text += "}";
    wire::ParseReport report;
    const auto request = wire::ParseRequest(*shape, text, report);
    ASSERT_TRUE(request) << shape->name << ": " << request.error().message;
    EXPECT_EQ(wire::Serialise(*shape, request->object()), text) << shape->name;
  }
}

using Shapes = std::span<const wire::Shape* const>;
INSTANTIATE_TEST_SUITE_P(Services, RoundTrip,
                         testing::Values(Shapes(cognito::shapes::kAll), Shapes(kms::shapes::kAll),
                                         Shapes(own::shapes::kAll)),
                         [](const auto& info) { return std::string(std::array{"Cognito", "Kms", "Own"}[info.index]); });

}  // namespace
}  // namespace symbolon::model
