// Re-encryption of a user pool: a job of its primary, which these begin and tell of (docs/keys.md).
#include "key_life/reencryption.h"

#include "cognito/call.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using directory::pb::ReencryptionRecord;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;

ReencryptionStatusType StatusOf(const ReencryptionRecord& record) {
  if (record.state() == ReencryptionRecord::RUNNING) return ReencryptionStatusType::kRunning;
  if (record.state() == ReencryptionRecord::FINISHING) return ReencryptionStatusType::kFinishing;
  return ReencryptionStatusType::kDone;
}

ReencryptionType Describe(Call& call, const ReencryptionRecord& record) {
  ReencryptionType shown{.UserPoolId = call.pool_id().value(),
                         .Status = StatusOf(record),
                         .StartedAt = FromMicros(record.started_micros()),
                         .EndedAt = {},
                         .RecordsPerSecondMax = static_cast<std::int64_t>(record.records_per_second_max()),
                         .RecordsDone = static_cast<std::int64_t>(record.records_done()),
                         .RecordsTotal = static_cast<std::int64_t>(record.records_total()),
                         .RecordsReencrypted = static_cast<std::int64_t>(record.records_resealed()),
                         .RecordsPerSecond = record.records_per_second(),
                         .RemainingSeconds = {},
                         .DataKeysKept = {},
                         .Problem = {}};
  if (record.state() == ReencryptionRecord::DONE) {
    shown.EndedAt = FromMicros(record.ended_micros());
    shown.DataKeysKept = static_cast<std::int64_t>(record.generations_kept());
    return shown;
  }
  if (record.state() == ReencryptionRecord::RUNNING && record.records_per_second() > 0) {
    shown.RemainingSeconds =
        static_cast<double>(record.records_total() - record.records_done()) / record.records_per_second();
  }
  if (!call.preparation().reencryption_problem.empty()) shown.Problem = call.preparation().reencryption_problem;
  return shown;
}

}  // namespace

ApiResult<ReencryptUserPoolResponse> ReencryptUserPool(Call& call, const ReencryptUserPoolRequest& request) {
  const auto rate = static_cast<std::uint64_t>(
      request.RecordsPerSecond.value_or(static_cast<std::int64_t>(call.preparation().reencryption_rate)));
  const ReencryptionRecord record = key_life::BeginReencryption(call.tx(), rate, call.now());
  return ReencryptUserPoolResponse{.Reencryption = Describe(call, record)};
}

ApiResult<DescribeReencryptionResponse> DescribeReencryption(Call& call, const DescribeReencryptionRequest&) {
  const auto record = call.tx().Get<directory::ReencryptionKind>("");
  if (!record) return Fail(ErrorCode::kResourceNotFoundException, "The user pool was never re-encrypted.");
  return DescribeReencryptionResponse{.Reencryption = Describe(call, *record)};
}

}  // namespace symbolon::cognito::operations
