// A small API with one member of every kind, for the tests of this folder.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "wire/document.h"
#include "wire/pattern.h"
#include "wire/shape.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winvalid-offsetof"

namespace symbolon::wire::test {

enum class Colour : std::uint16_t { kRed, kGreen };

struct Part {
  std::string Name{};
  std::optional<std::string> Secret{};
};

struct Whole {
  std::string Id{};
  std::optional<std::string> Text{};
  std::optional<std::string> Password{};
  std::optional<Colour> Shade{};
  std::optional<std::int32_t> Small{};
  std::optional<std::int64_t> Large{};
  std::optional<double> Real{};
  std::optional<bool> Flag{};
  std::optional<Timestamp> Date{};
  std::optional<Bytes> Blob{};
  std::optional<Document> Any{};
  std::optional<std::vector<std::string>> Names{};
  std::optional<std::vector<Colour>> Shades{};
  std::optional<std::vector<Part>> Parts{};
  std::optional<std::map<std::string, std::string>> Tags{};
  std::optional<std::map<std::string, std::string>> Hidden{};
  std::optional<Part> One{};
};

// [a-z]+
inline constexpr PatternRow kLowerRow{{{0, 0x07fffffe00000000}, false, true}};
inline constinit const Pattern kLower("[a-z]+", "[a-z]+", &kLowerRow, true);

inline constexpr std::string_view kColours[] = {"RED", "GREEN"};

inline constexpr Shape kText = {.name = "Text", .kind = Kind::kString};
inline constexpr Shape kId = {.name = "Id", .kind = Kind::kString, .min = 1, .max = 5, .pattern = &kLower};
inline constexpr Shape kPassword = {
    .name = "Password", .kind = Kind::kString, .sensitive = true, .holds_sensitive = true, .min = 6};
inline constexpr Shape kColour = {.name = "Colour", .kind = Kind::kEnum, .enum_values = kColours};
inline constexpr Shape kSmall = {.name = "Small", .kind = Kind::kInteger, .min = 1, .max = 60};
inline constexpr Shape kLarge = {.name = "Large", .kind = Kind::kLong};
inline constexpr Shape kReal = {.name = "Real", .kind = Kind::kDouble};
inline constexpr Shape kFlag = {.name = "Flag", .kind = Kind::kBoolean};
inline constexpr Shape kDate = {.name = "Date", .kind = Kind::kTimestamp};
inline constexpr Shape kBlob = {.name = "Blob", .kind = Kind::kBlob, .max = 4};
inline constexpr Shape kAny = {.name = "Any", .kind = Kind::kDocument};
inline constexpr Shape kNames = {
    .name = "Names", .kind = Kind::kList, .min = 1, .max = 3, .element = &kId, .list = &kListAccess<std::string>};
inline constexpr Shape kShades = {
    .name = "Shades", .kind = Kind::kList, .element = &kColour, .list = &kListAccess<Colour>};

inline constexpr Member kPartMembers[] = {
    {"Name", &kId, offsetof(Part, Name), nullptr},
    {"Secret", &kPassword, offsetof(Part, Secret), &kSlot<std::string>},
};
inline constexpr Shape kPart = {.name = "Part",
                                .kind = Kind::kStructure,
                                .holds_sensitive = true,
                                .structure = &kStructureAccess<Part>,
                                .members = kPartMembers};
inline constexpr Shape kParts = {.name = "Parts",
                                 .kind = Kind::kList,
                                 .holds_sensitive = true,
                                 .max = 2,
                                 .element = &kPart,
                                 .list = &kListAccess<Part>};
inline constexpr Shape kTags = {
    .name = "Tags", .kind = Kind::kMap, .max = 2, .element = &kId, .key = &kId, .map = &kMapAccess<std::string>};
inline constexpr Shape kHidden = {.name = "Hidden",
                                  .kind = Kind::kMap,
                                  .sensitive = true,
                                  .holds_sensitive = true,
                                  .element = &kId,
                                  .key = &kText,
                                  .map = &kMapAccess<std::string>};

inline constexpr Member kWholeMembers[] = {
    {"Id", &kId, offsetof(Whole, Id), nullptr},
    {"Text", &kText, offsetof(Whole, Text), &kSlot<std::string>},
    {"Password", &kPassword, offsetof(Whole, Password), &kSlot<std::string>},
    {"Shade", &kColour, offsetof(Whole, Shade), &kSlot<Colour>},
    {"Small", &kSmall, offsetof(Whole, Small), &kSlot<std::int32_t>},
    {"Large", &kLarge, offsetof(Whole, Large), &kSlot<std::int64_t>},
    {"Real", &kReal, offsetof(Whole, Real), &kSlot<double>},
    {"Flag", &kFlag, offsetof(Whole, Flag), &kSlot<bool>},
    {"Date", &kDate, offsetof(Whole, Date), &kSlot<Timestamp>},
    {"Blob", &kBlob, offsetof(Whole, Blob), &kSlot<Bytes>},
    {"Any", &kAny, offsetof(Whole, Any), &kSlot<Document>},
    {"Names", &kNames, offsetof(Whole, Names), &kSlot<std::vector<std::string>>},
    {"Shades", &kShades, offsetof(Whole, Shades), &kSlot<std::vector<Colour>>},
    {"Parts", &kParts, offsetof(Whole, Parts), &kSlot<std::vector<Part>>},
    {"Tags", &kTags, offsetof(Whole, Tags), &kSlot<std::map<std::string, std::string>>},
    {"Hidden", &kHidden, offsetof(Whole, Hidden), &kSlot<std::map<std::string, std::string>>},
    {"One", &kPart, offsetof(Whole, One), &kSlot<Part>},
};
inline constexpr Shape kWhole = {.name = "Whole",
                                 .kind = Kind::kStructure,
                                 .holds_sensitive = true,
                                 .structure = &kStructureAccess<Whole>,
                                 .members = kWholeMembers};

}  // namespace symbolon::wire::test

#pragma clang diagnostic pop
