// Regions that run other versions: what they speak, and fields that only they know.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstdint>
#include <string>

#include "replication/link.pb.h"

namespace symbolon::simulation {

// The protocol versions that a Region speaks. The code at hand speaks 1.
struct Versions {
  std::uint32_t oldest = 1;
  std::uint32_t newest = 1;
  bool newer() const { return newest > 1; }
  bool Share(const Versions& other) const { return oldest <= other.newest && other.oldest <= newest; }
};

// No message has such a field.
inline constexpr int kUnknownField = 1'999;

inline void AddUnknownField(google::protobuf::Message& message) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(kUnknownField, 7);
}
inline bool HasUnknownField(const google::protobuf::Message& message) {
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  return fields.field_count() == 1 && fields.field(0).number() == kUnknownField && fields.field(0).varint() == 7;
}

// As a Region of these versions sends it.
void SendAs(const Versions& own, replication::pb::Frame& frame);
// As the code at hand has to receive it to judge as a Region of these versions would.
void ReceiveAs(const Versions& own, replication::pb::Frame& frame);

}  // namespace symbolon::simulation
