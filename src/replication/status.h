// What operators see of replication: for metrics, for DescribeReplication and `symbolon replication status`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/roles.h"
#include "replication/verify_outcome.h"
#include "storage/log.pb.h"

namespace symbolon::replication {

// What of a copy is durable at the replica, and how much there is in all, which may be an estimate.
struct CopyProgress {
  std::uint64_t records = 0;
  std::uint64_t record_count = 0;
  // Of keys and values.
  std::uint64_t bytes = 0;
  std::uint64_t byte_count = 0;
  // Since it began or went on; 0 and nullopt: nothing has come since.
  double bytes_per_second = 0;
  std::optional<std::chrono::milliseconds> remaining;
};

// One secondary, as the primary sees it.
struct MemberStatus {
  Region region;
  pb::MemberState state = pb::MEMBER_STATE_UNSPECIFIED;
  // A connection of the member is up.
  bool connected = false;
  // When anything came from it; nullopt: not since this process started.
  std::optional<Timestamp> last_contact;
  // Its clock minus this Region's when last heard; the way there is in it.
  std::optional<std::chrono::microseconds> clock_difference;
  // What it has durably; nullopt: nothing, or not known since this process started.
  std::optional<storage::pb::Head> acknowledged;
  // Entries that it has not acknowledged; all of them when nothing is known.
  std::uint64_t lag_entries = 0;
  // Age, on this Region's clock, of the oldest entry that it has not acknowledged; grows while it is silent. When that
  // is not known, the time since this process started, so that it never looks better than it is. nullopt: it takes its
  // first copy.
  std::optional<std::chrono::microseconds> lag_time;
  std::optional<CopyProgress> copy;
};

// Entries of a pool's fact logs here that another Region of the pool has not acknowledged, though it may have them by
// way of a third; all of them when nothing was heard from it since this process started. Those that were forgotten
// meanwhile count still.
struct FactLag {
  Region region;
  std::uint64_t entries = 0;
};

// This Region's part in an authority.
struct AuthorityStatus {
  // It has a lease, and knows the registers.
  bool live = false;
  std::chrono::nanoseconds remaining{};
  bool automatic_promotion = false;
  // Why it is not live, or what went wrong last ("" if nothing).
  std::string problem;
  std::uint64_t renewals = 0;
  std::uint64_t renewals_failed = 0;
  std::uint64_t leases_lost = 0;
  std::uint64_t automatic_promotions = 0;
};

// One pool in this Region.
struct ReplicationStatus {
  PoolId pool;
  Role role;
  // Who leads it or is to; empty: nobody is known to.
  Region primary;
  // The pool is handed over to this Region, and that it has begun is not known here: it may have.
  std::optional<Region> handed_over_to;
  std::uint64_t epoch_counter = 0;
  DurabilitySetting durability;
  // On the primary: nobody is in reach who could confirm a SYNC pool's writes, or the lag is more than a BOUNDED pool
  // allows.
  bool out_of_reach = false;
  // Changes of the directory may be made here now.
  bool admits_writes = false;
  // nullopt: the operator alone decides who is primary.
  std::optional<AuthorityStatus> authority;
  // What the authority's register of the pool says; nullopt: there is none, or it has not been read.
  std::optional<storage::pb::Epoch> registered;
  // With automatic promotion, of a pool that a Region took over by itself: how long ago at the least, and for how much
  // longer no other does.
  struct Tenure {
    std::chrono::nanoseconds since{};
    std::chrono::nanoseconds left{};
  };
  std::optional<Tenure> tenure;
  // On the primary what is committed, on a secondary what is applied; nullopt: a first copy is under way.
  std::optional<storage::pb::Head> head;
  // The primary's list.
  std::vector<MemberStatus> members;
  // Of every other Region of the pool that needs facts, whatever this one's role.
  std::vector<FactLag> fact_lags;
  // The node is set to pass changes on to the primary while this Region is secondary. Filled in by the node.
  bool forwards_writes = false;

  // Of a secondary: whether it has the primary's stream, what it heard last, and why it has not ("" if it has).
  bool streaming = false;
  std::optional<storage::pb::Head> primary_head;
  bool primary_connected = false;
  std::optional<Timestamp> primary_last_contact;
  std::optional<std::chrono::microseconds> primary_clock_difference;
  std::optional<CopyProgress> copy;
  std::string problem;
  // Of a secondary: up to which entry the primary signed what is here; nullopt: the primary signs nothing.
  std::optional<std::uint64_t> signed_sequence;
  // The last comparison of its copies that ended in this Region; nullopt: none since this process started.
  std::optional<VerificationSummary> verification;
};

// The newest entry of this epoch that every member has acknowledged, as this Region, the pool's primary, knows: all
// have what stands before it too. nullopt: not all are known to have any of it, or this Region is not the primary.
std::optional<std::uint64_t> HeldByAll(const ReplicationStatus& status, const storage::pb::Epoch& epoch);

// One other Region.
struct PeerStatus {
  Region region;
  // This Region's connection to it, and its connection to this Region.
  bool dialled = false;
  bool accepted = false;
  std::optional<Timestamp> last_contact;
  // Its clock minus this Region's when last heard; the way there is in it.
  std::optional<std::chrono::microseconds> clock_difference;
  std::uint64_t connections_lost = 0;
};

// Since this process started.
struct ReplicationCounters {
  std::uint64_t entries_sent = 0;
  std::uint64_t entries_applied = 0;
  std::uint64_t facts_sent = 0;
  std::uint64_t facts_merged = 0;
  std::uint64_t copies_begun = 0;
  std::uint64_t copies_resumed = 0;
  std::uint64_t copies_served = 0;
  std::uint64_t copies_taken = 0;
  std::uint64_t copies_failed = 0;
  std::uint64_t streams_ended = 0;
  // Entries that did not continue what was there.
  std::uint64_t chain_breaks = 0;
  // Answers that this Region holds what the primary does not have; and how often that was set aside.
  std::uint64_t divergences = 0;
  std::uint64_t suffixes_set_aside = 0;
  // As the Region that handed over, and as the one that took over; and as a primary that heard of a higher epoch.
  std::uint64_t hand_overs = 0;
  std::uint64_t take_overs = 0;
  std::uint64_t step_downs = 0;
  // Connections ended because a frame was lost, misplaced or against the protocol.
  std::uint64_t protocol_errors = 0;
  // What was refused because it was not signed, or not by the one who had to.
  std::uint64_t signatures_refused = 0;
  // Times that a Region, this one or another, was found not to have what it signed.
  std::uint64_t rollbacks_found = 0;
  // Log keys of other Regions that were replaced, because they showed another from another store.
  std::uint64_t log_keys_replaced = 0;
};

}  // namespace symbolon::replication
