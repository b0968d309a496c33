// CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant, RetireGrant.
#include "kms_api/grants.h"

#include <fmt/format.h>

#include <algorithm>

#include "kms_api/grant_token.h"
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"
#include "policy/principal.h"

namespace symbolon::kms_api {
namespace {

using keys::local::Grant;
using keys::local::KeyFactsPointer;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::int32_t kListedGrantsDefault = 50;

// A grant names somebody, not everybody.
ApiResult<void> CheckPrincipal(const std::string& principal, bool is_service) {
  const bool good = is_service ? policy::PrincipalPattern::OfService(principal).has_value()
                               : principal.starts_with("arn:") && policy::PrincipalPattern::OfAws(principal);
  if (good) return {};
  return Fail(ErrorCode::kInvalidArnException, "ARN does not refer to a valid principal");
}

// One of the two, or none if that may be.
struct Somebody {
  std::string name;
  bool is_service = false;
};
ApiResult<Somebody> SomebodyOf(const std::optional<std::string>& principal, const std::optional<std::string>& service,
                               std::string_view what) {
  if (principal && service) {
    return Fail(ErrorCode::kValidationException,
                fmt::format("{0}Principal and {0}ServicePrincipal exclude each other.", what));
  }
  if (!principal && !service) return Somebody();
  Somebody somebody{.name = service ? *service : *principal, .is_service = service.has_value()};
  SYMBOLON_TRY_VOID(CheckPrincipal(somebody.name, somebody.is_service));
  return somebody;
}

// Of a symmetric encryption key.
bool IsOffered(GrantOperation operation) {
  switch (operation) {
    case GrantOperation::kDecrypt:
    case GrantOperation::kEncrypt:
    case GrantOperation::kGenerateDataKey:
    case GrantOperation::kGenerateDataKeyWithoutPlaintext:
    case GrantOperation::kReEncryptFrom:
    case GrantOperation::kReEncryptTo:
    case GrantOperation::kCreateGrant:
    case GrantOperation::kRetireGrant:
    case GrantOperation::kDescribeKey:
      return true;
    default:
      return false;
  }
}

GrantListEntry Shown(const Call& call, const std::string& key_arn, const Grant& grant) {
  GrantListEntry entry{.KeyId = key_arn,
                       .GrantId = grant.id,
                       .CreationDate = grant.created,
                       .IssuingAccount = policy::Principal::Root(call.account()).ToString()};
  if (!grant.name.empty()) entry.Name = grant.name;
  (grant.grantee_is_service ? entry.GranteeServicePrincipal : entry.GranteePrincipal) = grant.grantee;
  if (!grant.retiring.empty()) {
    (grant.retiring_is_service ? entry.RetiringServicePrincipal : entry.RetiringPrincipal) = grant.retiring;
  }
  auto& operations = entry.Operations.emplace();
  for (const std::string& name : grant.operations) {
    if (const auto operation = ParseGrantOperation(name)) operations.push_back(*operation);
  }
  const auto& constraints = grant.constraints;
  if (constraints.context_subset || constraints.context_equals || !constraints.source_arn.empty()) {
    auto& shown = entry.Constraints.emplace();
    shown.EncryptionContextSubset = constraints.context_subset;
    shown.EncryptionContextEquals = constraints.context_equals;
    if (!constraints.source_arn.empty()) shown.SourceArn = constraints.source_arn;
  }
  return entry;
}

struct ShownGrant {
  std::string key_arn;
  Grant grant;
};

// A page of grants, which are ascending by key and id.
template <class Response>
Response PageOfGrants(const Call& call, const std::vector<ShownGrant>& grants, const std::optional<std::string>& marker,
                      std::optional<std::int32_t> limit) {
  std::vector<std::string> names;
  for (const auto& [key_arn, grant] : grants) names.push_back(key_arn + ":" + grant.id);
  const Page page = PageOf(names, marker, static_cast<std::size_t>(limit.value_or(kListedGrantsDefault)));
  Response response{.Grants = {{}}};
  for (std::size_t i = page.begin; i < page.end; ++i) {
    response.Grants->push_back(Shown(call, grants[i].key_arn, grants[i].grant));
  }
  response.NextMarker = page.next;
  response.Truncated = page.next.has_value();
  return response;
}

ApiResult<void> CheckDryRun(const std::optional<bool>& dry_run) {
  if (!dry_run.value_or(false)) return {};
  return Fail(ErrorCode::kDryRunOperationException, "The request would have succeeded, but the DryRun option is set.");
}

ApiResult<NamedGrant> GrantOn(KeyFactsPointer key, const std::string& grant_id) {
  const auto found = std::ranges::find(key->grants, grant_id, &Grant::id);
  if (found == key->grants.end()) {
    return Fail(ErrorCode::kNotFoundException, fmt::format("Grant ID {} not found", grant_id));
  }
  return NamedGrant{.key = key, .grant = *found};
}

ApiResult<void> Remove(Call& call, const NamedGrant& named) {
  const auto done = call.keys().RemoveGrant(named.key->id, named.grant.id);
  if (!done) return Refuse(done.error(), named.key->arn);
  return {};
}

}  // namespace

ApiResult<Grant> GrantOf(const CreateGrantRequest& request) {
  Grant grant;
  SYMBOLON_TRY(const Somebody grantee,
               SomebodyOf(request.GranteePrincipal, request.GranteeServicePrincipal, "Grantee"));
  if (grantee.name.empty()) return Fail(ErrorCode::kValidationException, "GranteePrincipal is missing.");
  SYMBOLON_TRY(const Somebody retiring,
               SomebodyOf(request.RetiringPrincipal, request.RetiringServicePrincipal, "Retiring"));
  grant.grantee = grantee.name;
  grant.grantee_is_service = grantee.is_service;
  grant.retiring = retiring.name;
  grant.retiring_is_service = retiring.is_service;
  grant.name = request.Name.value_or("");
  for (const GrantOperation operation : request.Operations) {
    if (!IsOffered(operation)) {
      return Fail(ErrorCode::kValidationException,
                  fmt::format("The operation {} is not one of a symmetric encryption key.", ToString(operation)));
    }
    grant.operations.emplace_back(ToString(operation));
  }
  if (grant.operations.empty()) return Fail(ErrorCode::kValidationException, "Operations are missing.");
  if (request.Constraints) {
    grant.constraints.context_subset = request.Constraints->EncryptionContextSubset;
    grant.constraints.context_equals = request.Constraints->EncryptionContextEquals;
    grant.constraints.source_arn = request.Constraints->SourceArn.value_or("");
  }
  return grant;
}

ApiResult<NamedGrant> FindGrant(Call& call, const RetireGrantRequest& request) {
  if (request.GrantToken) {
    if (request.KeyId || request.GrantId) {
      return Fail(ErrorCode::kValidationException, "GrantToken excludes KeyId and GrantId.");
    }
    const auto name = ParseGrantToken(*request.GrantToken);
    if (!name) return Fail(ErrorCode::kInvalidGrantTokenException, "The grant token is not valid.");
    SYMBOLON_TRY(auto key, FindKey(call, name->key_arn));
    return GrantOn(std::move(key), name->grant_id);
  }
  if (!request.KeyId || !request.GrantId) {
    return Fail(ErrorCode::kValidationException, "GrantToken, or KeyId and GrantId, must be given.");
  }
  SYMBOLON_TRY(auto key, FindKey(call, *request.KeyId));
  return GrantOn(std::move(key), *request.GrantId);
}

namespace operations {

ApiResult<CreateGrantResponse> CreateGrant(Call& call, const CreateGrantRequest& request) {
  SYMBOLON_TRY_VOID(CheckGrantTokens(request.GrantTokens));
  SYMBOLON_TRY(Grant grant, GrantOf(request));
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY_VOID(CheckDryRun(request.DryRun));
  const auto made = call.keys().CreateGrant(key->id, std::move(grant));
  if (!made) return Refuse(made.error(), key->arn);
  return CreateGrantResponse{.GrantToken = MakeGrantToken({.key_arn = key->arn, .grant_id = made->id}),
                             .GrantId = made->id};
}

ApiResult<ListGrantsResponse> ListGrants(Call& call, const ListGrantsRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  std::vector<ShownGrant> grants;
  for (const Grant& grant : key->grants) {
    if (request.GrantId && grant.id != *request.GrantId) continue;
    if (request.GranteePrincipal && (grant.grantee_is_service || grant.grantee != *request.GranteePrincipal)) continue;
    if (request.GranteeServicePrincipal &&
        (!grant.grantee_is_service || grant.grantee != *request.GranteeServicePrincipal)) {
      continue;
    }
    grants.push_back({.key_arn = key->arn, .grant = grant});
  }
  return PageOfGrants<ListGrantsResponse>(call, grants, request.Marker, request.Limit);
}

// The shape of the answer is that of ListGrants.
ApiResult<ListGrantsResponse> ListRetirableGrants(Call& call, const ListRetirableGrantsRequest& request) {
  SYMBOLON_TRY(const Somebody retiring,
               SomebodyOf(request.RetiringPrincipal, request.RetiringServicePrincipal, "Retiring"));
  if (retiring.name.empty()) return Fail(ErrorCode::kValidationException, "RetiringPrincipal is missing.");
  std::vector<ShownGrant> grants;
  for (auto& [key_arn, grant] : call.keys().GrantsRetirableBy(retiring.name)) {
    if (grant.retiring_is_service == retiring.is_service) grants.push_back({std::move(key_arn), std::move(grant)});
  }
  return PageOfGrants<ListGrantsResponse>(call, grants, request.Marker, request.Limit);
}

ApiResult<RevokeGrantResponse> RevokeGrant(Call& call, const RevokeGrantRequest& request) {
  SYMBOLON_TRY(auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY(const NamedGrant named, GrantOn(std::move(key), request.GrantId));
  SYMBOLON_TRY_VOID(CheckDryRun(request.DryRun));
  SYMBOLON_TRY_VOID(Remove(call, named));
  return RevokeGrantResponse{};
}

ApiResult<RetireGrantResponse> RetireGrant(Call& call, const RetireGrantRequest& request) {
  SYMBOLON_TRY(const NamedGrant named, FindGrant(call, request));
  SYMBOLON_TRY_VOID(CheckDryRun(request.DryRun));
  SYMBOLON_TRY_VOID(Remove(call, named));
  return RetireGrantResponse{};
}

}  // namespace operations
}  // namespace symbolon::kms_api
