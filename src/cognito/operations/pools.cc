// User pools: create, read, change, delete, list.
#include <fmt/format.h>

#include "auth/signing_keys.h"
#include "cognito/call.h"
#include "cognito/email_configuration.h"
#include "cognito/global_settings.h"
#include "cognito/pool_settings.h"
#include "cognito/tags.h"
#include "keys/arn.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

pb::PublicRecord PublicOf(Call& call) { return call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord()); }

std::string ArnHere(Call& call) {
  const directory::RegionSettings& here = call.env().region();
  return fmt::format("arn:aws:cognito-idp:{}:{}:userpool/{}", here.region.value(), here.account,
                     call.pool_id().value());
}

UserPoolType Describe(Call& call, const pb::PoolRecord& pool) {
  UserPoolType shown = DescribePool(pool);
  shown.Id = call.pool_id().value();
  // A replica has the pool's id and an ARN of its own; the one in the record, of the Region of birth, binds the keys.
  shown.Arn = ArnHere(call);
  const Region& here = call.env().region().region;
  if (call.tx().GetClear(directory::RecordType::kRegionKey, here.value())) {
    shown.KeyConfiguration->KmsKeyArn = key_life::KmsKeyOf(call.tx(), here, pool.kms_key_arn());
  }
  const pb::PublicRecord published = PublicOf(call);
  if (auto tags = TagsOf(call, pool); !tags.empty()) shown.UserPoolTags = std::move(tags);
  shown.EmailConfiguration = EmailConfigurationOf(call, pool);
  if (!published.domain().empty()) (published.custom_domain() ? shown.CustomDomain : shown.Domain) = published.domain();
  return shown;
}

// What the request says of this Region's own settings; what it leaves out stays.
template <class Request>
ApiResult<void> PutRegionalSettings(Call& call, const pb::PoolRecord& pool, const Request& request) {
  SYMBOLON_TRY_VOID(CheckTags(request.UserPoolTags));
  if (request.UserPoolTags) PutTags(call, pool, *request.UserPoolTags);
  if (request.EmailConfiguration) SYMBOLON_TRY_VOID(PutEmailConfiguration(call, pool, *request.EmailConfiguration));
  return {};
}

// The key that the request names, if it is another one. Left out, the key stays: nothing but AWS_OWNED_KEY drops a
// customer's key. Of a replicated pool it has to be named, as with AWS, where leaving it out means an AWS owned key.
ApiResult<void> ChangeKey(Call& call, pb::PoolRecord& pool, const std::optional<KeyConfigurationType>& configuration) {
  std::string key_arn;
  if (NamesKey(configuration)) {
    SYMBOLON_TRY(key_arn, KmsKeyArnOf(configuration));
  } else if (call.role().members_size() == 0) {
    return {};
  }
  const Region& here = call.env().region().region;
  const std::string now = key_life::KmsKeyOf(call.tx(), here, pool.kms_key_arn());
  if (keys::KeyArnInRegion(key_arn, here) == now) return {};
  if (key_arn.empty() && call.role().members_size() > 0) {
    return Fail(ErrorCode::kInvalidParameterException,
                "Using an AWS owned KMS key is not supported for a user pool with multi-region replication enabled.");
  }
  const auto changed = Fail(ErrorCode::kConcurrentModificationException,
                            "The user pool's keys or replicas have changed meanwhile. Nothing has been done.");
  if (now != keys::KeyArnInRegion(pool.kms_key_arn(), here)) {
    // This Region's own: the pool's, in other Regions, stays.
    const auto& own_key = call.preparation().region_key;
    if (!own_key || !key_life::Take(call.tx(), *own_key)) return changed;
    return {};
  }
  const auto& prepared = call.preparation().key_change;
  if (!prepared || !key_life::Take(call.tx(), call.role(), *prepared)) return changed;
  pool.set_kms_key_arn(key_arn);
  return {};
}

// A page token is the last pool id shown: sealing it would need keys of some pool, and a pool id is no secret.
std::optional<PoolId> ParsePoolToken(const std::optional<std::string>& token) {
  if (!token) return std::nullopt;
  const auto decoded = Base64UrlDecode(*token);
  return PoolId(decoded && IsPoolId(*decoded) ? *decoded : "");
}

}  // namespace

ApiResult<CreateUserPoolResponse> CreateUserPool(Call& call, const CreateUserPoolRequest& request) {
  pb::PoolRecord pool;
  SYMBOLON_TRY_VOID(ApplySettings(pool, request));
  SYMBOLON_TRY(*pool.mutable_kms_key_arn(), KmsKeyArnOf(request.KeyConfiguration));
  pool.set_created_micros(ToMicros(call.now()));
  pool.set_modified_micros(ToMicros(call.now()));
  const directory::RegionSettings& region = call.env().region();
  pool.set_arn(ArnHere(call));

  const Preparation::NewPool& prepared = *call.preparation().new_pool;
  directory::Transaction& tx = call.tx();
  const replication::pb::RoleRecord role = replication::NewRoleRecord(region.region);
  tx.StartEpoch(role.epoch_counter());
  tx.PutClear(directory::RecordType::kRole, "", replication::SerializeRole(role));
  tx.PutClear(directory::RecordType::kWrappedKeys, "", prepared.wrapped_keys);
  tx.Put<directory::PoolKind>("", pool);
  pb::PublicRecord published;
  published.set_issuer(pool.issuer());
  auth::PublishSigningKeys(tx, published, prepared.signing_keys, call.now());
  tx.Put<directory::PublicKind>("", published);
  SYMBOLON_TRY_VOID(PutRegionalSettings(call, pool, request));
  return CreateUserPoolResponse{.UserPool = Describe(call, pool)};
}

ApiResult<DescribeUserPoolResponse> DescribeUserPool(Call& call, const DescribeUserPoolRequest&) {
  return DescribeUserPoolResponse{.UserPool = Describe(call, call.pool())};
}

ApiResult<UpdateUserPoolResponse> UpdateUserPool(Call& call, const UpdateUserPoolRequest& request) {
  SYMBOLON_TRY_VOID(PutRegionalSettings(call, call.pool(), request));
  if (!call.is_primary()) {
    const Region& here = call.env().region().region;
    SYMBOLON_TRY_VOID(
        CheckGlobalSettings(call.pool(), request, key_life::KmsKeyOf(call.tx(), here, call.pool().kms_key_arn())));
    return UpdateUserPoolResponse{};
  }
  pb::PoolRecord pool = call.pool();
  SYMBOLON_TRY_VOID(ChangeKey(call, pool, request.KeyConfiguration));
  SYMBOLON_TRY_VOID(ApplySettings(pool, request));
  if (call.role().members_size() > 0 && pool.tier() == "LITE") {
    return Fail(ErrorCode::kTierChangeNotAllowedException, "A user pool with replicas cannot move to the LITE tier.");
  }
  pool.set_modified_micros(ToMicros(call.now()));
  call.tx().Put<directory::PoolKind>("", pool);
  pb::PublicRecord published = PublicOf(call);
  if (published.issuer() != pool.issuer()) {
    published.set_issuer(pool.issuer());
    call.tx().Put<directory::PublicKind>("", published);
  }
  return UpdateUserPoolResponse{};
}

ApiResult<DeleteUserPoolResponse> DeleteUserPool(Call& call, const DeleteUserPoolRequest&) {
  if (call.pool().deletion_protection()) {
    return Fail(ErrorCode::kInvalidParameterException,
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be "
                "inactivated first.");
  }
  if (!PublicOf(call).domain().empty()) {
    return Fail(ErrorCode::kInvalidParameterException,
                "User pool cannot be deleted. It has a domain configured that should be deleted first.");
  }
  if (call.role().members_size() > 0) {
    return Fail(ErrorCode::kInvalidParameterException,
                "User pool cannot be deleted. It has replicas that should be deleted first.");
  }
  // From here on the pool exists for replication only, which removes what is left of it (replication/roles.h).
  call.tx().PutClear(directory::RecordType::kRole, "",
                     replication::SerializeRole(replication::MarkDeleted(call.role())));
  return DeleteUserPoolResponse{};
}

ApiResult<ListUserPoolsResponse> ListUserPools(Call& call, const ListUserPoolsRequest& request) {
  const std::optional<PoolId> after = ParsePoolToken(request.NextToken);
  if (after && after->empty()) return Fail(ErrorCode::kInvalidParameterException, "Invalid NextToken.");
  const PoolCatalog::Listing listing = call.catalog().List(after, static_cast<std::size_t>(request.MaxResults));
  ListUserPoolsResponse response;
  response.UserPools.emplace();
  for (const PoolCatalog::Entry& entry : listing.entries) {
    UserPoolDescriptionType shown;
    shown.Id = entry.id.value();
    shown.LambdaConfig.emplace();
    if (entry.pool) {
      shown.Name = entry.pool->name();
      shown.CreationDate = FromMicros(entry.pool->created_micros());
      shown.LastModifiedDate = FromMicros(entry.pool->modified_micros());
    } else {
      // Nobody can read what it is called, but it must not look lost.
      shown.Status = StatusType::kDisabled;
    }
    for (const replication::pb::Member& member : entry.role.members()) {
      if (!shown.ReplicaRegions) shown.ReplicaRegions.emplace();
      shown.ReplicaRegions->push_back(member.region());
    }
    response.UserPools->push_back(std::move(shown));
  }
  if (listing.next) response.NextToken = Base64UrlEncode(listing.next->value());
  return response;
}

ApiResult<model::own::SetUserPoolSigningAlgorithmResponse> SetUserPoolSigningAlgorithm(
    Call& call, const model::own::SetUserPoolSigningAlgorithmRequest& request) {
  const bool es256 = request.SigningAlgorithm == model::own::SigningAlgorithmType::kEs256;
  const pb::SigningAlgorithm wanted = es256 ? pb::ES256 : pb::RS256;
  model::own::SetUserPoolSigningAlgorithmResponse response;
  response.UserPoolId = call.pool_id().value();
  response.SigningAlgorithm = request.SigningAlgorithm;
  if (call.pool().signing_algorithm() == wanted) return response;
  pb::PoolRecord pool = call.pool();
  pool.set_signing_algorithm(wanted);
  pool.set_modified_micros(ToMicros(call.now()));
  call.tx().Put<directory::PoolKind>("", pool);
  auth::RetireSigningKeys(call.tx());
  pb::PublicRecord published = PublicOf(call);
  auth::PublishSigningKeys(call.tx(), published, call.preparation().signing_keys, call.now());
  call.tx().Put<directory::PublicKind>("", published);
  return response;
}

}  // namespace symbolon::cognito::operations
