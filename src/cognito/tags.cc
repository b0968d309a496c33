#include "cognito/tags.h"

#include <fmt/format.h>

#include "directory/normalise.h"
#include "directory/regional_settings.h"

namespace symbolon::cognito {
namespace {

constexpr std::size_t kTagsMax = 50;
constexpr std::string_view kReservedPrefix = "aws:";

}  // namespace

Tags TagsOf(Call& call, const directory::pb::PoolRecord& pool) {
  const auto settings = directory::RegionalSettingsOf(call.tx(), pool, call.env().region().region);
  return {settings.tags().begin(), settings.tags().end()};
}

void PutTags(Call& call, const directory::pb::PoolRecord& pool, const Tags& tags) {
  auto settings = directory::RegionalSettingsOf(call.tx(), pool, call.env().region().region);
  settings.clear_tags();
  settings.mutable_tags()->insert(tags.begin(), tags.end());
  directory::PutRegionalSettings(call.tx(), settings);
}

std::optional<std::string> ReasonAgainst(const Tags& tags) {
  if (tags.size() > kTagsMax) return fmt::format("A user pool has at most {} tags.", kTagsMax);
  for (const auto& [key, value] : tags) {
    if (directory::FoldCase(key).starts_with(kReservedPrefix)) {
      return fmt::format("Tag keys must not begin with {}, as {} does.", kReservedPrefix, key);
    }
  }
  return std::nullopt;
}

model::ApiResult<void> CheckTags(const std::optional<Tags>& tags) {
  if (!tags) return {};
  if (auto reason = ReasonAgainst(*tags)) {
    return model::Fail(model::ErrorCode::kUserPoolTaggingException, *std::move(reason));
  }
  return {};
}

}  // namespace symbolon::cognito
