#include "cli/welcome.h"

#include <fmt/format.h>

namespace symbolon::cli {

std::string WelcomeText(const LabSettings& settings, const std::string& symbolon) {
  const std::string& first = settings.regions.front().name.value();
  const std::string router = Url(settings.router_port);
  const std::string dir = settings.dir.string();
  std::string text =
      fmt::format("\nSymbolon lab: {} Regions and a router, data in {}\n\n", settings.regions.size(), dir);
  text += fmt::format("  {:<16} {}   the first Region that is ready answers\n", kRouterName, router);
  for (const LabRegion& region : settings.regions) {
    text += fmt::format("  {:<16} {}   operations {}   replication {}:{}\n", region.name.value(),
                        Url(region, region.api_port), Url(region, region.operations_port), region.address,
                        region.replication_port);
  }
  for (const LabEtcdMember& member : settings.etcd) {
    text += fmt::format("  {:<20} https://{}:{}   of the etcd cluster that decides which Region is primary\n",
                        member.name, kLoopback, member.client_port);
  }
  text += fmt::format(R"(
For the AWS CLI and every AWS SDK:
  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_DEFAULT_REGION={}
  export AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER={} AWS_ENDPOINT_URL_KMS={}
  aws cognito-idp create-user-pool --pool-name demo
In JavaScript:
  new CognitoIdentityProviderClient({{ region: "{}", endpoint: "{}",
    credentials: {{ accessKeyId: "{}", secretAccessKey: "{}" }} }})
Codes that the lab would have mailed:
  curl {}/outbox
Lose a Region, and get it back:
  {} lab kill {} --dir {}
  {} lab start {} --dir {}

Ctrl-C ends the lab; the data stays.)",
                      settings.access_key_id, settings.secret_access_key.view(), first, router, router, first, router,
                      settings.access_key_id, settings.secret_access_key.view(),
                      Url(settings.regions.front().operations_port), symbolon, first, dir, symbolon, first, dir);
  return text;
}

}  // namespace symbolon::cli
