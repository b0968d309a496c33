// Which records a pool's directory has, where they live, and which of them are readable without the pool's keys.
#pragma once

#include <cstdint>

#include "directory/records.pb.h"
#include "storage/store.h"

namespace symbolon::directory {

// Numbers are part of the stored format. 1 (role record) belongs to replication; 2 (wrapped keys), 30 and 110 (a Region's
// own CMK, and its own wrapped keys: keys/regional_keys.h) to keys.
enum class RecordType : std::uint16_t {
  kRole = 1,
  kWrappedKeys = 2,
  kPool = 3,
  kPublic = 4,
  kDomain = 5,
  kSigningKey = 6,
  kClient = 7,
  kResourceServer = 8,
  kUser = 9,
  // One user per entry: user names, subs, aliases.
  kUniqueIndex = 10,
  // Many users per entry: the attributes that ListUsers finds by equality.
  kFindIndex = 11,
  kGroup = 12,
  kMembershipOfUser = 13,
  kMembershipOfGroup = 14,
  kRegionalSeed = 15,
  kReencryption = 16,
  // In clear: certificate::FormatOrder. Its pool is deleted.
  kShreddingOrder = 17,
  kErasure = 18,
  kRegionKey = 30,
  kDevice = 40,
  kIdentityProvider = 50,
  kIdpIdentifier = 51,
  kProviderKeys = 52,
  kFormerIdentity = 53,

  // kRegional
  kOutbox = 100,
  kRegionalSettings = 102,
  kRegionalKeys = 110,
  // kRegional, of no pool
  kDomainClaim = 101,
  kShreddingRecord = 103,
};

// A record kind: its message, type and space, whether it is stored in clear, and whether it belongs to no pool.
template <class M, RecordType T, bool sealed_, storage::Space space_ = storage::Space::kDirectory,
          bool of_no_pool_ = false>
struct RecordKind {
  static_assert(!of_no_pool_ || (!sealed_ && space_ == storage::Space::kRegional));
  using Message = M;
  static constexpr RecordType kType = T;
  static constexpr bool kSealed = sealed_;
  static constexpr storage::Space kSpace = space_;
  static constexpr bool kOfNoPool = of_no_pool_;
};

// id: empty
using PoolKind = RecordKind<pb::PoolRecord, RecordType::kPool, true>;
using PublicKind = RecordKind<pb::PublicRecord, RecordType::kPublic, false>;
// id: empty
using ReencryptionKind = RecordKind<pb::ReencryptionRecord, RecordType::kReencryption, false>;
// id: the pool, a slash, and the order's id
using ShreddingKind =
    RecordKind<pb::ShreddingRecord, RecordType::kShreddingRecord, false, storage::Space::kRegional, true>;
// id: of the erasure, 16 random octets
using ErasureKind = RecordKind<pb::ErasureRecord, RecordType::kErasure, false>;
// id: the domain
using DomainKind = RecordKind<pb::DomainRecord, RecordType::kDomain, false>;
// id: the kid
using SigningKeyKind = RecordKind<pb::SigningKeyRecord, RecordType::kSigningKey, true>;
// id: the client id, in clear: it routes requests to the pool
using ClientKind = RecordKind<pb::ClientRecord, RecordType::kClient, true>;
// id: ResourceServerKeyOf(identifier) (groups.h)
using ResourceServerKind = RecordKind<pb::ResourceServerRecord, RecordType::kResourceServer, true>;
// id: IdentityProviderKeyOf(name) (identity_providers.h)
using IdentityProviderKind = RecordKind<pb::IdentityProviderRecord, RecordType::kIdentityProvider, true>;
using ProviderKeysKind = RecordKind<pb::ProviderKeysRecord, RecordType::kProviderKeys, true>;
// id: IdpIdentifierKeyOf(identifier)
using IdpIdentifierKind = RecordKind<pb::IdpIdentifierRecord, RecordType::kIdpIdentifier, true>;
// id: the user key
using FormerIdentityKind = RecordKind<pb::FormerIdentityRecord, RecordType::kFormerIdentity, true>;
// id: the user key (users.h)
using UserKind = RecordKind<pb::UserRecord, RecordType::kUser, true>;
// id: the user key that a user of this name would have
using UniqueIndexKind = RecordKind<pb::UserReference, RecordType::kUniqueIndex, true>;
// id: blind index of (attribute, normalised value) ‖ user key
using FindIndexKind = RecordKind<pb::UserReference, RecordType::kFindIndex, true>;
// id: GroupKeyOf(name)
using GroupKind = RecordKind<pb::GroupRecord, RecordType::kGroup, true>;
// id: user key ‖ group key
using MembershipOfUserKind = RecordKind<pb::MembershipRecord, RecordType::kMembershipOfUser, true>;
// id: group key ‖ user key
using MembershipOfGroupKind = RecordKind<pb::MembershipRecord, RecordType::kMembershipOfGroup, true>;
// id: DeviceIdOf(user key, device key) (devices.h), which begins with the user key
using DeviceKind = RecordKind<pb::DeviceRecord, RecordType::kDevice, true>;
// id: the Region
using RegionalSeedKind = RecordKind<pb::RegionalSettings, RecordType::kRegionalSeed, true>;
// id: empty
using RegionalSettingsKind =
    RecordKind<pb::RegionalSettings, RecordType::kRegionalSettings, true, storage::Space::kRegional>;
// id: creation time, big-endian, ‖ 8 random octets
using OutboxKind = RecordKind<pb::OutboxRecord, RecordType::kOutbox, true, storage::Space::kRegional>;
// id: the domain
using DomainClaimKind =
    RecordKind<pb::DomainClaim, RecordType::kDomainClaim, false, storage::Space::kRegional, /*of_no_pool_=*/true>;

}  // namespace symbolon::directory
