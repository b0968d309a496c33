// What of a call the audit trail keeps, and when.
//
//   the caller is known → the trail takes lines → the operation → its line is durable → the answer
//
// A call without a good signature is counted and not written: anybody could fill the disk with such.
#include "base/log.h"
#include "cognito/audited_call.h"
#include "cognito/pipeline_exchange.h"
#include "http/await.h"

namespace symbolon::cognito {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;

namespace {

tl::unexpected<model::ApiError> NoLines(const model::OperationFacts& operation) {
  if (operation.service == model::Service::kKms) {
    return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
  }
  return Fail(ErrorCode::kServiceUnavailableException, "The call cannot be audited.");
}

audit::Identity IdentityOf(const policy::Principal& principal, const std::string& access_key_id) {
  using Kind = policy::Principal::Kind;
  using Type = audit::Identity::Type;
  return {.type = principal.kind == Kind::kUser ? Type::kIamUser : Type::kRoot,
          .arn = principal.ToString(),
          .user_name = principal.kind == Kind::kUser ? principal.name : std::string(),
          .access_key_id = access_key_id};
}

}  // namespace

bool Pipeline::IsAudited(const Exchange& exchange) const {
  return services_.audit != nullptr && exchange.operation->audited && exchange.signer.has_value();
}

ApiResult<void> Pipeline::CheckAudit(const Exchange& exchange) const {
  if (!IsAudited(exchange) || services_.audit->Ready()) return {};
  return NoLines(*exchange.operation);
}

audit::Event Pipeline::EventOf(const Exchange& exchange, const std::string& request_id,
                               const ApiResult<std::string>& result) const {
  const model::OperationFacts& operation = *exchange.operation;
  const bool of_keys = operation.service == model::Service::kKms;
  const directory::RegionSettings& here = services_.region;
  audit::Event event{.time = services_.clock.Now(),
                     .identity = IdentityOf(exchange.signer->identity.principal, *exchange.caller.access_key_id),
                     .source = of_keys ? "kms.amazonaws.com" : "symbolon",
                     .name = std::string(operation.name),
                     .source_address = exchange.http.peer_address,
                     .user_agent = std::string(exchange.http.headers.Find("User-Agent").value_or("")),
                     .request_id = request_id,
                     .read_only = audit::IsReadOnly(operation.name)};
  if (exchange.request) {
    const wire::Shape& shape = exchange.request->shape();
    event.request_parameters = AuditedParameters(shape, exchange.request->object());
    if (of_keys) {
      event.key_arns = AuditedKeys(shape, exchange.request->object(), result ? *result : "",
                                   fmt::format("arn:aws:kms:{}:{}:key/", here.region.value(), here.account));
    }
  }
  if (!result) {
    event.error_code = model::ToString(result.error().code);
    event.error_message = result.error().message;
  }
  return event;
}

boost::asio::awaitable<ApiResult<std::string>> Pipeline::Audit(const Exchange& exchange, const std::string& request_id,
                                                               ApiResult<std::string> result) {
  if (!IsAudited(exchange)) co_return result;
  const audit::Event event = EventOf(exchange, request_id, result);
  // The line is written wherever there is a thread for it: the operation has taken place.
  const auto recorded = co_await http::RunBlocking(services_.blocking, [&] { return services_.audit->Record(event); });
  if (recorded ? recorded->has_value() : services_.audit->Record(event).has_value()) co_return result;
  log::Error("audit: the answer to {} is withheld", exchange.operation->name);
  co_return NoLines(*exchange.operation);
}

}  // namespace symbolon::cognito
