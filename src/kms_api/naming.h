// Which key a request means, and how keys and refusals are shown (AWS KMS API reference).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kms_api/call.h"
#include "model/kms_shapes.h"

namespace symbolon::kms_api {

inline constexpr std::string_view kAliasPrefix = "alias/";

// The key that a member names, by key id or key ARN. Errors: NotFoundException, InvalidArnException.
model::ApiResult<keys::local::KeyFactsPointer> FindKey(Call& call, const std::string& named);
// The same, by alias name or alias ARN as well.
model::ApiResult<keys::local::KeyFactsPointer> FindKeyOrAlias(Call& call, const std::string& named);

std::string KeyArnOf(const Call& call, const std::string& key_id, const Region& region);
std::string AliasArnOf(const Call& call, std::string_view name);

// What the key service refused of the key with this ARN (or whatever the caller named).
tl::unexpected<model::ApiError> Refuse(const keys::local::LocalKeyError& error, const std::string& key_arn);
// "… not available here.": UnsupportedOperationException.
tl::unexpected<model::ApiError> NotOffered(std::string_view what);
// InvalidMarkerException.
tl::unexpected<model::ApiError> BadMarker();

// `region`: that of the key, which is another one's for a replica just made.
model::kms::KeyMetadata Metadata(const Call& call, const keys::local::KeyFacts& key, const Region& region);

// Tags as a request gives them. Errors: TagException, LimitExceededException.
model::ApiResult<keys::local::Tags> TagsOf(const std::optional<std::vector<model::kms::Tag>>& tags);

// One page of a list: [begin, end) and where the next one begins. A marker is the name of the last entry of the page
// before; `names` are ascending.
struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<std::string> next;
};
Page PageOf(const std::vector<std::string>& names, const std::optional<std::string>& marker, std::size_t limit);

}  // namespace symbolon::kms_api
