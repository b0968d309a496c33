#include "wire/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"
#include "wire/constraints.h"
#include "wire/document.h"

namespace symbolon::wire {
namespace {

namespace json = boost::json;

// 9999-12-31T23:59:59Z: beyond it nothing that the API calls a time has a meaning.
constexpr double kSecondsMax = 253402300799.0;

// Memory of one parsed body, overwritten at the end: bodies carry passwords and tokens. A small body needs no more than
// the part that lives on the stack.
class BodyMemory final : public json::memory_resource {
 public:
  BodyMemory() = default;
  BodyMemory(const BodyMemory&) = delete;
  BodyMemory& operator=(const BodyMemory&) = delete;
  ~BodyMemory() override {
    Wipe(scratch_.data(), scratch_.size());
    if (blocks_.empty()) first_used_bytes_ = used_bytes_;
    Wipe(first_.data(), first_used_bytes_);
    for (Block& block : blocks_) Wipe(block.octets.get(), block.size_bytes);
  }

  // For the parser's own use.
  std::array<unsigned char, 2048>& scratch() { return scratch_; }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> octets;
    std::size_t size_bytes;
  };

  void* do_allocate(std::size_t size_bytes, std::size_t alignment) override {
    used_bytes_ = (used_bytes_ + alignment - 1) / alignment * alignment;
    const std::size_t room_bytes = blocks_.empty() ? first_.size() : blocks_.back().size_bytes;
    if (used_bytes_ + size_bytes > room_bytes) {
      if (blocks_.empty()) first_used_bytes_ = std::min(used_bytes_, first_.size());
      const std::size_t next_bytes = std::max(size_bytes, 2 * room_bytes);
      // The alignment of operator new is enough for all that Boost.JSON makes.
      blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(next_bytes), next_bytes});
      used_bytes_ = 0;
    }
    std::byte* place = (blocks_.empty() ? first_.data() : blocks_.back().octets.get()) + used_bytes_;
    used_bytes_ += size_bytes;
    return place;
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  alignas(std::max_align_t) std::array<std::byte, 8192> first_;
  alignas(std::max_align_t) std::array<unsigned char, 2048> scratch_;
  std::vector<Block> blocks_;
  // Of the block that is being filled, which is first_ as long as there is no other.
  std::size_t used_bytes_ = 0;
  std::size_t first_used_bytes_ = 0;
};

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

// Values as Java's toString shows them, cut at `size_max` octets or a little later.
void AppendEcho(std::string& out, const json::value& value, std::size_t size_max) {
  std::string_view separator;
  switch (value.kind()) {
    case json::kind::string:
      out += View(value.get_string()).substr(0, size_max);
      return;
    case json::kind::array:
      out += '[';
      for (const json::value& element : value.get_array()) {
        if (out.size() >= size_max) return;
        out += std::exchange(separator, ", ");
        AppendEcho(out, element, size_max);
      }
      out += ']';
      return;
    case json::kind::object:
      out += '{';
      for (const auto& [key, entry] : value.get_object()) {
        if (out.size() >= size_max) return;
        out += std::exchange(separator, ", ");
        out += std::string_view(key.data(), key.size()).substr(0, size_max);
        out += '=';
        AppendEcho(out, entry, size_max);
      }
      out += '}';
      return;
    case json::kind::bool_:
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
    case json::kind::null:
      out += json::serialize(value);
      return;
  }
}

// Without the last code point if the cut went through it.
void CutUtf8(std::string& text, std::size_t size_max) {
  if (text.size() <= size_max) return;
  std::size_t end = size_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  text += "...";
}

std::string Echo(const json::value& value) {
  std::string text;
  AppendEcho(text, value, kEchoedOctetsMax + 1);
  CutUtf8(text, kEchoedOctetsMax);
  return fmt::format("'{}'", text);
}

std::string_view TokenName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return "STRING_VALUE";
    case json::kind::bool_:
      return value.get_bool() ? "TRUE_VALUE" : "FALSE_VALUE";
    case json::kind::array:
      return "START_ARRAY";
    case json::kind::object:
      return "START_OBJECT";
    case json::kind::null:
      return "VALUE_NULL";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "NUMBER_VALUE";
  }
  return "";
}

std::optional<std::int64_t> WholeNumber(const json::value& value) {
  if (const std::int64_t* number = value.if_int64()) return *number;
  // 2^63 and more come as uint64 and fit nothing; doubles are whole numbers in another spelling, such as 1e3.
  if (const double* number = value.if_double();
      number != nullptr && std::abs(*number) < 9e15 && std::trunc(*number) == *number) {
    return static_cast<std::int64_t>(*number);
  }
  return std::nullopt;
}

std::optional<double> Number(const json::value& value) {
  if (const std::int64_t* number = value.if_int64()) return static_cast<double>(*number);
  if (const std::uint64_t* number = value.if_uint64()) return static_cast<double>(*number);
  if (const double* number = value.if_double(); number != nullptr && std::isfinite(*number)) return *number;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(ParseReport& report) : report_(report) {}

  // False: a type error, which ends everything.
  bool ReadStructure(const Shape& shape, const json::object& source, void* target, const Path* path, bool sensitive) {
    std::uint64_t seen = 0;
    std::size_t hint = 0;
    for (const auto& [key, value] : source) {
      const Member* member = FindMember(shape, {key.data(), key.size()}, hint);
      if (member == nullptr) {
        ++report_.unknown_members;
        continue;
      }
      const std::size_t index = member - shape.members.data();
      hint = index + 1;
      if (value.is_null()) continue;
      seen |= std::uint64_t{1} << index;
      void* place = static_cast<char*>(target) + member->offset_bytes;
      if (member->slot != nullptr) place = member->slot->emplace(place);
      const Path here{path, member->name};
      if (!ReadChecked(*member->shape, value, place, here, sensitive)) return false;
    }
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
      const Member& member = shape.members[i];
      if (member.required() && (seen >> i & 1) == 0) {
        violations_.Add("null", Path{path, member.name}, "Member must not be null");
      }
    }
    return true;
  }

  const Violations& violations() const { return violations_; }
  std::string& type_error() { return type_error_; }

 private:
  // A value with a path of its own: everything that is wrong with it is reported there.
  bool ReadChecked(const Shape& shape, const json::value& source, void* target, const Path& path, bool sensitive) {
    Broken broken;
    if (!Read(shape, source, target, path, sensitive, broken)) return false;
    for (const std::string& constraint : broken) {
      const bool secret = sensitive || shape.holds_sensitive;
      violations_.Add(secret ? std::nullopt : std::optional(Echo(source)), path, constraint);
    }
    return true;
  }

  bool Read(const Shape& shape, const json::value& source, void* target, const Path& path, bool sensitive,
            Broken& broken) {
    switch (shape.kind) {
      case Kind::kString:
        if (const json::string* text = source.if_string()) {
          *static_cast<std::string*>(target) = View(*text);
          CheckText(shape, View(*text), broken);
          return true;
        }
        return TypeError(source, "a String", path);
      case Kind::kEnum:
        return ReadEnum(shape, source, target, path, broken);
      case Kind::kInteger:
      case Kind::kLong:
        return ReadNumber(shape, source, target, path, broken);
      case Kind::kDouble:
        if (const auto number = Number(source)) {
          *static_cast<double*>(target) = *number;
          return true;
        }
        return TypeError(source, "a Double", path);
      case Kind::kBoolean:
        if (const bool* truth = source.if_bool()) {
          *static_cast<bool*>(target) = *truth;
          return true;
        }
        return TypeError(source, "a Boolean", path);
      case Kind::kTimestamp:
        if (const auto seconds = Number(source); seconds && std::abs(*seconds) <= kSecondsMax) {
          *static_cast<Timestamp*>(target) = FromMicros(std::llround(*seconds * 1e6));
          return true;
        }
        return TypeError(source, "a Timestamp", path);
      case Kind::kBlob:
        return ReadBlob(shape, source, target, path, broken);
      case Kind::kDocument:
        static_cast<Document*>(target)->json = json::serialize(source);
        return true;
      case Kind::kList:
        return ReadList(shape, source, target, path, sensitive || shape.sensitive, broken);
      case Kind::kMap:
        return ReadMap(shape, source, target, path, sensitive || shape.sensitive, broken);
      case Kind::kStructure:
        if (const json::object* object = source.if_object()) {
          return ReadStructure(shape, *object, target, &path, sensitive || shape.sensitive);
        }
        return TypeError(source, "a structure", path);
    }
    return false;
  }

  bool ReadEnum(const Shape& shape, const json::value& source, void* target, const Path& path, Broken& broken) {
    const json::string* text = source.if_string();
    if (text == nullptr) return TypeError(source, "a String", path);
    const auto found = std::find(shape.enum_values.begin(), shape.enum_values.end(), View(*text));
    if (found == shape.enum_values.end()) {
      broken.push_back(EnumConstraint(shape));
      return true;
    }
    const auto index = static_cast<std::uint16_t>(found - shape.enum_values.begin());
    std::memcpy(target, &index, sizeof index);
    return true;
  }

  bool ReadNumber(const Shape& shape, const json::value& source, void* target, const Path& path, Broken& broken) {
    const auto number = WholeNumber(source);
    if (shape.kind == Kind::kLong) {
      if (!number) return TypeError(source, "a Long", path);
      *static_cast<std::int64_t*>(target) = *number;
    } else {
      if (!number || !std::in_range<std::int32_t>(*number)) return TypeError(source, "an Integer", path);
      *static_cast<std::int32_t*>(target) = static_cast<std::int32_t>(*number);
    }
    CheckNumber(shape, *number, broken);
    return true;
  }

  bool ReadBlob(const Shape& shape, const json::value& source, void* target, const Path& path, Broken& broken) {
    const json::string* text = source.if_string();
    if (text == nullptr) return TypeError(source, "a Blob", path);
    auto octets = Base64Decode(View(*text));
    if (!octets) return TypeError(source, "a Blob", path);
    CheckSize(shape, octets->size(), broken);
    *static_cast<Bytes*>(target) = *std::move(octets);
    return true;
  }

  // An element of a list, a map's value. Bounds of simple ones are reported once, for the whole list or map.
  bool ReadElement(const Shape& shape, const json::value& source, void* target, const Path& path, bool sensitive,
                   bool& fits) {
    if (source.is_null()) return TypeError(source, "an element", path);
    const bool simple = shape.kind != Kind::kStructure && shape.kind != Kind::kList && shape.kind != Kind::kMap;
    if (!simple) return ReadChecked(shape, source, target, path, sensitive);
    Broken broken;
    if (!Read(shape, source, target, path, sensitive, broken)) return false;
    fits = fits && broken.empty();
    return true;
  }

  bool ReadList(const Shape& shape, const json::value& source, void* target, const Path& path, bool sensitive,
                Broken& broken) {
    const json::array* elements = source.if_array();
    if (elements == nullptr) return TypeError(source, "a list", path);
    CheckSize(shape, elements->size(), broken);
    // Too many to be worth reading; it is refused anyway.
    if (!broken.empty() && elements->size() > 0) return true;
    shape.list->reserve(target, elements->size());
    bool fits = true;
    std::size_t index = 0;
    for (const json::value& element : *elements) {
      const Path here{&path, {}, ++index};
      if (!ReadElement(*shape.element, element, shape.list->append(target), here, sensitive, fits)) return false;
    }
    if (!fits) broken.push_back("Member must satisfy constraint: " + AllConstraints(*shape.element));
    return true;
  }

  bool ReadMap(const Shape& shape, const json::value& source, void* target, const Path& path, bool sensitive,
               Broken& broken) {
    const json::object* entries = source.if_object();
    if (entries == nullptr) return TypeError(source, "a map", path);
    CheckSize(shape, entries->size(), broken);
    if (!broken.empty() && !entries->empty()) return true;
    bool keys_fit = true;
    bool values_fit = true;
    for (const auto& [key, value] : *entries) {
      if (value.is_null()) continue;
      const std::string_view name(key.data(), key.size());
      keys_fit = keys_fit && KeyFits(*shape.key, name);
      const Path here{&path, name, 0, true};
      void* place = shape.map->insert(target, std::string(name));
      if (!ReadElement(*shape.element, value, place, here, sensitive, values_fit)) return false;
    }
    if (!keys_fit) broken.push_back("Map keys must satisfy constraint: " + AllConstraints(*shape.key));
    if (!values_fit) broken.push_back("Map value must satisfy constraint: " + AllConstraints(*shape.element));
    return true;
  }

  static bool KeyFits(const Shape& shape, std::string_view key) {
    if (shape.kind == Kind::kEnum) return std::ranges::find(shape.enum_values, key) != shape.enum_values.end();
    Broken broken;
    CheckText(shape, key, broken);
    return broken.empty();
  }

  bool TypeError(const json::value& source, std::string_view wanted, const Path& path) {
    type_error_ = fmt::format("{} can not be converted to {} at '{}'", TokenName(source), wanted, ToString(path));
    return false;
  }

  ParseReport& report_;
  Violations violations_;
  std::string type_error_;
};

ParseError Malformed(std::string message) { return {ParseError::Kind::kMalformed, std::move(message)}; }

}  // namespace

Result<Request, ParseError> ParseRequest(const Shape& shape, std::string_view body, ParseReport& report) {
  Request request(shape);
  BodyMemory memory;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::parser parser(&memory, options, memory.scratch().data(), memory.scratch().size());
  json::error_code error;
  parser.write(body.empty() ? "{}" : json::string_view(body.data(), body.size()), error);
  if (error == json::error::too_deep) return Err(Malformed("The request body is nested too deeply"));
  if (error) return Err(Malformed("The request body is not valid JSON"));
  const json::value document = parser.release();
  const json::object* object = document.if_object();
  if (object == nullptr) return Err(Malformed("The request body is not a JSON object"));

  Reader reader(report);
  if (!reader.ReadStructure(shape, *object, request.object(), nullptr, shape.sensitive)) {
    return Err(Malformed(std::move(reader.type_error())));
  }
  if (!reader.violations().empty())
    return Err(ParseError{ParseError::Kind::kConstraint, reader.violations().Message()});
  return request;
}

}  // namespace symbolon::wire
