// Who makes a request, with the policies that bind them.
#pragma once

#include <optional>
#include <string_view>

#include "policy/evaluate.h"

namespace symbolon::policy {

struct Identity {
  Principal principal;
  // Of a user.
  Documents policies;
};

// Those who own access keys. Thread-safe; what it answers may change with the configuration.
class Identities {
 public:
  virtual ~Identities() = default;
  // By the owner of an access key (http::AccessKey): "" is the account's root, others are users by name. nullopt: there
  // is no such user (any more).
  virtual std::optional<Identity> FindIdentity(std::string_view owner) const = 0;
};

// Of one request.
struct Caller {
  Identity identity;
  Context context;
};

// For tests and tools without users: the root only.
class RootOnly final : public Identities {
 public:
  explicit RootOnly(std::string account) : account_(std::move(account)) {}
  std::optional<Identity> FindIdentity(std::string_view owner) const override {
    if (!owner.empty()) return std::nullopt;
    return Identity{.principal = Principal::Root(account_), .policies = {}};
  }

 private:
  const std::string account_;
};

}  // namespace symbolon::policy
