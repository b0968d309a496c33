// The replication machine of one Region: for every pool and every other Region the supplier, consumer and fact exchange
// that the roles ask for, and the connections that they share (architecture §7).
//
// Pure: it has no thread, no clock and no socket. Whoever drives it tells it the time, what the store published and
// what came over the links, asks it for the next frame of each link that can take one (after every input), and carries
// out what it asks of its host. So production and the simulator run the same code. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/authority.h"
#include "replication/consumer.h"
#include "replication/control.h"
#include "replication/durability_gate.h"
#include "replication/fact_exchange.h"
#include "replication/host.h"
#include "replication/log_signatures.h"
#include "replication/machine_peer.h"
#include "replication/machine_pool.h"
#include "replication/options.h"
#include "replication/pacer.h"
#include "replication/position_gate.h"
#include "replication/promotion.h"
#include "replication/roles.h"
#include "replication/session.h"
#include "replication/set_aside.h"
#include "replication/status.h"
#include "replication/write_gate.h"
#include "replication/write_lease.h"
#include "storage/store.h"

namespace symbolon::replication {

// What storage::Notices mean to replication, joined by pool, in their order. Not thread-safe.
struct PoolNews {
  // The newest.
  std::optional<storage::pb::Head> head;
  // The role record, or everything, may have changed.
  bool roles = false;
  bool facts_grew = false;
};
using News = std::map<PoolId, PoolNews>;
void AddTo(News& news, const storage::Notice& notice);

// An authority beside the operator.
struct AuthoritySetup {
  AuthorityOptions options;
  Registers& registers;
  // Under which names the registers lie there.
  std::string key_prefix;
  // Whether this Region could serve the pool, should it take over by itself: it opens the pool's keys. May block;
  // empty: it could.
  std::function<bool(const PoolId&)> may_lead;
};

class Machine {
 public:
  // `peers`: the other Regions. `lease`: what commits look at. `authority`: nullopt where the operator alone decides.
  // All references outlive the machine.
  Machine(storage::Store& store, Random& random, const LogSigner& signer, std::vector<Region> peers,
          const Options& options, MachineHost& host, SuffixArchive& archive, WriteLease& lease,
          const std::optional<AuthoritySetup>& authority = std::nullopt);

  // Finds the pools of the store. Once, before everything else; notices of later changes must not be missed. Where they
  // cannot be listed that is tried again with every tick, and until then nobody is connected with and nothing admitted.
  void Start(Instant now);
  void OnNews(const News& news, Instant now);
  // Often: at least every 100 ms. A machine that was not told the time for Options::pause_limit takes it that its
  // process stood still: where the operator alone decides, it hears the other Regions before it admits writes again.
  void OnTick(Instant now);
  // When copies that keep a pace may go on, for drivers that look more often than they tick; nullopt: none waits.
  std::optional<std::chrono::nanoseconds> copies_go_on_at() const { return copy_pacer_.opens_at(); }
  // It is that time.
  void OnPace();

  // The peer dialled this Region. An older connection of its is closed.
  void OnAccepted(LinkId link, const Region& peer, Instant now);
  // A dialled link stands.
  void OnConnected(LinkId link, Instant now);
  void OnClosed(LinkId link, Instant now);
  void OnFrame(LinkId link, pb::Frame frame, Instant now);
  // The next frame to send, if there is one.
  std::optional<pb::Frame> NextFrame(LinkId link, Instant now);
  // False: the peer asks for more than it reads. Nothing more is to be read from it until this says otherwise, which
  // may be after any NextFrame().
  bool TakesFrames(LinkId link);

  // Commits a member's new state here, if this Region is the pool's primary. `from`: who asks; must be a member or this
  // Region.
  void ProposeMemberState(const Region& from, const PoolId& pool, const Region& region, pb::MemberState state,
                          ControlDone<void> done);

  // Where writes and requests wait; thread-safe.
  DurabilityGate& durability_gate() { return durability_gate_; }
  PositionGate& position_gate() { return position_gate_; }
  // Where this Region's own changes of directories have to wait; thread-safe.
  WriteGate& write_gate() { return gate_; }
  // Hands the pool over from this Region, its primary, to a secondary, without loss. `done` when that has begun its
  // epoch. Nothing has changed after an error other than kHandedOver, kOvertaken and kUnavailable. Of a pool that is
  // handed over already, any Region that knows it waits for the next primary in the same way: asking again is safe.
  void HandOver(const Region& from, const PoolId& pool, const Region& to, ControlDone<Promoted> done, Instant now);
  // This Region does that now: whoever asks again waits for the same end.
  bool IsHandingOver(const PoolId& pool, const Region& to) const;
  // Makes this Region the pool's primary, whatever the others say: what a Region that cannot be asked has beyond what
  // is here will be set aside. With SYNC durability, at least all Regions but one must answer, unless `accept_loss`.
  void TakeOver(const PoolId& pool, bool accept_loss, ControlDone<Promoted> done, Instant now);

  // nullopt: the pool is not known here.
  std::optional<ReplicationStatus> Status(const PoolId& pool, Instant now);
  std::vector<ReplicationStatus> Statuses(Instant now);
  std::vector<PeerStatus> Peers() const;
  // nullopt: the operator alone decides.
  std::optional<AuthorityStatus> AuthorityStatusNow(Instant now) const;
  const ReplicationCounters& Counters() const { return counters_; }

 private:
  using Topic = Session::Topic;
  using RoleChange = std::move_only_function<RoleResult<pb::RoleRecord>(pb::RoleRecord)>;

  using Peer = MachinePeer;
  using Pool = MachinePool;

  // ---- links (machine.cc) ----
  struct Found {
    Peer* peer = nullptr;
    Session* session = nullptr;
    bool dialled = false;
  };
  Found FindLink(LinkId link);
  void Greet(Session& session, Instant now);
  void OnGreeted(Peer& peer, bool dialled, Instant now);
  void DropDialled(Peer& peer, Instant now);
  void DropAccepted(Peer& peer);
  // Closes a connection on which something impossible came.
  void Break(Found found, std::string_view why, Instant now);
  // False: the frame is against the protocol.
  bool TakeHello(Found found, const pb::Hello& hello, Instant now);
  void NoteClock(Peer& peer, Timestamp its_time, Instant now);
  bool TakeFromConsumer(Peer& peer, pb::Frame frame, Instant now);
  bool TakeFromSupplier(Peer& peer, pb::Frame frame, Instant now);
  void TickPeer(Peer& peer, Instant now);
  void TickGates(Instant now);

  // ---- pools (machine_pools.cc) ----
  static storage::Key RoleKey(const PoolId& id) { return {storage::Space::kDirectory, id, kRoleRecordType, Bytes()}; }
  void OnPoolNews(const PoolId& id, const PoolNews& news, Instant now);
  // What a peer may name: keys of the store are made of it.
  static bool IsPoolName(const std::string& name);
  // False: they cannot be listed.
  bool FindPools(Instant now);
  Pool* FindPool(const PoolId& id);
  // With what was promised, which outlives the pool, when it was not known.
  Pool& FindOrAddPool(const PoolId& id, Instant now);
  void LoadPool(const PoolId& id, Instant now);
  // Takes what the store holds of the pool now, or finds it unread: false.
  bool ReadPool(const PoolId& id, Pool& pool, Instant now);
  void SetUnread(const PoolId& id, Pool& pool, std::string_view why, Instant now);
  // What was not to be done, or answered, before it was read.
  void OnReadAtLast(const PoolId& id, Instant now);
  // Of a pool of which nothing is known here, for whoever asked.
  ControlError WhyUnknown(const PoolId& id) const;
  void ForgetPoolIfGone(const PoolId& id);
  void OnRoles(const PoolId& id, Pool& pool, const std::optional<pb::RoleRecord>& before, Instant now);
  bool IsPrimary(const Pool& pool) const;
  // The Region takes part in the pool: primary, or a member that has not to go.
  static bool Shares(const Pool& pool, const Region& region);
  pb::PoolState StateFor(const PoolId& id, const Pool& pool, const Region& peer) const;
  void Announce(const PoolId& id, const Pool& pool, Peer& peer);
  // The peer takes part in the pool, or takes itself for its primary: it has to know what this Region knows.
  bool Concerns(const PoolId& id, const Pool& pool, const Peer& peer) const;
  void TickPool(const PoolId& id, Pool& pool, Instant now);
  // For lags: when the head came, and what nobody asks for any more.
  static void NoteHead(Pool& pool, Instant now);
  void ForgetHeadTimes(Pool& pool) const;
  void Trim(const PoolId& id, Pool& pool, Instant now);
  // The other Regions that have to have the facts that are here.
  std::vector<Region> NeedFacts(const pb::RoleRecord& role) const;
  std::vector<FactLag> FactLagsOf(const PoolId& id, Pool& pool) const;
  void CompactFacts(const PoolId& id, Pool& pool);
  // By number and by size.
  std::uint64_t KeptEntriesMax(const PoolId& id) const;

  // ---- as secondary (machine_consumer.cc) ----
  void OnPoolState(Peer& peer, pb::PoolState state, Instant now);
  void ConsiderHeard(Peer& peer, const PoolId& id, const pb::PoolState& state, Instant now);
  // Of one peer: as many more than there are pools here.
  static constexpr std::size_t kPoolsHeardMax = 20'000;
  std::size_t PoolsHeardMax() const;
  // A peer says that it has the pool, or this Region a part in it.
  bool IsNamed(const PoolId& id) const;
  // Of pools that are not here, those that no peer names any more.
  void ForgetUnnamed();
  // The peer was asked for the pool, and does not have it.
  void OnUnknownPool(Peer& peer, const PoolId& id, Instant now);
  // The consumer that the roles ask for, connected if its supplier is.
  void UpdateConsumer(const PoolId& id, Pool& pool, Instant now);
  void UpdateFactPulls(const PoolId& id, Pool& pool);
  void Drop(const PoolId& id, Pool& pool, std::uint64_t member_number, const Region& peer, Instant now);
  void ProceedWithDrop(const PoolId& id, Pool& pool, Instant now);
  // Those of the facts here that the primary has; nullopt: it need not have any, no directory is here.
  std::optional<storage::pb::FactVector> FactsAtPrimary(const PoolId& id, const Pool& pool) const;
  void CarryOut(const PoolId& id, Pool& pool, Consumer::Step step, Instant now);
  void CarryOut(const PoolId& id, Pool& pool, Peer& peer, FactConsumer::Step step);
  void NoteOwnFacts(const PoolId& id, Pool& pool, const Region& holder, FactConsumer::OwnFacts found);
  // A copy that was begun is of no use where this Region leads, or follows without it; and whoever waits until the pool
  // is nowhere as it was waits for its end.
  void MaybeDropStaging(const PoolId& id, Pool& pool, Instant now);
  void OnConsumerCallDone(const PoolId& id, storage::StoreResult<std::optional<storage::pb::Head>> result, Instant now);

  // ---- as supplier (machine_supplier.cc) ----
  void MarkReady(const Region& peer, const PoolId& id, Topic topic);
  void OnOpen(Peer& peer, const pb::Open& open, Instant now);
  void OnFactsHave(Peer& peer, const pb::FactsHave& have, Instant now);
  std::optional<pb::Frame> NextOf(Peer& peer, const Session::Ready& ready, Instant now);
  int pinned_copies() const;

  // ---- who is primary (machine_promotion.cc) ----
  pb::Standing StandingOf(const Pool& pool) const;
  // This store opened the epoch at the pool's head.
  bool OwnsEpoch(const Pool& pool) const;
  // The pool's primary, whose store came out of a backup: it does not know who was added since, and leads nothing.
  bool RestoredPrimary(const Pool& pool) const;
  // It did, and has promised no higher one.
  bool Supplies(const Pool& pool) const;
  // This Region may change the pool's directory now.
  bool Admits(const Pool& pool) const;
  // It is the primary, or is to become it, as far as its role record says.
  bool LeadsByRecord(const Pool& pool) const;
  // Whom to follow, as far as is known here; may be this Region; nullopt: nobody.
  std::optional<Region> LeaderOf(const PoolId& id, const Pool& pool) const;
  // The Region counts in matters of the pool: it is in the role record, or another that is names it as primary.
  bool Trusts(const PoolId& id, const Pool& pool, const Region& region) const;
  // The highest counter that is known here, and by Regions that count but `except`, none of which is implausibly far
  // above the others: one alone does not use the counters up.
  std::uint64_t KnownCounter(const PoolId& id, const Pool& pool, const Region& except) const;
  // Whether `from` can know of such epochs.
  bool IsPlausible(const PoolId& id, const Pool& pool, const Region& from, const pb::Standing& standing) const;
  // What a peer knows; a primary that is behind steps down.
  void Hear(const PoolId& id, const Region& region, const pb::Standing& standing, Instant now);
  // Unless it is on the way already. `who` knows the epoch.
  void StepDown(const PoolId& id, Pool& pool, const storage::pb::Epoch& epoch, std::string_view who, Instant now);

  void UpdateGate(const PoolId& id, const Pool& pool);
  // `why`: for the log.
  void BeginAdmission(const PoolId& id, Pool& pool, std::string_view why, Instant now);
  // After a time in which nothing was done or heard here.
  void OnPause(std::chrono::nanoseconds pause, Instant now);
  void UpdateAdmission(const PoolId& id, Pool& pool, Instant now);

  // Of a pool that is known here. `asked`: Pool::Promise.
  void MakePromise(const PoolId& id, storage::pb::Epoch epoch, bool asked, PromiseDone done, Instant now);
  void ProceedWithPromises(const PoolId& id, Instant now);
  void OnPromised(const PoolId& id, bool granted, Instant now);
  void OnPromiseRequest(Peer& peer, const pb::PromiseRequest& request, Instant now);

  // ---- planned (machine_handover.cc) ----
  ControlResult<Promoted> CurrentEpoch(const PoolId& id, const Pool& pool) const;
  void ProceedWithHandover(const PoolId& id, Pool& pool, Instant now);
  void CommitHandover(const PoolId& id, Pool& pool, std::uint64_t at_sequence, Instant now);
  void OnHandoverCommitted(const PoolId& id, pb::NextEpoch next, const storage::StoreResult<storage::Committed>& result,
                           Instant now);
  void EndHandover(const PoolId& id, Pool& pool, const ControlResult<Promoted>& result);
  // Between a hand-over and the next epoch, as far as the record here says.
  static bool IsHandedOver(const Pool& pool);
  // Where this Region and the others are, as last heard.
  std::vector<pb::Standing> KnownOf(const PoolId& id, const Pool& pool) const;
  void ProceedWithAwaiting(const PoolId& id, Pool& pool, Instant now);
  // What became of a hand-over that was not heard of in time: for whoever asked, and for the status.
  std::string WhatBecomesOf(const PoolId& id, const Pool& pool, const pb::NextEpoch& next) const;
  // Of a pool that was handed over to this Region.
  std::string WhyNotBegunHere(const PoolId& id, const Pool& pool, const pb::NextEpoch& next) const;
  // The role record names this Region for the next epoch.
  void MaybeAcceptHandover(const PoolId& id, Pool& pool, Instant now);
  void StartEpoch(const PoolId& id, Pool& pool, std::uint64_t counter, Done<storage::Committed> done, Instant now);

  // ---- forced (machine_takeover.cc) ----
  void OnPromiseAnswer(Peer& peer, const pb::PromiseAnswer& answer, Instant now);
  void TakeOver(const PoolId& id, bool accept_loss, const std::optional<Pool::Decision>& decision,
                ControlDone<Promoted> done, Instant now);
  void BeginTakeover(const PoolId& id, Pool& pool, bool accept_loss, const std::optional<Pool::Decision>& decision,
                     int attempt, std::uint64_t above, ControlDone<Promoted> done, Instant now);
  // Whose promises a take-over asks for; and those of all Regions that can be expected to answer now.
  std::set<Region> MembersAsked(const PoolId& id, const Pool& pool) const;
  Takeover::Reachable ReachableNow(Instant now) const;
  // With SYNC durability every answered write is held by two Regions.
  static constexpr std::size_t kSilentMaxOfSync = 1;
  // The Region's store is not the one that the register, or the log, has for it, or has no log though it is to have
  // all: what it held of what was answered is lost, as if it were silent.
  bool LacksItsPart(const PoolId& id, const Pool& pool, const Region& region, bool has_log) const;
  // As far as the record or the register says.
  bool IsSync(const PoolId& id, const Pool& pool) const;
  void PromiseToSelf(const PoolId& id, Pool& pool, Instant now);
  void ProceedWithTakeover(const PoolId& id, Pool& pool, Instant now);
  void EndTakeover(const PoolId& id, Pool& pool, ControlResult<Promoted> result, Instant now);
  std::optional<std::uint64_t> LastHeardOf(const PoolId& id, const Pool& pool, const Region& region) const;

  // ---- an authority (machine_authority.cc) ----
  void OnRegister(const PoolId& id, Instant now);
  void OnLease(Instant now);
  // Whether this Region may write, as far as the register says; and what follows if it says otherwise.
  void UpdateRight(const PoolId& id, Pool& pool, Instant now);
  void FollowRegister(const PoolId& id, Pool& pool, const Authority::Known& known, bool leads, Instant now);
  // The epoch that the register has of this Region is not one in which it writes, or is about to.
  bool MayRelease(const PoolId& id, const Pool& pool, const storage::pb::Epoch& registered) const;
  void Register(const PoolId& id, const Pool& pool, const storage::pb::Epoch& epoch);
  // The register names this epoch of this Region. If it may and does not yet, that begins: OnRegister follows.
  bool MayBegin(const PoolId& id, Pool& pool, std::uint64_t counter);
  std::string WhyNotBegun(const PoolId& id) const;
  // Why nobody takes the pool over by itself, whose owner's lease is gone; empty: nothing is in the way.
  std::string WhyNotAlone(const Authority::Known& known, Instant now) const;
  void ProceedWithRegister(const PoolId& id, Pool& pool, Instant now);
  // Whose acknowledgements count; nullopt: of all members. And whether writes may be answered without any.
  std::optional<std::set<Region>> InSync(const PoolId& id) const;
  bool MayFallBack(const PoolId& id, const Pool& pool) const;
  // Changes the register's in-sync set, where members have come or are to be done without.
  void ProceedWithInSync(const PoolId& id, Pool& pool, Instant now);
  // Of a pool that this Region took over by itself.
  void MaybeEndTenure(const PoolId& id, const Pool& pool, Instant now);
  void UpdateJoining(const PoolId& id, Pool& pool, const std::set<Region>& in_sync);
  // Of the Regions that could take over none that is in reach has more than this one.
  bool IsNextInLine(const PoolId& id, const Pool& pool, const pb::Register& value, Instant now) const;
  Pool::Decision DecisionNow(const PoolId& id) const;
  void MaybeTakeOverAlone(const PoolId& id, Pool& pool, Instant now);
  pb::AuthorityKind authority_kind() const;
  pb::AuthorityState OwnAuthority() const;
  // Empty: no Region says that it asks another authority.
  std::string AuthorityConflict() const;

  // ---- signatures (machine_signatures.cc) ----
  // With which key the Region has to sign; empty: it need not.
  Bytes LogKeyAskedOf(const Pool& pool, const Region& region) const;
  static storage::Key SignaturesKey(const PoolId& id);
  storage::StoreResult<void> LoadSignatures(const PoolId& id, Pool& pool);
  void NoteSignature(Pool& pool);
  void KeepSignatures(const PoolId& id, Pool& pool, Instant now);
  // Another Region shows what this store signed.
  void HearSignature(const PoolId& id, Pool& pool, const Region& from, const pb::SignedHead& head);
  // What has to be known of a Region whose facts `peer` passes on.
  FactOrigin OriginOf(const Pool& pool, const Peer& peer, const Region& region) const;
  // The primary pins its own key, and those that the members show.
  void PinKeys(const PoolId& id, Pool& pool, Instant now);
  // Whoever was followed did not prove who it is.
  void OnUnproven(const PoolId& id, Pool& pool, Instant now);

  // ---- changes of the role record (machine_roles.cc) ----
  void OnDropped(Peer& peer, const pb::Dropped& dropped, Instant now);
  void RemoveLeavers(const PoolId& id, Pool& pool, Instant now);
  void MaybeMarkCopied(const PoolId& id, Pool& pool, const Region& peer, Instant now);
  void MaybeDropDeleted(const PoolId& id, Pool& pool);
  void ChangeRole(const PoolId& id, RoleChange change, ControlDone<void> done, int attempt = 1);

  // ---- durability (machine_durability.cc) ----
  void UpdateDurability(const PoolId& id, Pool& pool, Instant now);

  // ---- status (machine_status.cc) ----
  ReplicationStatus StatusOf(const PoolId& id, Pool& pool, Instant now);
  MemberStatus StatusOf(const PoolId& id, Pool& pool, const pb::Member& member, Instant now);
  // Empty: no facts in this store's own name were found that it never accepted.
  static std::string OwnFactsProblem(const Pool& pool);
  // Empty: no Region that is no member leads the pool beside this one.
  std::string StrangerProblem(const PoolId& id, const Pool& pool) const;
  // Without another problem, that the clocks of the pool's Regions are too far apart is one.
  ReplicationStatus WithClocks(const Pool& pool, ReplicationStatus status) const;

  // constant
  storage::Store& store_;
  Random& random_;
  const LogSigner& signer_;
  const Options options_;
  MachineHost& host_;
  SuffixArchive& archive_;
  const Region own_;

  std::map<Region, Peer> peers_;
  std::map<PoolId, Pool> pools_;
  // Those of them that are here, as of the last tick.
  std::size_t pools_here_ = 0;
  std::chrono::nanoseconds started_at_{};
  std::chrono::nanoseconds ticked_at_{};
  LinkId next_link_ = 1;
  std::chrono::nanoseconds trim_at_{};
  // All pools of the store have been found.
  bool listed_ = false;
  bool listing_failed_ = false;
  // Pools that are found while it starts may have changed hands meanwhile.
  bool starting_ = false;
  ReplicationCounters counters_;
  Pacer copy_pacer_;
  DurabilityGate durability_gate_;
  PositionGate position_gate_;
  WriteGate gate_;
  WriteLease& lease_;
  std::string authority_prefix_;
  std::function<bool(const PoolId&)> may_lead_;
  std::optional<Authority> authority_;
};

}  // namespace symbolon::replication
