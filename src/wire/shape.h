// Descriptors of the API's shapes: what the parser, the validator and the serialiser read instead of having code per
// shape.
//
// A descriptor knows a C++ type only by offsets and a few functions (Slot, List, Map, Structure), which the templates
// at the end of this header make for every type that the generated structs use. All descriptors are constants; reading
// them is thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace symbolon::wire {

class Pattern;
struct Shape;

enum class Kind : std::uint8_t {
  kString,     // std::string
  kEnum,       // an enum class over std::uint16_t, whose values index Shape::enum_values
  kInteger,    // std::int32_t
  kLong,       // std::int64_t
  kDouble,     // double
  kBoolean,    // bool
  kTimestamp,  // Timestamp; seconds since 1970 on the wire
  kBlob,       // Bytes; base64 on the wire
  kDocument,   // Document
  kList,       // std::vector
  kMap,        // std::map<std::string, ...>
  kStructure,  // a generated struct
};

// How to reach the value inside a std::optional.
struct Slot {
  // Makes a fresh value and returns it.
  void* (*emplace)(void* optional);
  // nullptr when unset.
  const void* (*get)(const void* optional);
};

struct ListAccess {
  void (*reserve)(void* list, std::size_t count);
  void* (*append)(void* list);
  std::size_t (*size)(const void* list);
  const void* (*at)(const void* list, std::size_t index);
};

struct MapAccess {
  // A fresh value under `key`, in place of an earlier one.
  void* (*insert)(void* map, std::string key);
  std::size_t (*size)(const void* map);
  // Calls `visit` for every entry, in the order of the keys.
  void (*for_each)(const void* map, void* context,
                   void (*visit)(void* context, const std::string& key, const void* value));
};

struct StructureAccess {
  void* (*create)();
  void (*destroy)(void* object);
};

struct Member {
  std::string_view name;
  const Shape* shape;
  std::uint32_t offset_bytes;
  // nullptr: the value itself stands at the offset. Such members are the required ones.
  const Slot* slot;
  bool required() const { return slot == nullptr; }
};

inline constexpr std::int64_t kNoMin = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kNoMax = std::numeric_limits<std::int64_t>::max();
// Bound of the members of one structure: the parser keeps a bit for each.
inline constexpr std::size_t kMembersMax = 64;

struct Shape {
  std::string_view name;
  Kind kind;
  // Never echoed in a message.
  bool sensitive = false;
  // The shape itself or something that it contains is sensitive: Wipe has to look inside.
  bool holds_sensitive = false;
  // Bounds of a number's value, a string's length in UTF-16 units (as the service counts), a blob's octets, a list's or
  // map's entries.
  std::int64_t min = kNoMin;
  std::int64_t max = kNoMax;
  const Pattern* pattern = nullptr;
  std::span<const std::string_view> enum_values = {};
  // kList: of an element; kMap: of a value.
  const Shape* element = nullptr;
  const Shape* key = nullptr;
  const ListAccess* list = nullptr;
  const MapAccess* map = nullptr;
  const StructureAccess* structure = nullptr;
  // In the order in which they are written.
  std::span<const Member> members = {};
};

// The member of that name; nullptr if there is none. `hint` is where to look first, so that members that come in the
// descriptor's order are found at once.
const Member* FindMember(const Shape& structure, std::string_view name, std::size_t hint = 0);

// The member's value inside `object`; nullptr when unset.
inline const void* Get(const Member& member, const void* object) {
  const void* place = static_cast<const char*>(object) + member.offset_bytes;
  return member.slot == nullptr ? place : member.slot->get(place);
}

// Overwrites every sensitive string inside `object`, which stays valid.
void WipeSensitive(const Shape& shape, void* object);

// The tables for C++ types.

template <class T>
inline constexpr Slot kSlot = {
    .emplace = [](void* optional) -> void* { return &static_cast<std::optional<T>*>(optional)->emplace(); },
    .get = [](const void* optional) -> const void* {
      const auto& value = *static_cast<const std::optional<T>*>(optional);
      return value ? &*value : nullptr;
    },
};

template <class T>
inline constexpr ListAccess kListAccess = {
    .reserve = [](void* list, std::size_t count) { static_cast<std::vector<T>*>(list)->reserve(count); },
    .append = [](void* list) -> void* { return &static_cast<std::vector<T>*>(list)->emplace_back(); },
    .size = [](const void* list) { return static_cast<const std::vector<T>*>(list)->size(); },
    .at = [](const void* list, std::size_t index) -> const void* {
      return &(*static_cast<const std::vector<T>*>(list))[index];
    },
};

template <class T>
inline constexpr MapAccess kMapAccess = {
    .insert = [](void* map, std::string key) -> void* {
      T& value = (*static_cast<std::map<std::string, T>*>(map))[std::move(key)];
      value = T();
      return &value;
    },
    .size = [](const void* map) { return static_cast<const std::map<std::string, T>*>(map)->size(); },
    .for_each =
        [](const void* map, void* context, void (*visit)(void*, const std::string&, const void*)) {
          for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(map))
            visit(context, key, &value);
        },
};

template <class T>
inline constexpr StructureAccess kStructureAccess = {
    .create = []() -> void* { return new T(); },
    .destroy = [](void* object) { delete static_cast<T*>(object); },
};

}  // namespace symbolon::wire
