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

constexpr std::size_t kPrefixMax = 63;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

// One label of a DNS name (RFC 1035 §2.3.1), in lower case.
bool IsPrefix(std::string_view text) {
  return !text.empty() && text.size() <= kPrefixMax && !text.starts_with('-') && !text.ends_with('-') &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

ApiResult<CreateUserPoolDomainResponse> CreateUserPoolDomain(Call& call, const CreateUserPoolDomainRequest& request) {
  if (request.Routing) return Invalid("Routing is not available yet.");
  if (request.CustomDomainConfig && request.CustomDomainConfig->SecurityPolicy)
    return Invalid("SecurityPolicy is not available yet.");
  if (request.ManagedLoginVersion.value_or(1) != 1) return Invalid("Managed login is not available yet.");
  const std::string domain = directory::FoldCase(request.Domain);
  const bool custom = domain.find('.') != std::string::npos;
  if (!custom && !IsPrefix(domain)) return Invalid(fmt::format("Invalid domain prefix {}.", request.Domain));
  if (custom && !request.CustomDomainConfig) return Invalid("A custom domain needs CustomDomainConfig.");
  if (call.domain_owner(domain)) return Invalid("Domain already associated with another user pool.");
  auto published = call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord());
  if (!published.domain().empty()) return Invalid("User pool already has a domain configured.");

  pb::DomainRecord record;
  record.set_custom(custom);
  record.set_created_micros(ToMicros(call.now()));
  record.set_managed_login_version(1);
  call.tx().Put<directory::DomainKind>(domain, record);
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
  if (record->custom()) shown.CloudFrontDistribution = domain;
  return response;
}

ApiResult<DeleteUserPoolDomainResponse> DeleteUserPoolDomain(Call& call, const DeleteUserPoolDomainRequest& request) {
  const std::string domain = directory::FoldCase(request.Domain);
  auto published = call.tx().Get<directory::PublicKind>("").value_or(pb::PublicRecord());
  if (published.domain() != domain || !call.tx().Get<directory::DomainKind>(domain)) {
    return Invalid("No such domain or user pool exists.");
  }
  call.tx().Delete<directory::DomainKind>(domain);
  published.clear_domain();
  published.clear_custom_domain();
  call.tx().Put<directory::PublicKind>("", published);
  return DeleteUserPoolDomainResponse{};
}

}  // namespace symbolon::cognito::operations
