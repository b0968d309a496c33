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
    case RecordType::kDevice:
      return "device";
    case RecordType::kRegionalSeed:
      return "first settings of a replica";
    case RecordType::kReencryption:
      return "progress of re-encryption";
    case RecordType::kShreddingOrder:
      return "order to shred the pool";
    case RecordType::kErasure:
      return "erasure of a user";
    case RecordType::kIdentityProvider:
      return "identity provider";
    case RecordType::kIdpIdentifier:
      return "identifier of an identity provider";
    case RecordType::kProviderKeys:
      return "keys of an identity provider";
    case RecordType::kFormerIdentity:
      return "deleted user of an identity provider";
    case RecordType::kRegionKey:
      return "key of a Region";
    default:
      return "type " + std::to_string(type);
  }
}

}  // namespace symbolon::cognito
