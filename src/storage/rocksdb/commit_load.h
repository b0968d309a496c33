// What commit_load commits, for those who check afterwards.
#pragma once

#include <string>

#include "storage/store.h"

namespace symbolon::storage {

inline const PoolId kLoadPool{"eu-central-1_Load00001"};

inline Key LoadDirectoryKey(std::uint64_t number) { return {Space::kDirectory, kLoadPool, 1, std::to_string(number)}; }
inline Key LoadRegionalKey(std::uint64_t number) { return {Space::kRegional, kLoadPool, 2, std::to_string(number)}; }
inline Key LoadFactKey(std::uint64_t number) { return {Space::kFact, kLoadPool, 3, std::to_string(number % 10)}; }

inline Commit MakeLoadCommit(std::uint64_t number, bool first_of_pool) {
  Commit commit;
  commit.pool = kLoadPool;
  if (first_of_pool) commit.start_epoch_counter = 1;
  // Long enough that records straddle the blocks of RocksDB's log.
  commit.directory = {{LoadDirectoryKey(number), std::to_string(number) + Bytes(number % 3000, '.')}};
  commit.regional = {{LoadRegionalKey(number), std::to_string(number)}};
  pb::FactValue fact;
  fact.set_maximum(number);
  commit.facts = {{LoadFactKey(number), fact}};
  return commit;
}

}  // namespace symbolon::storage
