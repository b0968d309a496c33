#include "wire/shape.h"

#include "base/secret.h"
#include "wire/document.h"

namespace symbolon::wire {

const Member* FindMember(const Shape& structure, std::string_view name, std::size_t hint) {
  const auto members = structure.members;
  if (hint < members.size() && members[hint].name == name) return &members[hint];
  for (const Member& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

namespace {

// Only objects that the caller owns and may change come here; the accessors just do not come in a mutable form as well.
void* Mutable(const void* object) { return const_cast<void*>(object); }

void WipeText(std::string& text) { Wipe(text.data(), text.size()); }

void WipeValue(const Shape& shape, bool sensitive, void* object) {
  sensitive = sensitive || shape.sensitive;
  if (!sensitive && !shape.holds_sensitive) return;
  switch (shape.kind) {
    case Kind::kString:
    case Kind::kBlob:
      WipeText(*static_cast<std::string*>(object));
      return;
    case Kind::kDocument:
      WipeText(static_cast<Document*>(object)->json);
      return;
    case Kind::kList:
      for (std::size_t i = 0; i < shape.list->size(object); ++i) {
        WipeValue(*shape.element, sensitive, Mutable(shape.list->at(object, i)));
      }
      return;
    case Kind::kMap: {
      struct Context {
        const Shape& element;
        bool sensitive;
      } context{*shape.element, sensitive};
      shape.map->for_each(object, &context, [](void* raw, const std::string&, const void* value) {
        const auto& inside = *static_cast<const Context*>(raw);
        WipeValue(inside.element, inside.sensitive, Mutable(value));
      });
      return;
    }
    case Kind::kStructure:
      for (const Member& member : shape.members) {
        if (const void* value = Get(member, object)) WipeValue(*member.shape, sensitive, Mutable(value));
      }
      return;
    case Kind::kEnum:
    case Kind::kInteger:
    case Kind::kLong:
    case Kind::kDouble:
    case Kind::kBoolean:
    case Kind::kTimestamp:
      return;
  }
}

}  // namespace

void WipeSensitive(const Shape& shape, void* object) { WipeValue(shape, false, object); }

}  // namespace symbolon::wire
