// Symbolon's own operations that erase a user (docs/erasure.md).
#include "cognito/call.h"
#include "cognito/user_writes.h"
#include "erasure/begin.h"
#include "erasure/erasures.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using directory::ErasureKind;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;

constexpr std::int32_t kListedDefault = 20;

ApiResult<ErasureType> Describe(const Bytes& id, const directory::pb::ErasureRecord& record,
                                const std::map<Region, std::string>& waits_for) {
  const auto state = erasure::StateOf(record);
  if (!state) return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
  ErasureType shown{.ErasureId = HexEncode(id),
                    .UserPoolId = state->order.pool.value(),
                    .Sub = state->order.user_sub,
                    .Status = state->ended ? ErasureStatusType::kFinal : ErasureStatusType::kPending,
                    .AskedBy = state->order.asked_by,
                    .AskedAt = state->order.asked_at,
                    .EndedAt = state->ended,
                    .Regions = {},
                    .Certificate = {}};
  for (const erasure::RegionState& region : state->regions) {
    ErasureRegionType& of_region = shown.Regions.emplace_back();
    of_region.Region = region.region.value();
    of_region.State = region.erased_at ? ErasureRegionStateType::kErased
                      : region.removed ? ErasureRegionStateType::kRemoved
                                       : ErasureRegionStateType::kPending;
    of_region.ErasedAt = region.erased_at;
    if (region.removed) of_region.Reason = region.waits_for;
    const auto reason = waits_for.find(region.region);
    // Also of a Region that has erased all and issues the certificate.
    const bool waits = !state->ended && !region.removed;
    if (waits && reason != waits_for.end() && !reason->second.empty()) of_region.Reason = reason->second;
  }
  // Members that came later have nothing to erase; they have to come past the deletion.
  for (const auto& [region, reason] : waits_for) {
    const bool shown_already = std::ranges::any_of(
        shown.Regions, [&](const ErasureRegionType& of_region) { return of_region.Region == region.value(); });
    if (shown_already || reason.empty() || state->ended) continue;
    shown.Regions.push_back({.Region = region.value(), .State = ErasureRegionStateType::kPending, .Reason = reason});
  }
  if (!state->certificate.empty()) shown.Certificate = state->certificate;
  return shown;
}

bool IsSub(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

ApiResult<erasure::ErasureWish> WishOf(Call& call, const EraseUserRequest& request) {
  erasure::ErasureWish wish{.user = {}, .sub = request.Username, .asked_by = call.preparation().erasure_asked_by};
  if (!request.AlreadyDeleted.value_or(false)) {
    SYMBOLON_TRY(wish.user, FindExistingUser(call, request.Username));
    wish.sub = wish.user->record.sub();
    return wish;
  }
  // Who is named by a user name may be another one by now.
  if (!IsSub(request.Username)) {
    return Fail(ErrorCode::kInvalidParameterException, "A user who is already deleted is named by the sub.");
  }
  if (directory::FindUser(call.tx(), call.pool(), request.Username)) {
    return Fail(ErrorCode::kInvalidParameterException, "The user is not deleted.");
  }
  return wish;
}

}  // namespace

ApiResult<EraseUserResponse> EraseUser(Call& call, const EraseUserRequest& request) {
  if (call.preparation().erasure_asked_by.empty())
    return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
  SYMBOLON_TRY(const erasure::ErasureWish wish, WishOf(call, request));
  const Bytes id =
      erasure::BeginErasure(call.tx(), call.pool(), call.role(), wish, call.env().region().region, call.now());
  const auto record = call.tx().Get<ErasureKind>(id);
  if (!record) return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
  SYMBOLON_TRY(ErasureType shown, Describe(id, *record, {}));
  return EraseUserResponse{.Erasure = std::move(shown)};
}

ApiResult<DescribeErasureResponse> DescribeErasure(Call& call, const DescribeErasureRequest& request) {
  const auto id = HexDecode(request.ErasureId);
  const auto record = id ? call.tx().Get<ErasureKind>(*id) : std::nullopt;
  if (!record) return Fail(ErrorCode::kResourceNotFoundException, "The user pool has no such erasure.");
  SYMBOLON_TRY(ErasureType shown, Describe(*id, *record, call.preparation().erasure_waits_for));
  return DescribeErasureResponse{.Erasure = std::move(shown)};
}

ApiResult<ListErasuresResponse> ListErasures(Call& call, const ListErasuresRequest& request) {
  std::optional<Bytes> after;
  if (request.After) after = HexDecode(*request.After);
  const auto limit = static_cast<std::size_t>(request.MaxResults.value_or(kListedDefault));
  const auto page = call.tx().Scan<ErasureKind>("", after, limit);
  ListErasuresResponse response;
  for (const auto& row : page.rows) {
    SYMBOLON_TRY(ErasureType shown, Describe(row.id, row.record, {}));
    shown.Certificate.reset();
    response.Erasures.push_back(std::move(shown));
  }
  if (page.next) response.After = HexEncode(page.rows.back().id);
  return response;
}

}  // namespace symbolon::cognito::operations
