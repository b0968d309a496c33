// Connections: dialling, greeting, numbering, liveness, and whose turn it is to send.
#include "replication/machine.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace symbolon::replication {
namespace {

constexpr std::uint32_t kOldestVersion = 1;
constexpr std::uint32_t kNewestVersion = 1;
constexpr int kPoolStatesPerFrame = 200;
// What waits for a peer that has dialled, before nothing more is read from it.
constexpr std::size_t kAnswersWaitingMax = 1'000;
constexpr std::size_t kAnswersWaitingBytesMax = 4 << 20;
// What waits for one that was dialled, for each pool and in all, before the connection is given up: who does not read
// what it asked for is of no use.
constexpr std::size_t kQuestionsWaitingOfPoolMax = 32;
constexpr std::size_t kQuestionsWaitingMax = 10'000;
constexpr std::size_t kQuestionBytes = 4 << 10;
// Names and epochs, several times over what they can have.
constexpr std::size_t kPoolStateBytesMax = 16 << 10;
constexpr std::size_t kSessionBytes = 16;

}  // namespace

void AddTo(News& news, const storage::Notice& notice) {
  bool roles = notice.everything;
  for (const storage::Key& key : notice.keys) {
    roles = roles || (key.space == storage::Space::kDirectory && key.type == kRoleRecordType);
  }
  if (!notice.head && !roles && !notice.facts_grew) return;
  PoolNews& of_pool = news[notice.pool];
  // A drop undoes the head before it.
  if (notice.head || notice.everything) of_pool.head = notice.head;
  of_pool.roles = of_pool.roles || roles;
  of_pool.facts_grew = of_pool.facts_grew || notice.facts_grew;
}

Machine::Machine(storage::Store& store, Random& random, const LogSigner& signer, std::vector<Region> peers,
                 const Options& options, MachineHost& host, SuffixArchive& archive, WriteLease& lease,
                 const std::optional<AuthoritySetup>& authority)
    : store_(store),
      random_(random),
      signer_(signer),
      options_(options),
      host_(host),
      archive_(archive),
      own_(store.region()),
      copy_pacer_(options.copy_bytes_per_second),
      durability_gate_(options.durability_wait_limit),
      position_gate_(store),
      gate_(options.write_wait_limit, /*open_unless_set=*/!authority),
      lease_(lease) {
  if (authority) {
    authority_prefix_ = authority->key_prefix;
    may_lead_ = authority->may_lead;
    authority_.emplace(authority->options, Holder{own_, store.incarnation()}, random.Octets(kSessionBytes),
                       authority->registers, lease_,
                       Authority::Events{.on_register = [this](const PoolId& id, Instant now) { OnRegister(id, now); },
                                         .on_lease = [this](Instant now) { OnLease(now); }});
  }
  for (Region& region : peers) {
    SYMBOLON_CHECK(region != own_);
    Peer& peer = peers_.try_emplace(region, options_).first->second;
    peer.region = std::move(region);
  }
}

void Machine::Start(Instant now) {
  started_at_ = now.since_boot;
  ticked_at_ = now.since_boot;
  if (!FindPools(now)) return;
  if (!authority_) lease_.SetDeadline(now.since_boot + options_.pause_limit);
  for (auto& [region, peer] : peers_) TickPeer(peer, now);
}

// ---- links ----

Machine::Found Machine::FindLink(LinkId link) {
  for (auto& [region, peer] : peers_) {
    if (peer.dialled && peer.dialled->link() == link) return {&peer, &*peer.dialled, true};
    if (peer.accepted && peer.accepted->link() == link) return {&peer, &*peer.accepted, false};
  }
  return {};
}

void Machine::Greet(Session& session, Instant now) {
  session.set_connected();
  pb::Frame frame;
  pb::Hello& hello = *frame.mutable_hello();
  hello.set_region(own_.value());
  hello.set_incarnation(store_.incarnation());
  hello.set_log_key(signer_.public_key());
  hello.set_oldest_version(kOldestVersion);
  hello.set_newest_version(kNewestVersion);
  hello.set_now_micros(ToMicros(now.wall));
  *hello.mutable_authority() = OwnAuthority();
  session.Push(std::move(frame));
}

void Machine::OnAccepted(LinkId link, const Region& region, Instant now) {
  const auto found = peers_.find(region);
  // Before the pools are listed it would be told that there are none.
  if (found == peers_.end() || !listed_) {
    host_.Close(link);
    return;
  }
  Peer& peer = found->second;
  if (peer.accepted) {
    host_.Close(peer.accepted->link());
    DropAccepted(peer);
  }
  peer.accepted.emplace(link, now);
  Greet(*peer.accepted, now);
  // Whoever comes through can probably be reached: the pause after earlier failures need not be sat out.
  if (!peer.dialled) peer.dial_at = std::min(peer.dial_at, now.since_boot);
}

void Machine::OnConnected(LinkId link, Instant now) {
  const Found found = FindLink(link);
  if (found.session == nullptr || !found.dialled) return;
  Greet(*found.session, now);
}

void Machine::OnClosed(LinkId link, Instant now) {
  const Found found = FindLink(link);
  if (found.session == nullptr) return;
  if (found.dialled) {
    DropDialled(*found.peer, now);
  } else {
    DropAccepted(*found.peer);
  }
}

void Machine::DropDialled(Peer& peer, Instant now) {
  if (peer.dialled->greeted()) ++peer.connections_lost;
  peer.dialled.reset();
  peer.dial_at = now.since_boot + peer.backoff.Next(random_);
  for (auto& [id, pool] : pools_) {
    if (pool.consumer && pool.consumer_peer == peer.region) pool.consumer->OnDisconnected();
    pool.fact_pulls.erase(peer.region);
  }
}

void Machine::DropAccepted(Peer& peer) {
  peer.accepted.reset();
  for (auto& [id, pool] : pools_) {
    if (const auto facts = pool.fact_suppliers.find(peer.region); facts != pool.fact_suppliers.end()) {
      pool.facts_told[peer.region] = facts->second->told();
      pool.fact_suppliers.erase(facts);
    }
    const auto supplier = pool.suppliers.find(peer.region);
    if (supplier != pool.suppliers.end()) supplier->second->OnDisconnected();
  }
}

void Machine::Break(Found found, std::string_view why, Instant now) {
  ++counters_.protocol_errors;
  log::Warning("replication: connection with {} ended: {}", found.peer->region.value(), why);
  host_.Close(found.session->link());
  OnClosed(found.session->link(), now);
}

void Machine::OnFrame(LinkId link, pb::Frame frame, Instant now) {
  const Found found = FindLink(link);
  if (found.session == nullptr) return;
  Peer& peer = *found.peer;
  switch (found.session->OnFrame(frame, now)) {
    case Session::Received::kIgnore:
      return;
    case Session::Received::kBroken:
      return Break(found, "a frame was lost", now);
    case Session::Received::kTake:
      break;
  }
  peer.last_contact = now.wall;
  peer.last_heard = now.since_boot;
  if (frame.has_hello() != !found.session->greeted()) return Break(found, "Hello out of place", now);
  if (frame.has_hello()) {
    if (!TakeHello(found, frame.hello(), now)) Break(found, "greeting not understood", now);
    return;
  }
  // A newer version has more to say; what has to be understood it only says to versions that do.
  if (frame.body_case() == pb::Frame::BODY_NOT_SET) return;
  if (frame.has_heartbeat()) {
    NoteClock(peer, FromMicros(frame.heartbeat().now_micros()), now);
    peer.authority = frame.heartbeat().authority();
    return;
  }
  const bool taken =
      found.dialled ? TakeFromSupplier(peer, std::move(frame), now) : TakeFromConsumer(peer, std::move(frame), now);
  // The session may be gone by now.
  if (!taken && FindLink(link).session != nullptr) Break(FindLink(link), "a frame against the protocol", now);
}

bool Machine::TakeHello(Found found, const pb::Hello& hello, Instant now) {
  Peer& peer = *found.peer;
  // The transport has proved who the peer is; a Hello that says otherwise is a configuration that nobody meant.
  if (hello.region() != peer.region.value()) return false;
  if (hello.newest_version() < kOldestVersion || hello.oldest_version() > kNewestVersion) {
    log::Error("replication: {} speaks versions {} to {}, this Region {} to {}", peer.region.value(),
               hello.oldest_version(), hello.newest_version(), kOldestVersion, kNewestVersion);
    return false;
  }
  if (!hello.log_key().empty() && hello.log_key().size() != kLogKeyBytes) return false;
  if (hello.incarnation().size() > storage::kNameBytesMax) return false;
  peer.incarnation = hello.incarnation();
  peer.log_key = hello.log_key();
  peer.authority = hello.authority();
  NoteClock(peer, FromMicros(hello.now_micros()), now);
  found.session->set_greeted();
  OnGreeted(peer, found.dialled, now);
  return true;
}

void Machine::NoteClock(Peer& peer, Timestamp its_time, Instant now) {
  if (!peer.clock.Note(its_time - now.wall)) return;
  if (peer.clock.alarmed()) {
    log::Error("replication: {}: see that both are right (docs/facts.md)", peer.clock.Describe(peer.region));
  } else {
    log::Info("replication: the clocks of Region {} and of this one agree again", peer.region.value());
  }
}

void Machine::OnGreeted(Peer& peer, bool dialled, Instant now) {
  if (dialled) {
    peer.backoff.Reset();
    peer.heard.clear();
    peer.unheard = false;
    for (auto& [id, pool] : pools_) {
      pool.unproven.erase(peer.region);
      UpdateConsumer(id, pool, now);
    }
    ForgetUnnamed();
    return;
  }
  pb::Frame frame;
  for (const auto& [id, pool] : pools_) {
    if (pool.unread || !Concerns(id, pool, peer)) continue;
    *frame.mutable_pools()->add_pools() = StateFor(id, pool, peer.region);
    if (frame.pools().pools_size() == kPoolStatesPerFrame) peer.accepted->Push(std::exchange(frame, {}));
  }
  frame.mutable_pools()->set_complete(true);
  peer.accepted->Push(std::move(frame));
}

bool Machine::TakeFromConsumer(Peer& peer, pb::Frame frame, Instant now) {
  const auto with_supplier = [&](const std::string& name, auto&& use) {
    const PoolId id(name);
    Pool* pool = FindPool(id);
    if (pool == nullptr) return;
    const auto supplier = pool->suppliers.find(peer.region);
    if (supplier == pool->suppliers.end()) return;
    use(*supplier->second);
    MarkReady(peer.region, id, Topic::kDirectory);
    ProceedWithHandover(id, *pool, now);
    MaybeMarkCopied(id, *pool, peer.region, now);
    UpdateDurability(id, *pool, now);
  };
  switch (frame.body_case()) {
    case pb::Frame::kOpen:
      OnOpen(peer, frame.open(), now);
      return true;
    case pb::Frame::kAck:
      with_supplier(frame.ack().pool(), [&](Supplier& supplier) { supplier.OnAck(frame.ack(), now); });
      return true;
    case pb::Frame::kCopyAck:
      with_supplier(frame.copy_ack().pool(), [&](Supplier& supplier) { supplier.OnCopyAck(frame.copy_ack(), now); });
      return true;
    case pb::Frame::kEnd:
      with_supplier(frame.end().pool(), [&](Supplier& supplier) { supplier.OnEnd(frame.end()); });
      return true;
    case pb::Frame::kFactsHave:
      OnFactsHave(peer, frame.facts_have(), now);
      return true;
    case pb::Frame::kDropped:
      OnDropped(peer, frame.dropped(), now);
      return true;
    case pb::Frame::kPromiseRequest:
      OnPromiseRequest(peer, frame.promise_request(), now);
      return true;
    default:
      return false;
  }
}

bool Machine::TakeFromSupplier(Peer& peer, pb::Frame frame, Instant now) {
  const auto with_consumer = [&](const std::string& name, auto&& use) {
    const PoolId id(name);
    Pool* pool = FindPool(id);
    if (pool == nullptr || !pool->consumer || pool->consumer_peer != peer.region) return;
    CarryOut(id, *pool, use(*pool->consumer), now);
  };
  switch (frame.body_case()) {
    case pb::Frame::kPools:
      for (pb::PoolState& state : *frame.mutable_pools()->mutable_pools()) {
        if (state.ByteSizeLong() > kPoolStateBytesMax) return false;
        OnPoolState(peer, std::move(state), now);
      }
      return true;
    case pb::Frame::kPromiseAnswer:
      OnPromiseAnswer(peer, frame.promise_answer(), now);
      return true;
    case pb::Frame::kOutcome:
      Hear(PoolId(frame.outcome().pool()), peer.region, frame.outcome().standing(), now);
      with_consumer(frame.outcome().pool(),
                    [&](Consumer& consumer) { return consumer.OnOutcome(frame.outcome(), now); });
      if (frame.outcome().refused() == pb::UNKNOWN_POOL) OnUnknownPool(peer, PoolId(frame.outcome().pool()), now);
      return true;
    case pb::Frame::kBatch: {
      const std::string name = frame.batch().pool();
      with_consumer(name, [&](Consumer& consumer) { return consumer.OnBatch(std::move(*frame.mutable_batch()), now); });
      return true;
    }
    case pb::Frame::kCopyPiece: {
      const std::string name = frame.copy_piece().pool();
      with_consumer(
          name, [&](Consumer& consumer) { return consumer.OnCopyPiece(std::move(*frame.mutable_copy_piece()), now); });
      return true;
    }
    case pb::Frame::kEnd:
      with_consumer(frame.end().pool(), [&](Consumer& consumer) { return consumer.OnEnd(frame.end(), now); });
      return true;
    case pb::Frame::kFacts: {
      const PoolId id(frame.facts().pool());
      Pool* pool = FindPool(id);
      if (pool == nullptr) return true;
      const auto pull = pool->fact_pulls.find(peer.region);
      if (pull == pool->fact_pulls.end()) return true;
      const auto origin_of = [&](const Region& region) { return OriginOf(*pool, peer, region); };
      CarryOut(id, *pool, peer, pull->second.consumer->OnFacts(std::move(*frame.mutable_facts()), origin_of, now));
      return true;
    }
    default:
      return false;
  }
}

std::optional<pb::Frame> Machine::NextFrame(LinkId link, Instant now) {
  const Found found = FindLink(link);
  if (found.session == nullptr || !found.session->connected()) return std::nullopt;
  Session& session = *found.session;
  std::optional<pb::Frame> frame = session.PopPushed();
  // What waits for the shared window keeps its turn.
  while (!frame && !found.dialled && session.greeted() && session.front() != nullptr) {
    const Session::Ready ready = *session.front();
    session.PopReady();
    frame = NextOf(*found.peer, ready, now);
    if (frame) session.MarkReady(ready);
    if (!frame && !found.peer->window.open()) {
      session.MarkReady(ready);
      break;
    }
  }
  if (frame) session.Stamp(*frame, now);
  return frame;
}

bool Machine::TakesFrames(LinkId link) {
  const Found found = FindLink(link);
  return found.session == nullptr || found.dialled ||
         !found.session->HoldsMoreThan(kAnswersWaitingMax, kAnswersWaitingBytesMax);
}

// ---- time ----

void Machine::OnTick(Instant now) {
  const std::chrono::nanoseconds pause = now.since_boot - std::exchange(ticked_at_, now.since_boot);
  if (!listed_ && !FindPools(now)) return TickGates(now);
  if (authority_) {
    authority_->OnTick(now);
  } else {
    if (pause >= options_.pause_limit) OnPause(pause, now);
    lease_.SetDeadline(now.since_boot + options_.pause_limit);
  }
  pools_here_ = static_cast<std::size_t>(
      std::ranges::count_if(pools_, [](const auto& pool) { return pool.second.head.has_value(); }));
  for (auto& [region, peer] : peers_) TickPeer(peer, now);
  TickGates(now);
  std::vector<PoolId> ids;
  ids.reserve(pools_.size());
  for (const auto& [id, pool] : pools_) ids.push_back(id);
  const bool trim = now.since_boot >= trim_at_;
  if (trim) ForgetUnnamed();
  if (trim) trim_at_ = now.since_boot + options_.trim_interval;
  for (const PoolId& id : ids) {
    if (Pool* pool = FindPool(id); pool != nullptr && pool->unread) LoadPool(id, now);
    if (Pool* pool = FindPool(id); pool != nullptr && !pool->unread) TickPool(id, *pool, now);
    if (Pool* pool = FindPool(id); pool != nullptr && !pool->unread && trim) {
      Trim(id, *pool, now);
      CompactFacts(id, *pool);
    }
  }
}

void Machine::TickGates(Instant now) {
  durability_gate_.OnTick(now);
  position_gate_.OnTick(now);
  gate_.OnTick(now);
}

// Whoever was promoted meanwhile could not ask this Region. What was heard before says nothing any more, and what comes
// over the connections that stand may have been sent before: the others are asked over new ones.
void Machine::OnPause(std::chrono::nanoseconds pause, Instant now) {
  std::vector<PoolId> leads;
  for (auto& [id, pool] : pools_) {
    if (!LeadsByRecord(pool)) continue;
    BeginAdmission(id, pool, "its process stood still", now);
    if (!pool.admission) continue;
    UpdateGate(id, pool);
    leads.push_back(id);
  }
  if (leads.empty()) return;
  log::Warning(
      "replication: this process stood still for {:.1f} s: {} pools take no writes before the other Regions "
      "have answered",
      std::chrono::duration<double>(pause).count(), leads.size());
  for (auto& [region, peer] : peers_) {
    peer.heard.clear();
    if (!peer.dialled) continue;
    host_.Close(peer.dialled->link());
    DropDialled(peer, now);
    peer.dial_at = now.since_boot;
  }
}

void Machine::TickPeer(Peer& peer, Instant now) {
  const std::size_t questions = kQuestionsWaitingMax + kQuestionsWaitingOfPoolMax * pools_.size();
  const bool unread = peer.dialled && peer.dialled->HoldsMoreThan(questions, questions * kQuestionBytes);
  const bool to_hear_anew = peer.dialled && peer.unheard && peer.heard.size() + kPoolsHeardMax / 2 < PoolsHeardMax();
  if (unread) log::Warning("replication: {} does not read what it is asked: connecting anew", peer.region.value());
  if (peer.dialled && (unread || to_hear_anew || peer.dialled->silent(now, options_))) {
    host_.Close(peer.dialled->link());
    DropDialled(peer, now);
  }
  if (peer.accepted && peer.accepted->silent(now, options_)) {
    host_.Close(peer.accepted->link());
    DropAccepted(peer);
  }
  if (!peer.dialled && now.since_boot >= peer.dial_at) {
    // Dialled links have odd ids, accepted ones even ids of the driver's choice.
    peer.dialled.emplace(next_link_, now);
    next_link_ += 2;
    host_.Dial(peer.region, peer.dialled->link());
  }
  for (std::optional<Session>* session : {&peer.dialled, &peer.accepted}) {
    if (!*session || !(*session)->heartbeat_due(now, options_)) continue;
    pb::Frame frame;
    frame.mutable_heartbeat()->set_now_micros(ToMicros(now.wall));
    *frame.mutable_heartbeat()->mutable_authority() = OwnAuthority();
    (*session)->Push(std::move(frame));
  }
}

}  // namespace symbolon::replication
