#include "cognito/user_shapes.h"

#include <algorithm>
#include <map>

#include "auth/disabling.h"
#include "directory/users.h"

namespace symbolon::cognito {
namespace {

constexpr const char* kSoftwareTokenMfa = "SOFTWARE_TOKEN_MFA";

}  // namespace

std::vector<model::cognito::AttributeType> DescribeAttributes(const directory::pb::UserRecord& user) {
  std::vector<model::cognito::AttributeType> shown;
  shown.push_back({.Name = "sub", .Value = user.sub()});
  for (const auto& [name, value] :
       std::map<std::string, std::string>(user.attributes().begin(), user.attributes().end())) {
    shown.push_back({.Name = name, .Value = value});
  }
  return shown;
}

MfaPreference DescribeMfa(const directory::pb::UserRecord& user) {
  MfaPreference shown;
  if (user.software_token_enabled()) shown.enabled = {kSoftwareTokenMfa};
  if (user.software_token_preferred()) shown.preferred = kSoftwareTokenMfa;
  return shown;
}

model::cognito::UserType DescribeUser(directory::Transaction& tx, const directory::pb::UserRecord& user) {
  const auth::Switch own = auth::SwitchOf(tx, user);
  model::cognito::UserType shown;
  shown.Username = user.username();
  shown.Attributes = DescribeAttributes(user);
  shown.UserCreateDate = FromMicros(user.created_micros());
  shown.UserLastModifiedDate = std::max(FromMicros(user.modified_micros()), own.changed_at);
  shown.Enabled = own.enabled;
  shown.UserStatus = model::cognito::ParseUserStatusType(directory::StatusName(user.status()));
  return shown;
}

std::optional<std::string> ShownAttributeOf(directory::Transaction& tx, const directory::pb::UserRecord& user,
                                            std::string_view attribute) {
  if (attribute == "status") return auth::IsEnabled(tx, user) ? "Enabled" : "Disabled";
  return directory::AttributeOf(user, attribute);
}

}  // namespace symbolon::cognito
