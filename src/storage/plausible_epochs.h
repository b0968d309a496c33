// What is believed of epochs that others name. Pure functions.
#pragma once

#include <cstdint>

#include "storage/log.pb.h"

namespace symbolon::storage {

// Epochs are counted by ones, so no Region comes to one that is so far above what another knows. Whoever names one
// would use the counters up: they never go back.
inline constexpr std::uint64_t kEpochLeapMax = std::uint64_t{1} << 32;
// What a store takes at a time: more than several Regions can be above each other together.
inline constexpr std::uint64_t kStoredEpochLeapMax = 256 * kEpochLeapMax;
// Its names are such as stores have, and its counter is above `known` by at most `leap_max`, if at all.
bool IsPlausible(const pb::Epoch& epoch, std::uint64_t known, std::uint64_t leap_max = kEpochLeapMax);

}  // namespace symbolon::storage
