#include "result.h"

#include <fmt/format.h>

namespace symbolon::simulation {

void Result::Add(const Result& other) {
  Add(other.counters);
  crashes += other.crashes;
  disks_lost += other.disks_lost;
  reads_failed += other.reads_failed;
  commits += other.commits;
  facts += other.facts;
  answers += other.answers;
  doubly_used += other.doubly_used;
  tokens_reused += other.tokens_reused;
  steps_used += other.steps_used;
  steps_refused += other.steps_refused;
  first_sign_ins_said += other.first_sign_ins_said;
  absorbed += other.absorbed;
  first_seen_ended += other.first_seen_ended;
  confirmed += other.confirmed;
  fell_back += other.fell_back;
  unconfirmed += other.unconfirmed;
  held += other.held;
  writes_set_aside += other.writes_set_aside;
  hand_overs += other.hand_overs;
  hand_overs_unheard += other.hand_overs_unheard;
  forwards_done += other.forwards_done;
  forwards_refused += other.forwards_refused;
  forwards_unknown += other.forwards_unknown;
  forwards_redirected += other.forwards_redirected;
  keys_withdrawn += other.keys_withdrawn;
  refused_locked += other.refused_locked;
  hand_overs_locked += other.hand_overs_locked;
  caught_up_locked += other.caught_up_locked;
  erasures += other.erasures;
  bodies_erased += other.bodies_erased;
  leases_lost += other.leases_lost;
  automatic_promotions += other.automatic_promotions;
  answers_withheld += other.answers_withheld;
}

void Result::Add(const replication::ReplicationCounters& other) {
  counters.entries_sent += other.entries_sent;
  counters.entries_applied += other.entries_applied;
  counters.facts_sent += other.facts_sent;
  counters.facts_merged += other.facts_merged;
  counters.copies_begun += other.copies_begun;
  counters.copies_resumed += other.copies_resumed;
  counters.copies_served += other.copies_served;
  counters.copies_taken += other.copies_taken;
  counters.copies_failed += other.copies_failed;
  counters.streams_ended += other.streams_ended;
  counters.chain_breaks += other.chain_breaks;
  counters.divergences += other.divergences;
  counters.suffixes_set_aside += other.suffixes_set_aside;
  counters.hand_overs += other.hand_overs;
  counters.take_overs += other.take_overs;
  counters.step_downs += other.step_downs;
  counters.protocol_errors += other.protocol_errors;
  counters.signatures_refused += other.signatures_refused;
  counters.rollbacks_found += other.rollbacks_found;
  counters.log_keys_replaced += other.log_keys_replaced;
}

std::string Describe(const Result& sum) {
  return fmt::format(
      "writes: {} acknowledged, {} of them confirmed by a replica, {} fell back; {} unconfirmed, {} held; {} set "
      "aside\n"
      "people: {} answers, {} one-time things used in two Regions, {} refresh tokens used again; {} authenticators' "
      "codes accepted, {} refused as used\n"
      "first sign-ins: {} said, {} made records, {} settled with every member\n"
      "facts: {} accepted; processes: {} died, {} disks lost, {} reads failed\n"
      "handed over: {} times, {} answers that the next primary is not heard of\n"
      "in processes that lived to the end: {} hand-overs, {} epochs begun, {} suffixes set aside, {} copies taken, {} "
      "resumed\n"
      "passed on by secondaries: {} done, {} refused, {} of unknown outcome, {} sent once more\n"
      "keys: {} withdrawn; {} requests and {} hand-overs refused, {} times everything is where a pool is locked\n"
      "erased: {} records in every Region, {} bodies\n"
      "under an authority: {} leases lost, {} automatic promotions, {} answers withheld",
      sum.commits, sum.confirmed, sum.fell_back, sum.unconfirmed, sum.held, sum.writes_set_aside, sum.answers,
      sum.doubly_used, sum.tokens_reused, sum.steps_used, sum.steps_refused, sum.first_sign_ins_said, sum.absorbed,
      sum.first_seen_ended, sum.facts, sum.crashes, sum.disks_lost, sum.reads_failed, sum.hand_overs,
      sum.hand_overs_unheard, sum.counters.hand_overs, sum.counters.take_overs, sum.counters.suffixes_set_aside,
      sum.counters.copies_taken, sum.counters.copies_resumed, sum.forwards_done, sum.forwards_refused,
      sum.forwards_unknown, sum.forwards_redirected, sum.keys_withdrawn, sum.refused_locked, sum.hand_overs_locked,
      sum.caught_up_locked, sum.erasures, sum.bodies_erased, sum.leases_lost, sum.automatic_promotions,
      sum.answers_withheld);
}

}  // namespace symbolon::simulation
