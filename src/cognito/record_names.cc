#include "cognito/record_names.h"

#include "directory/record_types.h"

namespace symbolon::cognito {

std::string RecordTypeName(std::uint16_t type) {
  using directory::RecordType;
  switch (static_cast<RecordType>(type)) {
    case RecordType::kRole:
      return "role record";
    case RecordType::kWrappedKeys:
      return "wrapped keys";
    case RecordType::kPool:
      return "pool settings";
    case RecordType::kPublic:
      return "public keys";
    case RecordType::kDomain:
      return "domain";
    case RecordType::kSigningKey:
      return "signing key";
    case RecordType::kClient:
      return "app client";
    case RecordType::kResourceServer:
      return "resource server";
    case RecordType::kUser:
      return "user";
    case RecordType::kUniqueIndex:
      return "user name or alias";
    case RecordType::kFindIndex:
      return "attribute index";
    case RecordType::kGroup:
      return "group";
    case RecordType::kMembershipOfUser:
      return "membership, by user";
    case RecordType::kMembershipOfGroup:
      return "membership, by group";
    case RecordType::kRegionalSeed:
      return "first settings of a replica";
    default:
      return "type " + std::to_string(type);
  }
}

}  // namespace symbolon::cognito
