// What the machine knows of a pool, and all that is under way with it. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/authority.h"
#include "replication/consumer.h"
#include "replication/control.h"
#include "replication/fact_exchange.h"
#include "replication/head_times.h"
#include "replication/promotion.h"
#include "replication/supplier.h"
#include "storage/store.h"

namespace symbolon::replication {

using PromiseDone = std::move_only_function<void(bool granted, Instant now)>;

struct MachinePool {
  // What the store holds of it could not be read when it was looked at last; that is tried again with every tick. So
  // it is not known what is absent: nothing is written, promised, taken, dropped or said of it meanwhile.
  bool unread = false;
  // It was here when the machine started, and has not been read since.
  bool unread_since_start = false;
  // Who asked for a promise meanwhile, and until when an answer is of use.
  struct AskedFor {
    pb::PromiseRequest request;
    std::chrono::nanoseconds until{};
  };
  std::map<Region, AskedFor> promises_asked_for;

  std::optional<storage::pb::Head> head;
  HeadTimes head_times;
  std::optional<pb::RoleRecord> role;
  // While this Region is a secondary, or becomes one, or has to drop the pool.
  std::unique_ptr<Consumer> consumer;
  // A copy may be staged here that nobody goes on with, and when that is looked at next.
  bool may_be_staged = true;
  std::chrono::nanoseconds unstage_at{};
  Region consumer_peer;
  std::map<Region, std::unique_ptr<Supplier>> suppliers;
  // On the peer's connection to this Region, and on this Region's to the peer; with the link's id, because results of
  // merges outlive links.
  std::map<Region, std::unique_ptr<FactSupplier>> fact_suppliers;
  // What was told on connections that are gone.
  std::map<Region, FactsTold> facts_told;
  // How far this Region has all facts; read when it is asked for, until they grow.
  std::optional<storage::pb::FactVector> facts_here;
  struct FactPull {
    LinkId link;
    std::unique_ptr<FactConsumer> consumer;
  };
  std::map<Region, FactPull> fact_pulls;
  // Who holds facts in this store's own name that it never accepted, as found since this process started.
  Region own_facts_at;
  FactConsumer::OwnFacts own_facts = FactConsumer::OwnFacts::kNone;
  int merges_under_way = 0;
  // To be dropped as this member as soon as the primary has all facts that are here and no merge is under way.
  std::optional<std::uint64_t> drop_as_member;
  // The log was trimmed below this entry, or will be.
  std::uint64_t trimmed_to = 0;
  // Up to here fact logs were compacted, or will be.
  storage::pb::FactVector facts_compacted;
  // The primary empties its store of a deleted pool.
  bool dropping_deleted = false;
  // Facts that a new member has to have before it leaves CREATING: those that were here when its copy was complete.
  std::map<Region, storage::pb::FactVector> facts_at_copy;
  // When the end of a copy is recorded next, should it have to be tried again.
  std::map<Region, std::chrono::nanoseconds> mark_copied_at;
  // Members that say that they hold nothing any more, and when their removal is recorded next.
  struct Leaver {
    std::uint64_t member_number = 0;
    std::chrono::nanoseconds remove_at{};
  };
  std::map<Region, Leaver> leavers;

  // The highest epoch that is promised here, durably: nothing of a lower one is written, applied or acknowledged.
  std::optional<storage::pb::Epoch> promised;
  // The newest that each Region signed of what is here, whether what was kept of that has been read, and whether what
  // is to be kept is in the store.
  std::map<Region, pb::SignedHead> signed_heads;
  bool signatures_loaded = false;
  bool signatures_changed = false;
  std::chrono::nanoseconds keep_signatures_at{};
  // Another Region holds what this store signed and does not have: it was set back, or altered.
  bool rolled_back = false;
  // What another Region showed could not be compared.
  bool compares_again = false;
  // Regions that said that they lead, and did not prove who they are; until when they are not asked again.
  std::map<Region, std::chrono::nanoseconds> unproven;
  // When keys are pinned next.
  std::chrono::nanoseconds pin_at{};
  // On their way, in order; while there are any, nothing is taken from another Region.
  struct Promise {
    storage::pb::Epoch epoch;
    // By the Region that takes the epoch; otherwise heard of.
    bool asked = false;
    PromiseDone done;
  };
  std::deque<Promise> promises;
  bool promise_submitted = false;
  // When the first of them is tried again.
  std::chrono::nanoseconds promise_at{};

  // Of a primary that has started again: who has not told it yet that there is no higher epoch.
  struct Admission {
    std::set<Region> silent;
    std::chrono::nanoseconds alone_at;
  };
  std::optional<Admission> admission;

  // Until it is committed, and this Region's own record says so.
  struct HandingOver {
    Handover handover;
    std::vector<ControlDone<Promoted>> done;
    // Once it is committed.
    pb::NextEpoch next;
    std::uint64_t first_sequence = 0;
  };
  std::optional<HandingOver> handing_over;
  // Who waits to hear of the epoch that somebody was handed.
  struct Awaiting {
    HandedOver handed_over;
    std::vector<ControlDone<Promoted>> done;
  };
  std::optional<Awaiting> awaiting;
  // On what it was decided to take over without a person's doing: the register, and since when its owner's lease was
  // gone. It holds while both are so.
  struct Decision {
    Revision revision = 0;
    std::optional<std::chrono::nanoseconds> gone_since;
    bool operator==(const Decision&) const = default;
  };
  struct TakingOver {
    Takeover takeover;
    bool accept_loss = false;
    // nullopt: a person wants it.
    std::optional<Decision> decision;
    int attempt = 1;
    ControlDone<Promoted> done;
    // The authority's register names the epoch; until when that is tried.
    bool registered = false;
    std::chrono::nanoseconds register_until{};
  };
  std::optional<TakingOver> taking_over;
  // The commit that begins an epoch is under way.
  bool starting_epoch = false;

  // With an authority: its register names the epoch at the head of the log, which is this Region's own.
  bool right = false;
  // Of a primary with SYNC durability. A member that is to join the register's in-sync set, when it has all up to
  // `target`: what was answered without a secondary. And whether a change of the set may still happen.
  struct Joining {
    Region region;
    std::optional<std::uint64_t> target;
  };
  std::optional<Joining> joining;
  bool in_sync_uncertain = false;
  // In which state of the cluster (Authority::setbacks) the set was found to be this Region's own, or made so.
  std::uint64_t in_sync_as_of = 0;
  // Since when the primary's lease was last seen to be gone, and when this Region tries to take over by itself again.
  std::optional<std::chrono::nanoseconds> gone_since;
  std::chrono::nanoseconds alone_again_at{};
};

}  // namespace symbolon::replication
