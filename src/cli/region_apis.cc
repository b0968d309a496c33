#include "cli/region_apis.h"

#include <fmt/format.h>

#include <cstdlib>

#include "cli/settings.h"

namespace symbolon::cli {

CliResult<std::vector<ApiAccess>> FindRegionApis(const std::filesystem::path& dir,
                                                 const std::vector<std::string>& endpoints) {
  std::vector<ApiAccess> apis;
  if (endpoints.empty()) {
    SYMBOLON_TRY(const LabSettings settings, ReadSettings(dir));
    for (const LabRegion& region : settings.regions) {
      apis.push_back({.server = {region.address, region.api_port},
                      .region = region.name.value(),
                      .access_key_id = settings.access_key_id,
                      .secret_access_key = settings.secret_access_key.Clone()});
    }
    return apis;
  }
  const auto of_environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string id = of_environment("AWS_ACCESS_KEY_ID");
  const std::string secret = of_environment("AWS_SECRET_ACCESS_KEY");
  if (id.empty() || secret.empty()) return Fail("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set");
  for (const std::string& text : endpoints) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) return Fail(fmt::format("\"{}\" is no REGION=URL", text));
    SYMBOLON_TRY(HttpServer server, ParseHttpServer(std::string_view(text).substr(equals + 1)));
    apis.push_back({.server = std::move(server),
                    .region = text.substr(0, equals),
                    .access_key_id = id,
                    .secret_access_key = Secret::CopyOf(secret)});
  }
  return apis;
}

}  // namespace symbolon::cli
