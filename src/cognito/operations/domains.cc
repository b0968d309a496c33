// A pool's domain: the name under which its OAuth endpoints are served.
#include <fmt/format.h>

#include <algorithm>

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

// What either request says of managed login and TLS, which is not there.
template <class Request>
ApiResult<void> CheckWhatIsServed(const Request& request) {
  if (request.CustomDomainConfig && request.CustomDomainConfig->SecurityPolicy)
    return Invalid("SecurityPolicy is not available yet.");
  if (request.ManagedLoginVersion.value_or(1) != 1) return Invalid("Managed login is not available yet.");
  return {};
}

// Left out, there is no failover any more. The router obeys it (docs/router.md), and knows what the check is.
ApiResult<void> SetRouting(Call& call, const std::optional<RoutingType>& routing, pb::DomainRecord& record) {
  record.clear_failover();
  if (!routing || !routing->Failover) return {};
  const FailoverType& failover = *routing->Failover;
  const auto* replica = replication::FindMember(call.role(), Region(failover.SecondaryRegion));
  if (replica == nullptr || replica->state() == replication::pb::DELETING) {
    return Invalid(fmt::format("The user pool has no replica in Region {}, to which the domain would fail over.",
                               failover.SecondaryRegion));
  }
  const std::string& check = failover.PrimaryRoute53HealthCheckId;
  const bool is_plain = std::ranges::all_of(check, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == ':';
  });
  if (check.empty() || !is_plain) return Invalid("PrimaryRoute53HealthCheckId: letters, digits and -_.: only.");
  record.mutable_failover()->set_secondary_region(failover.SecondaryRegion);
  record.mutable_failover()->set_health_check_id(check);
  return {};
}

std::optional<RoutingType> RoutingOf(const pb::DomainRecord& record) {
  if (!record.has_failover()) return std::nullopt;
  return RoutingType{.Failover = FailoverType{.SecondaryRegion = record.failover().secondary_region(),
                                              .PrimaryRoute53HealthCheckId = record.failover().health_check_id()}};
}

}  // namespace

ApiResult<CreateUserPoolDomainResponse> CreateUserPoolDomain(Call& call, const CreateUserPoolDomainRequest& request) {
  SYMBOLON_TRY_VOID(CheckWhatIsServed(request));
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
  SYMBOLON_TRY_VOID(SetRouting(call, request.Routing, record));
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
  response.Routing = RoutingOf(record);
  return response;
}

ApiResult<UpdateUserPoolDomainResponse> UpdateUserPoolDomain(Call& call, const UpdateUserPoolDomainRequest& request) {
  SYMBOLON_TRY_VOID(CheckWhatIsServed(request));
  const std::string domain = directory::FoldCase(request.Domain);
  const auto published = call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord());
  auto record = call.tx().Get<directory::DomainKind>(domain);
  if (published.domain() != domain || !record) return Invalid("No such domain or user pool exists.");
  if (request.CustomDomainConfig) {
    if (!record->custom()) return Invalid("A domain prefix takes no CustomDomainConfig.");
    record->set_certificate_arn(request.CustomDomainConfig->CertificateArn);
  }
  SYMBOLON_TRY_VOID(SetRouting(call, request.Routing, *record));
  call.tx().Put<directory::DomainKind>(domain, *record);
  UpdateUserPoolDomainResponse response;
  response.ManagedLoginVersion = static_cast<std::int32_t>(record->managed_login_version());
  if (record->custom()) response.CloudFrontDomain = domain;
  response.Routing = RoutingOf(*record);
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
  shown.Routing = RoutingOf(*record);
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
