#include "auth/attribute_access.h"

#include <algorithm>

namespace symbolon::auth {
namespace {

bool Allows(bool listed, const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view attribute) {
  if (listed) return std::ranges::find(list, attribute) != list.end();
  return !attribute.starts_with("dev:");
}

}  // namespace

bool ClientMayRead(const directory::pb::ClientRecord& client, std::string_view attribute) {
  return attribute == "sub" || Allows(client.has_read_attributes(), client.read_attributes(), attribute);
}

bool ClientMayWrite(const directory::pb::ClientRecord& client, std::string_view attribute) {
  if (attribute == "sub" || attribute == "email_verified" || attribute == "phone_number_verified") return false;
  return Allows(client.has_write_attributes(), client.write_attributes(), attribute);
}

}  // namespace symbolon::auth
