// Grant tokens. A grant works at once here, so a token carries no rights: it only names its grant.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/api_error.h"

namespace symbolon::kms_api {

struct GrantName {
  std::string key_arn;
  std::string grant_id;
};

std::string MakeGrantToken(const GrantName& grant);
// nullopt for what is no token of ours.
std::optional<GrantName> ParseGrantToken(std::string_view token);

// Errors: InvalidGrantTokenException.
model::ApiResult<void> CheckGrantTokens(const std::optional<std::vector<std::string>>& tokens);

}  // namespace symbolon::kms_api
