#include "cognito/authorisation.h"

#include <fmt/format.h>

namespace symbolon::cognito {
namespace {

std::string_view PrefixOf(model::Service service) {
  switch (service) {
    case model::Service::kCognito:
      return "cognito-idp";
    case model::Service::kKms:
      return "kms";
    case model::Service::kOwn:
      return "symbolon";
  }
  return "";
}

}  // namespace

std::string ActionOf(const model::OperationFacts& operation) {
  return fmt::format("{}:{}", PrefixOf(operation.service), operation.name);
}

policy::Context ContextOf(const http::Request& request, const policy::Principal& principal, Timestamp now,
                          const Region& here) {
  using Kind = policy::Principal::Kind;
  policy::Context context;
  context.SetTime(now);
  context.Add("aws:RequestedRegion", here.value());
  context.Add("aws:SourceIp", request.peer_address);
  context.SetFlag("aws:SecureTransport", request.is_tls);
  if (const auto agent = request.headers.Find("User-Agent")) context.Add("aws:UserAgent", std::string(*agent));
  context.Add("aws:PrincipalArn", principal.ToString());
  context.Add("aws:PrincipalAccount", principal.account);
  context.Add("aws:PrincipalType", principal.kind == Kind::kUser ? "User" : "Account");
  context.SetFlag("aws:PrincipalIsAWSService", false);
  context.SetFlag("aws:ViaAWSService", false);
  if (principal.kind == Kind::kUser) context.Add("aws:username", principal.name);
  return context;
}

model::ApiResult<void> Authorise(const policy::Caller& caller, const model::OperationFacts& operation,
                                 const PoolId& pool, const directory::RegionSettings& here) {
  if (caller.identity.principal.kind == policy::Principal::Kind::kRoot) return {};
  const bool names_pool = operation.user_pool_id != nullptr || operation.resource_arn != nullptr;
  const std::string action = ActionOf(operation);
  const std::string resource =
      names_pool ? fmt::format("arn:aws:cognito-idp:{}:{}:userpool/{}", here.region.value(), here.account, pool.value())
                 : "*";
  const policy::Request request{
      .principal = caller.identity.principal, .action = action, .resource = resource, .context = caller.context};
  const auto outcome = policy::DecideByIdentity(caller.identity.policies, request);
  if (outcome == policy::Outcome::kAllowed) return {};
  return model::Fail(model::ErrorCode::kAccessDeniedException, policy::Refusal(request, outcome));
}

}  // namespace symbolon::cognito
