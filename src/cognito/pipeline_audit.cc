// What of a call the audit trail keeps, and when.
//
//   the caller is known → the trail takes lines → the operation → its line is durable → the answer
//
// A call without a good signature is counted and not written: anybody could fill the disk with such. What is passed on
// to the primary has a line here, with the primary's answer, and one there.
#include <boost/json.hpp>

#include "base/log.h"
#include "cognito/answer.h"
#include "cognito/audited_call.h"
#include "cognito/pipeline_exchange.h"
#include "http/await.h"
#include "keys/arn.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::cognito {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;

namespace {

namespace json = boost::json;
using COp = model::cognito::Operation;

tl::unexpected<model::ApiError> NoLines(const model::OperationFacts& operation) {
  if (operation.service == model::Service::kKms) {
    return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
  }
  return Fail(ErrorCode::kServiceUnavailableException, "The call cannot be audited.");
}

std::string SourceOf(model::Service service) {
  switch (service) {
    case model::Service::kKms:
      return "kms.amazonaws.com";
    case model::Service::kCognito:
      return "cognito-idp.amazonaws.com";
    case model::Service::kOwn:
      return "symbolon";
  }
  return "";
}

audit::Identity IdentityOf(const policy::Principal& principal, const std::string& access_key_id) {
  using Kind = policy::Principal::Kind;
  using Type = audit::Identity::Type;
  return {.type = principal.kind == Kind::kUser ? Type::kIamUser : Type::kRoot,
          .arn = principal.ToString(),
          .user_name = principal.kind == Kind::kUser ? principal.name : std::string(),
          .access_key_id = access_key_id};
}

bool Names(const std::optional<wire::Request>& request, std::string_view name) {
  if (!request) return false;
  const wire::Member* const member = wire::FindMember(request->shape(), name);
  return member != nullptr && wire::Get(*member, request->object()) != nullptr;
}

// Of an answer that the primary gave.
void SetOutcome(audit::Event& event, const http::Response& passed_on) {
  const std::string_view outcome = OutcomeOf(passed_on);
  if (outcome == "ok") return;
  event.error_code = outcome.empty() ? fmt::format("{}", passed_on.status) : std::string(outcome);
  event.error_message = std::string(passed_on.headers.Find(kErrorMessageHeader).value_or(""));
}

}  // namespace

bool Pipeline::IsAudited(const Exchange& exchange) const {
  if (services_.audit == nullptr || !exchange.operation->audited || !exchange.signer) return false;
  // Without it, the pool's key stays as it is.
  return !Is(*exchange.operation, COp::kUpdateUserPool) || Names(exchange.request, "KeyConfiguration");
}

ApiResult<void> Pipeline::CheckAudit(const Exchange& exchange) const {
  if (!IsAudited(exchange) || services_.audit->Ready()) return {};
  return NoLines(*exchange.operation);
}

// As the pool's records say in clear, also while it is locked.
void Pipeline::NotePoolKey(Exchange& exchange) const {
  if (!IsAudited(exchange) || exchange.pool.empty()) return;
  const auto named = exchange.request->Text(wire::FindMember(exchange.request->shape(), "RegionName"));
  const Region region = named ? Region(std::string(*named)) : services_.region.region;
  const auto snapshot = services_.store.MakeSnapshot();
  const auto clear = [&](directory::RecordType type, const std::string& id) -> std::optional<Bytes> {
    auto found = snapshot->Get({.space = storage::Space::kDirectory,
                                .pool = exchange.pool,
                                .type = static_cast<std::uint16_t>(type),
                                .id = id});
    return found ? *std::move(found) : std::nullopt;
  };
  const auto own = clear(directory::RecordType::kRegionKey, region.value());
  if (const auto arn = own ? keys::ParseRegionKey(*own) : std::nullopt) {
    exchange.pool_key_arn = *arn;
    return;
  }
  const auto wrapped = clear(directory::RecordType::kWrappedKeys, "");
  if (!wrapped) return;
  if (const auto contents = keys::ContentsOfPoolKeys(*wrapped)) {
    exchange.pool_key_arn = keys::KeyArnInRegion(contents->cmk_arn, region);
  }
}

audit::Event Pipeline::EventOf(const Exchange& exchange, const std::string& request_id,
                               const ApiResult<std::string>& result) const {
  const model::OperationFacts& operation = *exchange.operation;
  audit::Event event{.time = services_.clock.Now(),
                     .identity = IdentityOf(exchange.signer->identity.principal, *exchange.caller.access_key_id),
                     .source = SourceOf(operation.service),
                     .name = std::string(operation.name),
                     .source_address = exchange.http.peer_address,
                     .user_agent = std::string(exchange.http.headers.Find("User-Agent").value_or("")),
                     .request_id = request_id,
                     .read_only = audit::IsReadOnly(operation.name)};
  if (exchange.passed_on) {
    SetOutcome(event, *exchange.passed_on);
  } else if (!result) {
    event.error_code = model::ToString(result.error().code);
    event.error_message = result.error().message;
  }
  if (exchange.request) {
    if (operation.service == model::Service::kKms) {
      SetKeyCall(event, exchange, result ? *result : "");
    } else {
      SetPoolCall(event, exchange);
    }
  }
  return event;
}

void Pipeline::SetKeyCall(audit::Event& event, const Exchange& exchange, std::string_view answer) const {
  const wire::Request& request = *exchange.request;
  const directory::RegionSettings& here = services_.region;
  event.request_parameters = AuditedParameters(request.shape(), request.object());
  event.key_arns = AuditedKeys(exchange.key_arns, request.shape(), request.object(), *exchange.operation->output,
                               answer, fmt::format("arn:aws:kms:{}:{}:key/", here.region.value(), here.account));
}

void Pipeline::SetPoolCall(audit::Event& event, const Exchange& exchange) const {
  const wire::Request& request = *exchange.request;
  const bool is_own = exchange.operation->service == model::Service::kOwn;
  event.request_parameters = is_own ? AuditedParameters(request.shape(), request.object())
                                    : AuditedPoolParameters(request.shape(), request.object());
  json::object more;
  // Not in the request: the pool is new.
  const bool is_new = !exchange.operation->user_pool_id && !exchange.pool.empty() && event.error_code.empty();
  if (is_new) more["userPoolId"] = exchange.pool.value();
  if (!exchange.pool_key_arn.empty()) {
    more["poolKmsKeyArn"] = exchange.pool_key_arn;
    event.key_arns.push_back(exchange.pool_key_arn);
  }
  if (!more.empty()) event.additional_data = json::serialize(more);
  const std::string chosen = ChosenKey(request.shape(), request.object());
  if (!chosen.empty() && chosen != exchange.pool_key_arn) event.key_arns.push_back(chosen);
}

boost::asio::awaitable<ApiResult<std::string>> Pipeline::Audit(Exchange& exchange, const std::string& request_id,
                                                               ApiResult<std::string> result) {
  if (!IsAudited(exchange)) co_return result;
  const audit::Event event = EventOf(exchange, request_id, result);
  // The line is written wherever there is a thread for it: the operation has taken place.
  const auto recorded = co_await http::RunBlocking(services_.blocking, [&] { return services_.audit->Record(event); });
  if (recorded ? recorded->has_value() : services_.audit->Record(event).has_value()) co_return result;
  log::Error("audit: the answer to {} is withheld", exchange.operation->name);
  exchange.passed_on.reset();
  co_return NoLines(*exchange.operation);
}

}  // namespace symbolon::cognito
