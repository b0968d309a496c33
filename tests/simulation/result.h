// What a run of the simulator ends with.
#pragma once

#include <cstdint>
#include <string>

#include "replication/status.h"

namespace symbolon::simulation {

struct Result {
  // Empty: every promise held.
  std::string violation;
  // Of everything that happened, in order.
  std::string trace_digest;
  // What the run came by, to see that faults are really met. Of processes that lived to the end:
  replication::ReplicationCounters counters;
  std::uint64_t crashes = 0;
  std::uint64_t disks_lost = 0;
  std::uint64_t reads_failed = 0;
  std::uint64_t commits = 0;
  std::uint64_t facts = 0;
  // To people, by plans; and of them: sessions and the like that were honoured in two Regions, refresh tokens used
  // again, authenticators' codes that were accepted, and that were refused because they were used.
  std::uint64_t answers = 0;
  std::uint64_t doubly_used = 0;
  std::uint64_t tokens_reused = 0;
  std::uint64_t steps_used = 0;
  std::uint64_t steps_refused = 0;
  // First sign-ins by the identity provider where no record could be made, records that were made of them, and those
  // of which every member has the record.
  std::uint64_t first_sign_ins_said = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t first_seen_ended = 0;
  // Writes of pools that are not ASYNC.
  std::uint64_t confirmed = 0;
  std::uint64_t fell_back = 0;
  std::uint64_t unconfirmed = 0;
  std::uint64_t held = 0;
  // Acknowledged writes that a forced promotion set aside.
  std::uint64_t writes_set_aside = 0;
  std::uint64_t hand_overs = 0;
  // Answers that a pool is handed over, and its next primary not heard of.
  std::uint64_t hand_overs_unheard = 0;
  // Writes that secondaries passed on to the primary: how they ended, and how many of them were sent once more.
  std::uint64_t forwards_done = 0;
  std::uint64_t forwards_refused = 0;
  std::uint64_t forwards_unknown = 0;
  std::uint64_t forwards_redirected = 0;
  // Keys of pools that were withdrawn, requests and hand-overs that were refused for it, and Regions that came to have
  // everything without the key.
  std::uint64_t keys_withdrawn = 0;
  std::uint64_t refused_locked = 0;
  std::uint64_t hand_overs_locked = 0;
  std::uint64_t caught_up_locked = 0;
  // Records that are erased in every Region, and bodies that Regions erased for them.
  std::uint64_t erasures = 0;
  std::uint64_t bodies_erased = 0;
  // Under an authority, and of the first two in processes that lived to the end.
  std::uint64_t leases_lost = 0;
  std::uint64_t automatic_promotions = 0;
  std::uint64_t answers_withheld = 0;

  // Sums of numbers.
  void Add(const Result& other);
  void Add(const replication::ReplicationCounters& other);
};

// What many runs came by, in a few lines.
std::string Describe(const Result& sum);

}  // namespace symbolon::simulation
