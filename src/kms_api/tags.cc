// TagResource, UntagResource, ListResourceTags.
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

namespace {
constexpr std::int32_t kListedTagsDefault = 50;
}  // namespace

ApiResult<TagResourceResponse> TagResource(Call& call, const TagResourceRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY(const auto tags, TagsOf(request.Tags));
  const auto done = call.keys().AddTags(key->id, tags);
  if (!done) return Refuse(done.error(), key->arn);
  return TagResourceResponse{};
}

ApiResult<UntagResourceResponse> UntagResource(Call& call, const UntagResourceRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().RemoveTags(key->id, request.TagKeys);
  if (!done) return Refuse(done.error(), key->arn);
  return UntagResourceResponse{};
}

ApiResult<ListResourceTagsResponse> ListResourceTags(Call& call, const ListResourceTagsRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const std::int32_t limit = request.Limit.value_or(kListedTagsDefault);
  if (limit > kListedTagsDefault) return Fail(ErrorCode::kValidationException, "Limit must be at most 50.");
  std::vector<std::string> names;
  for (const auto& [name, value] : key->tags) names.push_back(name);
  const Page page = PageOf(names, request.Marker, static_cast<std::size_t>(limit));
  ListResourceTagsResponse response{.Tags = {{}}, .NextMarker = page.next, .Truncated = page.next.has_value()};
  for (std::size_t i = page.begin; i < page.end; ++i) {
    response.Tags->push_back({.TagKey = names[i], .TagValue = key->tags.at(names[i])});
  }
  return response;
}

}  // namespace symbolon::kms_api::operations
