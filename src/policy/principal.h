// Who asks, and whom statements are about.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace symbolon::policy {

// Somebody who makes requests.
struct Principal {
  enum class Kind {
    kRoot,     // of the account: not bound by identity policies
    kUser,     // of the account, by name
    kService,  // a part of this product that acts for a pool: "cognito-idp.amazonaws.com"
  };
  Kind kind = Kind::kRoot;
  // Empty for a service.
  std::string account;
  // Of the user or the service; empty for the root.
  std::string name;

  static Principal Root(std::string account) { return {Kind::kRoot, std::move(account), {}}; }
  static Principal User(std::string account, std::string name) {
    return {Kind::kUser, std::move(account), std::move(name)};
  }
  static Principal Service(std::string name) { return {Kind::kService, {}, std::move(name)}; }

  // arn:aws:iam::<account>:root or :user/<name>; a service's name.
  std::string ToString() const;
  bool operator==(const Principal&) const = default;
};

// 1 to 64 letters, digits and +=,.@_- (IAM's names of users).
bool IsUserName(std::string_view name);

// One value of a statement's Principal.
class PrincipalPattern {
 public:
  enum class Match {
    kNone,
    kAccount,  // the user's account is named: an Allow lets the account's identity policies decide
    kItself,
  };

  static PrincipalPattern Everybody() { return {}; }
  // Of "AWS": "*", an account id, or the ARN of an account's root or of a user. nullopt for others.
  static std::optional<PrincipalPattern> OfAws(std::string_view text);
  // Of "Service": <service>.amazonaws.com.
  static std::optional<PrincipalPattern> OfService(std::string_view text);

  Match Matches(const Principal& principal) const;

 private:
  // nullopt: everybody.
  std::optional<Principal> named_;
};

}  // namespace symbolon::policy
