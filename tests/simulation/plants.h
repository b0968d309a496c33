// Bugs that the simulator has to find: planted outside the product's code, in what drives it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "storage/engine.h"
#include "storage/memory/memory_engine.h"

namespace symbolon::simulation {

enum class Plant {
  kNone,
  kApplyWithoutPosition,
  kAcknowledgeBeforeDurable,
  kForgetFactAtRestart,
  kSkipEntry,
  kAnswerWithoutReplica,
  kForgetPromiseAtRestart,
  kPromiseWithoutFence,
  kHandOverWithoutEquality,
  kHandedOverIsRefused,
  kHandedOverIsDone,
  kDeafToEpochs,
  kAnswerBeforeSync,
  kOldSnapshot,
  kHonourTwice,
  kKeepIncarnation,
  kPlainText,
  kAcknowledgeFactsEarly,
  kPositionBySequence,
  kDropUnknownFields,
  kSpeakAnyVersion,
  kLeaseFromAnswer,
  kAnswerWithoutLease,
  kTakeDespiteLease,
  kFallBackUnregistered,
  kForwardAgain,
  kUnknownIsRefused,
  kAcceptAnyHead,
  kAcceptAnyFact,
  kSendErased,
  kLeadLocked,
  kServeLocked,
  kStopAtLock,
  kForgottenUntold,
  kReadErrorIsAbsence,
  kStepUnmarked,
  kEndFirstSeenEarly,
};

struct PlantedBug {
  Plant plant;
  std::string_view name;
  std::string_view what;
  // One of the seeds from 1 to this one finds it; 0: too seldom, and a story in stage_test.cc shows it instead.
  std::uint64_t found_by_seed;
};

// All but kNone, in their order.
std::span<const PlantedBug> PlantedBugs();
std::optional<Plant> FindPlant(std::string_view name);

// The engine that a Region with this bug runs on.
std::unique_ptr<storage::Engine> MakePlantedEngine(Plant plant, const std::shared_ptr<storage::MemoryDisk>& disk);
// What a Region with such a bug does to its disk before it starts again.
void ForgetNewestFact(const std::shared_ptr<storage::MemoryDisk>& disk);
void ForgetPromises(const std::shared_ptr<storage::MemoryDisk>& disk);

}  // namespace symbolon::simulation
