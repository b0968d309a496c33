// A generated struct to JSON text.
#pragma once

#include <string>

#include "wire/shape.h"

namespace symbolon::wire {

// Members in the model's order, without white space; unset ones are left out, never null. Timestamps are seconds with
// three decimals, blobs base64. `object` is of the shape's type. Thread-safe.
std::string Serialise(const Shape& shape, const void* object);

}  // namespace symbolon::wire
