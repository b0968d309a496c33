// What copy_load copies, for those who check afterwards.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "storage/keys.h"
#include "storage/log.h"
#include "storage/store.h"

namespace symbolon::storage {

inline const PoolId kCopyPool{"us-east-1_Copied0001"};
inline constexpr std::uint64_t kCopyRecords = 12'000;

inline Record CopyRecordNumber(std::uint64_t number) {
  char id[16];
  std::snprintf(id, sizeof id, "%08lu", static_cast<unsigned long>(number));
  return {keys::TypeAndId(1, id), std::string(id) + Bytes(number % 3000, '.')};
}

// Pieces of different sizes, so that some go into the engine in bulk and some do not.
inline std::vector<Record> CopyPieceFrom(std::uint64_t first) {
  const std::uint64_t count = first % 2 == 0 ? 53 : 801;
  std::vector<Record> piece;
  for (std::uint64_t number = first; number < std::min(kCopyRecords, first + count); ++number) {
    piece.push_back(CopyRecordNumber(number));
  }
  return piece;
}

inline pb::Head CopyHead() {
  pb::Head head;
  head.mutable_epoch()->set_counter(1);
  head.mutable_epoch()->set_region("us-east-1");
  head.mutable_epoch()->set_incarnation("theirs");
  head.set_sequence(9);
  head.set_digest(ValueDigest("theirs"));
  return head;
}

inline pb::History CopyHistory() {
  pb::History history;
  *history.add_epochs()->mutable_epoch() = CopyHead().epoch();
  return history;
}

}  // namespace symbolon::storage
