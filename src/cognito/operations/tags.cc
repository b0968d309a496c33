// Tags of a user pool, by its ARN: those of this Region.
#include "cognito/tags.h"

#include <fmt/format.h>

#include "cognito/call.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

// A changed set of tags. InvalidParameterException for one that cannot be.
ApiResult<void> Store(Call& call, const Tags& before, const Tags& after) {
  if (auto reason = ReasonAgainst(after)) return Fail(ErrorCode::kInvalidParameterException, *std::move(reason));
  if (after != before) PutTags(call, call.pool(), after);
  return {};
}

}  // namespace

ApiResult<TagResourceResponse> TagResource(Call& call, const TagResourceRequest& request) {
  const Tags before = TagsOf(call, call.pool());
  Tags after = before;
  for (const auto& [key, value] : request.Tags) after.insert_or_assign(key, value);
  SYMBOLON_TRY_VOID(Store(call, before, after));
  return TagResourceResponse{};
}

ApiResult<UntagResourceResponse> UntagResource(Call& call, const UntagResourceRequest& request) {
  const Tags before = TagsOf(call, call.pool());
  Tags after = before;
  for (const std::string& key : request.TagKeys) after.erase(key);
  SYMBOLON_TRY_VOID(Store(call, before, after));
  return UntagResourceResponse{};
}

ApiResult<ListTagsForResourceResponse> ListTagsForResource(Call& call, const ListTagsForResourceRequest&) {
  return ListTagsForResourceResponse{.Tags = TagsOf(call, call.pool())};
}

}  // namespace symbolon::cognito::operations
