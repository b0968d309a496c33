// Comparing the copies of a pool's directory in its Regions (replication/verify.h).
#include <algorithm>
#include <map>

#include "cognito/call.h"
#include "cognito/record_names.h"
#include "cognito/replication_shapes.h"
#include "model/cognito_handlers.h"
#include "replication/position.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;
using replication::Verification;
using replication::VerifyReport;

// Somebody waits for the result; the Region's users shall still notice little.
constexpr std::int64_t kRecordsPerSecondDefault = 200'000;

VerificationStatusType StatusOf(const Verification& verification) {
  if (verification.state == Verification::State::kWaiting) return VerificationStatusType::kWaiting;
  switch (verification.report.phase) {
    case VerifyReport::Phase::kPinning:
      return VerificationStatusType::kPinning;
    case VerifyReport::Phase::kRollingForward:
      return VerificationStatusType::kCatchingUp;
    case VerifyReport::Phase::kHashing:
      return VerificationStatusType::kReading;
    case VerifyReport::Phase::kComparing:
      return VerificationStatusType::kComparing;
    case VerifyReport::Phase::kDone:
      return VerificationStatusType::kDone;
  }
  return VerificationStatusType::kDone;
}

VerificationRegionType Describe(const VerifyReport::RegionResult& region) {
  VerificationRegionType shown;
  shown.Region = region.region.value();
  shown.Compared = region.compared;
  shown.Records = static_cast<std::int64_t>(region.records);
  shown.RecordsExpected = static_cast<std::int64_t>(region.records_expected);
  if (!region.root.empty()) shown.Root = HexEncode(region.root);
  if (!region.problem.empty()) shown.Problem = region.problem;
  return shown;
}

// The Regions that hold the same are named together.
VerificationDifferenceType Describe(const VerifyReport::Difference& difference) {
  VerificationDifferenceType shown;
  shown.RecordType = RecordTypeName(ReadBigEndian16(difference.key));
  shown.Key = HexEncode(BytesView(difference.key).substr(2));
  std::map<std::optional<Bytes>, std::vector<std::string>> holders;
  for (const auto& [region, digest] : difference.digests) holders[digest].push_back(region.value());
  for (auto& [digest, regions] : holders) {
    VerificationVersionType& version = shown.Versions.emplace_back();
    version.Regions = std::move(regions);
    if (digest) {
      version.Digest = HexEncode(*digest);
    } else {
      version.Missing = true;
    }
  }
  return shown;
}

VerificationType Describe(const PoolId& pool, const Verification& verification) {
  const VerifyReport& report = verification.report;
  VerificationType shown;
  shown.UserPoolId = pool.value();
  shown.VerificationId = verification.id;
  shown.Status = StatusOf(verification);
  shown.StartedAt = verification.started;
  if (verification.state == Verification::State::kDone) {
    shown.EndedAt = verification.ended;
    shown.Outcome = DescribeOutcome(report.outcome());
  }
  if (report.position) shown.Position = replication::FormatPosition(pool, *report.position);
  for (const VerifyReport::RegionResult& region : report.regions) shown.Regions.push_back(Describe(region));
  shown.DifferenceCount = static_cast<std::int64_t>(report.difference_count);
  shown.DifferencesComplete = report.differences_complete;
  for (const VerifyReport::Difference& difference : report.differences) {
    // A key of a peer is what the peer says it is.
    if (difference.key.size() >= 2) shown.Differences.push_back(Describe(difference));
  }
  return shown;
}

tl::unexpected<model::ApiError> NoOtherRegion() {
  return Fail(ErrorCode::kInvalidParameterException, "The user pool has no replica to compare with.");
}

}  // namespace

ApiResult<StartReplicationVerificationResponse> StartReplicationVerification(
    Call& call, const StartReplicationVerificationRequest& request) {
  if (call.verifier() == nullptr || call.role().members().empty()) return NoOtherRegion();
  const auto pace = static_cast<std::uint64_t>(request.RecordsPerSecond.value_or(kRecordsPerSecondDefault));
  const auto id = call.verifier()->Start(call.pool_id(), pace);
  if (!id) return Fail(ErrorCode::kTooManyRequestsException, "Too many comparisons wait in this Region.");
  return StartReplicationVerificationResponse{.UserPoolId = call.pool_id().value(), .VerificationId = *id};
}

ApiResult<DescribeReplicationVerificationResponse> DescribeReplicationVerification(
    Call& call, const DescribeReplicationVerificationRequest& request) {
  const auto verification =
      call.verifier() != nullptr ? call.verifier()->Newest(call.pool_id()) : std::optional<Verification>();
  if (!verification || (request.VerificationId && *request.VerificationId != verification->id)) {
    return Fail(ErrorCode::kResourceNotFoundException,
                "This Region has no such comparison of the user pool: it ran in another Region, before this node "
                "started, or a newer one took its place.");
  }
  return DescribeReplicationVerificationResponse{.Verification = Describe(call.pool_id(), *verification)};
}

}  // namespace symbolon::cognito::operations
