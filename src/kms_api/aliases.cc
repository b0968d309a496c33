// CreateAlias, UpdateAlias, DeleteAlias, ListAliases.
#include <fmt/format.h>

#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::local::LocalKeyError;
using keys::local::LocalKeyErrorCode;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::int32_t kListedAliasesDefault = 50;
constexpr std::string_view kReservedPrefix = "alias/aws/";

ApiResult<void> CheckName(const std::string& name) {
  if (!name.starts_with(kAliasPrefix)) {
    return Fail(ErrorCode::kValidationException, "Alias must start with the prefix \"alias/\".");
  }
  if (name.size() == kAliasPrefix.size()) return Fail(ErrorCode::kValidationException, "Alias name is empty.");
  return {};
}

tl::unexpected<model::ApiError> RefuseAlias(const Call& call, const LocalKeyError& error, const std::string& name,
                                            const std::string& key_arn) {
  const std::string arn = AliasArnOf(call, name);
  if (error.code == LocalKeyErrorCode::kAlreadyExists) {
    return Fail(ErrorCode::kAlreadyExistsException, fmt::format("An alias with the name {} already exists", arn));
  }
  if (error.code == LocalKeyErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFoundException, fmt::format("Alias {} is not found.", arn));
  }
  return Refuse(error, key_arn);
}

}  // namespace

ApiResult<CreateAliasResponse> CreateAlias(Call& call, const CreateAliasRequest& request) {
  SYMBOLON_TRY_VOID(CheckName(request.AliasName));
  if (request.AliasName.starts_with(kReservedPrefix)) {
    return Fail(ErrorCode::kInvalidAliasNameException, "Names that begin with alias/aws/ are reserved.");
  }
  SYMBOLON_TRY(const auto key, FindKey(call, request.TargetKeyId));
  const auto done = call.keys().CreateAlias(request.AliasName, key->id);
  if (!done) return RefuseAlias(call, done.error(), request.AliasName, key->arn);
  return CreateAliasResponse{};
}

ApiResult<UpdateAliasResponse> UpdateAlias(Call& call, const UpdateAliasRequest& request) {
  SYMBOLON_TRY_VOID(CheckName(request.AliasName));
  SYMBOLON_TRY(const auto key, FindKey(call, request.TargetKeyId));
  const auto done = call.keys().UpdateAlias(request.AliasName, key->id);
  if (!done) return RefuseAlias(call, done.error(), request.AliasName, key->arn);
  return UpdateAliasResponse{};
}

ApiResult<DeleteAliasResponse> DeleteAlias(Call& call, const DeleteAliasRequest& request) {
  SYMBOLON_TRY_VOID(CheckName(request.AliasName));
  const auto done = call.keys().DeleteAlias(request.AliasName);
  if (!done) return RefuseAlias(call, done.error(), request.AliasName, "");
  return DeleteAliasResponse{};
}

ApiResult<ListAliasesResponse> ListAliases(Call& call, const ListAliasesRequest& request) {
  std::string key_id;
  if (request.KeyId) {
    SYMBOLON_TRY(const auto key, FindKey(call, *request.KeyId));
    key_id = key->id;
  }
  auto aliases = call.keys().Aliases();
  if (!key_id.empty()) std::erase_if(aliases, [&](const auto& alias) { return alias.key_id != key_id; });
  std::vector<std::string> names;
  for (const auto& alias : aliases) names.push_back(alias.name);
  const Page page =
      PageOf(names, request.Marker, static_cast<std::size_t>(request.Limit.value_or(kListedAliasesDefault)));
  ListAliasesResponse response{.Aliases = {{}}, .NextMarker = page.next, .Truncated = page.next.has_value()};
  for (std::size_t i = page.begin; i < page.end; ++i) {
    response.Aliases->push_back({.AliasName = aliases[i].name,
                                 .AliasArn = AliasArnOf(call, aliases[i].name),
                                 .TargetKeyId = aliases[i].key_id,
                                 .CreationDate = aliases[i].created,
                                 .LastUpdatedDate = aliases[i].updated});
  }
  return response;
}

}  // namespace symbolon::kms_api::operations
