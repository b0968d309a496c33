// What came of a comparison of a pool's copies, in short.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

enum class VerifyOutcome {
  // The directories of all Regions are equal.
  kEqual,
  // At least two differ.
  kDiffering,
  // No two that were compared differ, but not all could be compared.
  kIncomplete,
};

struct VerificationSummary {
  VerifyOutcome outcome = VerifyOutcome::kIncomplete;
  Timestamp ended;
  // nullopt: no two Regions could be compared.
  std::optional<storage::pb::Position> position;
  std::uint64_t difference_count = 0;
};

}  // namespace symbolon::replication
