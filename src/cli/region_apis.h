// The APIs of all Regions that a command is about.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/api_call.h"
#include "cli/failure.h"

namespace symbolon::cli {

// Those of the lab in `dir`, with its access key; or, when there are any, of `endpoints`
// ("eu-central-1=https://id.example.com"; whatever ParseHttpServer takes), with AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY of the environment.
// Never empty.
CliResult<std::vector<ApiAccess>> FindRegionApis(const std::filesystem::path& dir,
                                                 const std::vector<std::string>& endpoints);

}  // namespace symbolon::cli
