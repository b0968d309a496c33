// Positions that people can hold (replication protocol §7): as text, and whether a Region has come past one. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

inline constexpr std::string_view kPositionHeader = "x-symbolon-position";

struct PoolPosition {
  PoolId pool;
  storage::pb::Position position;
};

// "42@1.eu-central-1.0f1e2d3c4b5a69788796a5b4c3d2e1f0/eu-central-1_AbC123xyz": the sequence; the epoch, which is a
// counter, a Region and an incarnation in hexadecimal; the pool.
std::string FormatPosition(const PoolId& pool, const storage::pb::Position& position);
// nullopt: not such a text.
std::optional<PoolPosition> ParsePosition(std::string_view text);

enum class Passage {
  kPassed,
  kAhead,
  // The write belongs to an epoch that ended before it, or that this Region's log does not have: no Region that follows
  // this log will ever have it.
  kSetAside,
};

// `head` unset: no log of the pool is here, and `history` is empty.
Passage PassageOf(const storage::pb::Position& position, const storage::pb::History& history,
                  const std::optional<storage::pb::Head>& head);

}  // namespace symbolon::replication
