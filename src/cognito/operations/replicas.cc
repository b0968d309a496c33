// Replicas of a pool in other Regions (facts: cognito-multi-region reference §1).
#include <fmt/format.h>

#include <algorithm>

#include "cognito/call.h"
#include "cognito/tags.h"
#include "directory/regional_settings.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;
namespace rpb = replication::pb;

std::string ArnIn(Call& call, const std::string& region) {
  return fmt::format("arn:aws:cognito-idp:{}:{}:userpool/{}", region, call.env().region().account,
                     call.pool_id().value());
}

// Only what is the Region's own; empty otherwise.
std::optional<KeyConfigurationType> OwnKeyOf(Call& call, const std::string& region) {
  if (!call.tx().GetClear(directory::RecordType::kRegionKey, region)) return std::nullopt;
  return KeyConfigurationType{.KeyType = EncryptionKeyType::kCustomerManagedKey,
                              .KmsKeyArn = key_life::KmsKeyOf(call.tx(), Region(region), call.pool().kms_key_arn())};
}

UserPoolReplicaType Describe(Call& call, const rpb::Member& member) {
  return {.RegionName = member.region(),
          .Status = ParseReplicaStatusType(replication::MemberStateName(member.state())),
          .Role = ReplicaRoleType::kSecondary,
          .UserPoolArn = ArnIn(call, member.region()),
          .KeyConfiguration = OwnKeyOf(call, member.region())};
}

tl::unexpected<model::ApiError> KeysChanged() {
  return Fail(ErrorCode::kConcurrentModificationException,
              "The user pool's keys or replicas have changed meanwhile. Nothing has been done.");
}

tl::unexpected<model::ApiError> Refuse(const replication::RoleError& error, const std::string& region) {
  using Code = replication::RoleErrorCode;
  switch (error.code) {
    case Code::kNotMember:
      return Fail(ErrorCode::kResourceNotFoundException,
                  fmt::format("The user pool has no replica in Region {}.", region));
    case Code::kAlreadyMember:
      return Fail(ErrorCode::kInvalidParameterException,
                  fmt::format("The user pool exists in Region {} already.", region));
    case Code::kWrongState:
      return Fail(ErrorCode::kInvalidParameterException,
                  fmt::format("The replica in Region {} is {}, which does not allow this.", region,
                              replication::MemberStateName(error.state)));
    case Code::kTooManyMembers:
      return Fail(ErrorCode::kLimitExceededException,
                  fmt::format("A user pool has at most {} replicas.", replication::kMembersMax));
    case Code::kNeeded:
      return Fail(ErrorCode::kInvalidParameterException,
                  fmt::format("Only the replica in Region {} can confirm writes as the user pool's durability asks: "
                              "without it, none would be answered. Set another durability first, or add a replica.",
                              region));
    case Code::kPoolDeleted:
      return Fail(ErrorCode::kResourceNotFoundException, "The user pool is being deleted.");
  }
  return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
}

void Store(Call& call, const rpb::RoleRecord& role) {
  call.tx().PutClear(directory::RecordType::kRole, "", replication::SerializeRole(role));
}

}  // namespace

ApiResult<CreateUserPoolReplicaResponse> CreateUserPoolReplica(Call& call,
                                                               const CreateUserPoolReplicaRequest& request) {
  const Region region(request.RegionName);
  const directory::RegionSettings& here = call.env().region();
  if (!here.IsPartOfDeployment(region)) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("Region {} is not part of this deployment.", request.RegionName));
  }
  if (call.pool().tier() == "LITE") {
    return Fail(ErrorCode::kFeatureUnavailableInTierException, "Replicas need the ESSENTIALS or PLUS tier.");
  }
  SYMBOLON_TRY_VOID(CheckTags(request.UserPoolTags));
  if (call.pool().kms_key_arn().empty()) {
    return Fail(ErrorCode::kInvalidParameterException,
                "Replicas need a user pool that is encrypted with a customer managed key.");
  }
  const auto& own_key = call.preparation().region_key;
  const std::vector<Region>& key_regions = call.preparation().key_regions;
  if (!own_key && std::ranges::find(key_regions, region) == key_regions.end()) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("The key {} of the user pool has no replica in Region {}. Name a key of that Region in "
                            "KeyConfiguration, or use a multi-Region key that exists there.",
                            call.pool().kms_key_arn(), request.RegionName));
  }
  const auto role = replication::AddMember(call.role(), region, call.now());
  if (!role) return Refuse(role.error(), request.RegionName);
  if (own_key && !key_life::Take(call.tx(), *own_key)) return KeysChanged();
  Store(call, *role);
  directory::pb::RegionalSettings first;
  if (request.UserPoolTags) first.mutable_tags()->insert(request.UserPoolTags->begin(), request.UserPoolTags->end());
  directory::SeedRegionalSettings(call.tx(), region, first);
  return CreateUserPoolReplicaResponse{.UserPoolReplica = Describe(call, *replication::FindMember(*role, region))};
}

ApiResult<UpdateUserPoolReplicaResponse> UpdateUserPoolReplica(Call& call,
                                                               const UpdateUserPoolReplicaRequest& request) {
  const Region region(request.RegionName);
  const auto role = replication::SetMemberState(
      call.role(), region, request.Status == UpdateReplicaStatusType::kActive ? rpb::ACTIVE : rpb::INACTIVE);
  if (!role) return Refuse(role.error(), request.RegionName);
  const bool activates = request.Status == UpdateReplicaStatusType::kActive &&
                         replication::FindMember(call.role(), region)->state() != rpb::ACTIVE;
  const auto& opened = call.preparation().opened_keys;
  if (activates && call.is_primary() && opened != call.tx().GetClear(directory::RecordType::kWrappedKeys, "")) {
    return KeysChanged();
  }
  const auto& own_key = call.preparation().region_key;
  if (own_key && !key_life::Take(call.tx(), *own_key)) return KeysChanged();
  Store(call, *role);
  return UpdateUserPoolReplicaResponse{.UserPoolReplica = Describe(call, *replication::FindMember(*role, region))};
}

ApiResult<DeleteUserPoolReplicaResponse> DeleteUserPoolReplica(Call& call,
                                                               const DeleteUserPoolReplicaRequest& request) {
  const Region region(request.RegionName);
  const auto published = call.tx().Get<directory::PublicKind>("");
  const auto domain = published && !published->domain().empty()
                          ? call.tx().Get<directory::DomainKind>(published->domain())
                          : std::nullopt;
  if (domain && domain->failover().secondary_region() == request.RegionName) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("The domain {} fails over to Region {}: change its Routing first.", published->domain(),
                            request.RegionName));
  }
  const auto role = replication::BeginRemoval(call.role(), region);
  if (!role) return Refuse(role.error(), request.RegionName);
  Store(call, *role);
  directory::DropRegionalSeed(call.tx(), region);
  if (!key_life::DropRegionKey(call.tx(), region)) {
    return Fail(ErrorCode::kInternalErrorException, "The user pool's keys cannot be read.");
  }
  return DeleteUserPoolReplicaResponse{.UserPoolReplica = Describe(call, *replication::FindMember(*role, region))};
}

ApiResult<ListUserPoolReplicasResponse> ListUserPoolReplicas(Call& call, const ListUserPoolReplicasRequest&) {
  ListUserPoolReplicasResponse response;
  auto& replicas = response.UserPoolReplicas.emplace();
  const std::string primary = replication::LeaderOf(call.role()).value();
  replicas.push_back({.RegionName = primary,
                      .Status = ReplicaStatusType::kActive,
                      .Role = ReplicaRoleType::kPrimary,
                      .UserPoolArn = ArnIn(call, primary),
                      .KeyConfiguration = OwnKeyOf(call, primary)});
  for (const rpb::Member& member : call.role().members()) {
    if (member.region() != primary) replicas.push_back(Describe(call, member));
  }
  return response;
}

}  // namespace symbolon::cognito::operations
