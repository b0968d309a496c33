// What a drill found (`symbolon replication drill`): its arithmetic and its words. Plain values, pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace symbolon::cli {

using DrillTime = std::chrono::microseconds;  // since the drill began

// One request of a prober.
struct DrillAttempt {
  enum class Kind { kSignIn, kWrite };
  enum class Outcome {
    kDone,
    // The Region is not the primary: expected of writes at a secondary.
    kRefused,
    // Another error: nothing of it happened.
    kFailed,
    // No answer, or one that leaves it open whether it happened.
    kUnknown,
  };
  Kind kind = Kind::kSignIn;
  std::string region;
  DrillTime begun{};
  DrillTime ended{};
  Outcome outcome = Outcome::kUnknown;
  // Of a write: what it made.
  std::string name;
  // Of a failure.
  std::string error;
};

// One change of primary.
struct DrillStep {
  std::string from;
  std::string to;
  DrillTime begun{};
  DrillTime ended{};
  // Empty: it took place.
  std::string problem;
  std::int64_t epoch = 0;
  std::int64_t first_sequence = 0;
};

// What was read back in one Region in the end.
struct DrillReadBack {
  std::string region;
  std::size_t found = 0;
  // Acknowledged writes that are not there.
  std::vector<std::string> missing;
  // It could not be asked.
  std::string problem;
};

struct Drill {
  std::string id;
  std::string pool;
  Timestamp started;
  DrillTime duration{};
  // Between two requests of a prober.
  DrillTime interval{};
  std::vector<std::string> regions;
  std::vector<DrillStep> steps;
  // In the end the pool is led by the Region that led it before.
  bool is_back = true;
  std::vector<DrillAttempt> attempts;
  std::vector<DrillReadBack> read_back;
  // Why it ended early, if it did: "interrupted".
  std::string problem;
  // What it made and could not remove.
  std::vector<std::string> left_behind;
};

// The longest time between two successes, from the end of the one to the end of the next, that touches [from, to]. What
// lies before the first success and after the last counts from `begin` and to `end`, in which successes may lie.
DrillTime LongestGap(std::vector<DrillTime> successes, DrillTime begin, DrillTime end, DrillTime from, DrillTime to);

struct DrillGaps {
  // Nobody's write was acknowledged, in any Region.
  DrillTime writes{};
  // Nobody could sign in, in any Region; and in each.
  DrillTime sign_ins{};
  std::vector<DrillTime> sign_ins_by_region;  // as Drill::regions
};
// While a step took place, and whatever was under way when it began or ended.
DrillGaps GapsOf(const Drill& drill, const DrillStep& step);
// In the time that no step touches: what is usual, the probers' interval included.
DrillGaps UsualGapsOf(const Drill& drill);

struct DrillCounts {
  std::size_t sign_ins = 0;
  std::size_t sign_ins_failed = 0;
  std::size_t writes_acknowledged = 0;
  std::size_t writes_refused = 0;
  std::size_t writes_failed = 0;
  std::size_t writes_unknown = 0;
};
DrillCounts CountsOf(const Drill& drill);

// Names of acknowledged writes that at least one Region lacks; ascending, each once.
std::vector<std::string> LostWrites(const Drill& drill);

// Every step took place, there and back, every Region was read back, and no acknowledged write is lost.
bool Passed(const Drill& drill);

// For a person, and for a machine.
std::string DrillText(const Drill& drill);
std::string DrillJson(const Drill& drill);

}  // namespace symbolon::cli
