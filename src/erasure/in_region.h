// What an erasure does in one Region. Blocks, for as long as the store needs.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "certificate/certificate.h"
#include "crypto/ed25519.h"
#include "key_life/services.h"
#include "replication/suffix_file.h"

namespace symbolon::erasure {

struct Work {
  PoolId pool;
  // Of the record.
  Bytes id;
  // Every member of the pool has reached this entry, at or past the record.
  std::uint64_t sequence = 0;
  // As in the record (directory/records.proto).
  Bytes user_key;
  Bytes name_key;
  std::string order;
  // This Region is a member of the pool, and is to stay one.
  bool is_member = false;

  bool operator==(const Work&) const = default;
};

// What was done for it, from the first attempt on.
struct WorkCounts {
  std::uint64_t log_bodies = 0;
  std::uint64_t suffix_bodies = 0;
  std::uint64_t messages = 0;
  // Of the store; for all users whose turn it was together.
  std::uint64_t files = 0;
  // Messages that are deleted, and may be in files yet. A process that dies leaves these to the store's compaction.
  std::set<storage::Key> unpurged;
};

struct WorkDone {
  // Signed; empty: not done yet, because of `waits_for`.
  std::string statement;
  // For people.
  std::string waits_for;
};

// Why this Region has not come past `sequence`, or may yet get a state of before; empty: it has. A Region without the
// pool has, unless it is a member, which waits for a copy.
std::string WhyNotReached(storage::Store& store, const PoolId& pool, std::uint64_t sequence, bool is_member);

class InRegion {
 public:
  // `suffixes`: of this Region, whether the pool is replicated or not; nullptr: there are none. `key` signs for it.
  InRegion(key_life::Services services, const replication::SuffixFolder* suffixes, crypto::Ed25519Key key)
      : services_(std::move(services)), suffixes_(suffixes), key_(std::move(key)) {}

  // Erases several users of one pool, with one purge of the store's files; answers in their order. Every step may be
  // done again, so that a crash, or what it waits for, costs nothing but time. `counts`, one for each work, grow.
  std::vector<WorkDone> Erase(const std::vector<Work>& works, std::vector<WorkCounts>& counts) const;

 private:
  class Run;

  const key_life::Services services_;
  const replication::SuffixFolder* const suffixes_;
  const crypto::Ed25519Key key_;
};

}  // namespace symbolon::erasure
