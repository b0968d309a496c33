#include "cognito/user_shapes.h"

#include <map>

#include "directory/users.h"

namespace symbolon::cognito {

std::vector<model::cognito::AttributeType> DescribeAttributes(const directory::pb::UserRecord& user) {
  std::vector<model::cognito::AttributeType> shown;
  shown.push_back({.Name = "sub", .Value = user.sub()});
  for (const auto& [name, value] :
       std::map<std::string, std::string>(user.attributes().begin(), user.attributes().end())) {
    shown.push_back({.Name = name, .Value = value});
  }
  return shown;
}

model::cognito::UserType DescribeUser(const directory::pb::UserRecord& user) {
  model::cognito::UserType shown;
  shown.Username = user.username();
  shown.Attributes = DescribeAttributes(user);
  shown.UserCreateDate = FromMicros(user.created_micros());
  shown.UserLastModifiedDate = FromMicros(user.modified_micros());
  shown.Enabled = user.enabled();
  shown.UserStatus = model::cognito::ParseUserStatusType(directory::StatusName(user.status()));
  return shown;
}

}  // namespace symbolon::cognito
