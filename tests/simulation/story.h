// What stories that are told on a Stage have in common.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "stage.h"

namespace symbolon::simulation {

inline constexpr std::string_view kEurope = "eu-central-1";
inline constexpr std::string_view kAmerica = "us-east-1";
inline constexpr std::string_view kAsia = "ap-south-1";
inline constexpr std::string_view kBrazil = "sa-east-1";

class StageTest : public testing::Test {
 protected:
  StageTest() { log::SetLevel(log::Level::kOff); }

  // From the primary, until the member has dropped the pool and is gone from the record.
  static void BeginRemoval(Stage& stage, std::string_view primary, std::string_view member) {
    const Region name{std::string(member)};
    ASSERT_TRUE(stage.ChangeRole(primary, [&](replication::pb::RoleRecord role) {
      return replication::SetMemberState(std::move(role), name, replication::pb::INACTIVE);
    }));
    ASSERT_TRUE(stage.ChangeRole(
        primary, [&](replication::pb::RoleRecord role) { return replication::BeginRemoval(std::move(role), name); }));
  }
  static bool IsMember(Stage& stage, std::string_view at, std::string_view member) {
    return replication::RoleOf(*stage.RoleAt(at), Region(std::string(member))).kind != replication::Role::Kind::kNone;
  }
};

inline std::optional<replication::ReplicationStatus> StatusAt(Stage& stage, std::string_view region) {
  return stage.At(region).machine().Status(stage.pool(), stage.At(region).Now());
}

// All that the member has is signed by the primary.
inline bool IsSigned(Stage& stage, std::string_view member) {
  const auto status = StatusAt(stage, member);
  return status && status->signed_sequence && status->head && *status->signed_sequence == status->head->sequence();
}

inline bool IsHandedOver(Stage& stage, std::string_view at) {
  const auto role = stage.RoleAt(at);
  return role && role->has_next();
}

}  // namespace symbolon::simulation
