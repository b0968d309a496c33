// A request of any shape as one movable object, for the steps between the parser and the handler.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "wire/shape.h"

namespace symbolon::wire {

// Owns a generated struct; its sensitive members are wiped when it dies. Not thread-safe while it is being changed,
// free to read from many threads afterwards.
class Request {
 public:
  // An empty object of a structure's shape.
  explicit Request(const Shape& shape) : shape_(&shape), object_(shape.structure->create()) {}
  Request(Request&& other) noexcept : shape_(other.shape_), object_(std::exchange(other.object_, nullptr)) {}
  Request& operator=(Request&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(object_, other.object_);
    return *this;
  }
  ~Request() {
    if (object_ == nullptr) return;
    WipeSensitive(*shape_, object_);
    shape_->structure->destroy(object_);
  }

  const Shape& shape() const { return *shape_; }
  void* object() { return object_; }
  const void* object() const { return object_; }

  // The struct itself; T must be the shape's own type.
  template <class T>
  const T& As() const {
    SYMBOLON_CHECK(shape_->structure == &kStructureAccess<T>);
    return *static_cast<const T*>(object_);
  }

  // The value of a string member of this shape, valid while this object lives; nullopt when `member` is nullptr (the
  // shape has no such member) or the value is unset.
  std::optional<std::string_view> Text(const Member* member) const {
    if (member == nullptr) return std::nullopt;
    const void* value = Get(*member, object_);
    if (value == nullptr) return std::nullopt;
    return *static_cast<const std::string*>(value);
  }

 private:
  const Shape* shape_;
  void* object_;
};

}  // namespace symbolon::wire
