// A pool's domain: the name under which its OAuth endpoints are served.
#include <fmt/format.h>

#include "cognito/call.h"
#include "directory/normalise.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

// Whether another pool has the domain: here by a claim, which this plan reads and writes so that two that want it are
// in conflict; or in another Region, from where its record came.
bool IsTaken(Call& call, const std::string& domain) {
  const auto claim = call.tx().Get<directory::DomainClaimKind>(domain);
  return call.domain_owner(domain) || (claim && call.tx().GetOf<directory::DomainKind>(PoolId(claim->pool()), domain));
}

}  // namespace

ApiResult<CreateUserPoolDomainResponse> CreateUserPoolDomain(Call& call, const CreateUserPoolDomainRequest& request) {
  if (request.Routing) return Invalid("Routing is not available yet.");
  if (request.CustomDomainConfig && request.CustomDomainConfig->SecurityPolicy)
    return Invalid("SecurityPolicy is not available yet.");
  if (request.ManagedLoginVersion.value_or(1) != 1) return Invalid("Managed login is not available yet.");
  const std::string domain = directory::FoldCase(request.Domain);
  const bool custom = domain.find('.') != std::string::npos;
  if (custom && !request.CustomDomainConfig) return Invalid("A custom domain needs CustomDomainConfig.");
  if (!custom && request.CustomDomainConfig) return Invalid("A domain prefix takes no CustomDomainConfig.");
  if (IsTaken(call, domain)) return Invalid("Domain already associated with another user pool.");
  auto published = call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord());
  if (!published.domain().empty()) return Invalid("User pool already has a domain configured.");

  pb::DomainRecord record;
  record.set_custom(custom);
  record.set_created_micros(ToMicros(call.now()));
  record.set_managed_login_version(1);
  if (custom) record.set_certificate_arn(request.CustomDomainConfig->CertificateArn);
  call.tx().Put<directory::DomainKind>(domain, record);
  pb::DomainClaim claim;
  claim.set_pool(call.pool_id().value());
  call.tx().Put<directory::DomainClaimKind>(domain, claim);
  published.set_domain(domain);
  published.set_custom_domain(custom);
  call.tx().Put<directory::PublicKind>("", published);
  CreateUserPoolDomainResponse response;
  response.ManagedLoginVersion = 1;
  // There is no CDN: the name itself is what DNS has to point to this service.
  if (custom) response.CloudFrontDomain = domain;
  return response;
}

ApiResult<DescribeUserPoolDomainResponse> DescribeUserPoolDomain(Call& call,
                                                                 const DescribeUserPoolDomainRequest& request) {
  DescribeUserPoolDomainResponse response;
  DomainDescriptionType& shown = response.DomainDescription.emplace();
  // An unknown domain is described as nothing, not refused.
  if (call.pool_id().empty()) return response;
  const std::string domain = directory::FoldCase(request.Domain);
  const auto record = call.tx().Get<directory::DomainKind>(domain);
  if (!record) return response;
  shown.UserPoolId = call.pool_id().value();
  shown.AWSAccountId = call.env().region().account;
  shown.Domain = domain;
  shown.Status = DomainStatusType::kActive;
  shown.ManagedLoginVersion = static_cast<std::int32_t>(record->managed_login_version());
  if (record->custom()) {
    shown.CloudFrontDistribution = domain;
    shown.CustomDomainConfig.emplace().CertificateArn = record->certificate_arn();
  }
  return response;
}

ApiResult<DeleteUserPoolDomainResponse> DeleteUserPoolDomain(Call& call, const DeleteUserPoolDomainRequest& request) {
  const std::string domain = directory::FoldCase(request.Domain);
  auto published = call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord());
  if (published.domain() != domain || !call.tx().Get<directory::DomainKind>(domain)) {
    return Invalid("No such domain or user pool exists.");
  }
  call.tx().Delete<directory::DomainKind>(domain);
  if (const auto claim = call.tx().Get<directory::DomainClaimKind>(domain);
      claim && claim->pool() == call.pool_id().value()) {
    call.tx().Delete<directory::DomainClaimKind>(domain);
  }
  published.clear_domain();
  published.clear_custom_domain();
  call.tx().Put<directory::PublicKind>("", published);
  return DeleteUserPoolDomainResponse{};
}

}  // namespace symbolon::cognito::operations
