#include "replication/replicator.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "replication/turns.h"
#include "replication/worker.h"

namespace symbolon::replication {
namespace {

constexpr std::chrono::milliseconds kTickInterval{50};
constexpr std::chrono::milliseconds kControlTimeout{5'000};
// Longer than the waits of a hand-over together.
constexpr std::chrono::milliseconds kHandOverTimeout{30'000};
constexpr int kKeyRequestsWaitingMax = 64;

pb::ControlErrorCode ToWire(ControlErrorCode code) {
  switch (code) {
    case ControlErrorCode::kNotPrimary:
      return pb::CONTROL_NOT_PRIMARY;
    case ControlErrorCode::kNotMember:
      return pb::CONTROL_NOT_MEMBER;
    case ControlErrorCode::kWrongState:
      return pb::CONTROL_WRONG_STATE;
    case ControlErrorCode::kRefused:
      return pb::CONTROL_REFUSED;
    case ControlErrorCode::kHandedOver:
      return pb::CONTROL_HANDED_OVER;
    case ControlErrorCode::kOvertaken:
      return pb::CONTROL_OVERTAKEN;
    case ControlErrorCode::kUnavailable:
      return pb::CONTROL_UNAVAILABLE;
  }
  return pb::CONTROL_UNAVAILABLE;
}

ControlErrorCode FromWire(pb::ControlErrorCode code) {
  switch (code) {
    case pb::CONTROL_NOT_PRIMARY:
      return ControlErrorCode::kNotPrimary;
    case pb::CONTROL_NOT_MEMBER:
      return ControlErrorCode::kNotMember;
    case pb::CONTROL_WRONG_STATE:
      return ControlErrorCode::kWrongState;
    case pb::CONTROL_REFUSED:
      return ControlErrorCode::kRefused;
    case pb::CONTROL_HANDED_OVER:
      return ControlErrorCode::kHandedOver;
    case pb::CONTROL_OVERTAKEN:
      return ControlErrorCode::kOvertaken;
    default:  // a newer version's code as well
      return ControlErrorCode::kUnavailable;
  }
}

pb::ControlAnswer AnswerOf(const ControlResult<Bytes>& result) {
  pb::ControlAnswer answer;
  if (result) {
    answer.set_payload(*result);
  } else {
    answer.mutable_error()->set_code(ToWire(result.error().code));
    answer.mutable_error()->set_detail(result.error().detail);
  }
  return answer;
}

ControlResult<Bytes> ResultOf(const std::optional<pb::ControlAnswer>& answer, const Region& peer) {
  if (!answer) return Err(ControlError{ControlErrorCode::kUnavailable, "Region " + peer.value() + " does not answer"});
  if (answer->has_error()) return Err(ControlError{FromWire(answer->error().code()), answer->error().detail()});
  return answer->payload();
}

ControlResult<Bytes> PayloadOf(const ControlResult<Promoted>& result) {
  if (!result) return Err(result.error());
  pb::PromoteAnswer answer;
  answer.set_epoch_counter(result->epoch_counter);
  answer.set_first_sequence(result->first_sequence);
  return answer.SerializeAsString();
}

ControlResult<Promoted> PromotedOf(const ControlResult<Bytes>& payload) {
  if (!payload) return Err(payload.error());
  pb::PromoteAnswer answer;
  if (!answer.ParseFromString(*payload)) return Err(ControlError{ControlErrorCode::kUnavailable, "the answer is none"});
  return Promoted{.epoch_counter = answer.epoch_counter(), .first_sequence = answer.first_sequence(), .silent = {}};
}

// Who waits for an outcome: told once, also when what would tell is dropped because everything stops.
template <class T>
class Asker {
 public:
  explicit Asker(std::function<void(ControlResult<T>)> done) : done_(std::move(done)) {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() {
    if (done_) done_(Err(ControlError{ControlErrorCode::kUnavailable, "stopping"}));
  }
  void Answer(ControlResult<T> result) { std::exchange(done_, nullptr)(std::move(result)); }

 private:
  std::function<void(ControlResult<T>)> done_;
};

}  // namespace

class Replicator::Driver final : public MachineHost, public Transport::Events, public Registers {
 public:
  Driver(storage::Store& store, Clock& clock, Random& random, const LogSigner& signer, std::vector<Region> peers,
         const Options& options, std::unique_ptr<Transport> transport, SuffixArchive& archive,
         AnswerKeyRequest answer_key_request, std::optional<ReplicatorAuthority> authority)
      : store_(store),
        clock_(clock),
        peers_(std::move(peers)),
        transport_(std::move(transport)),
        answer_key_request_(std::move(answer_key_request)),
        authority_(std::move(authority)),
        lease_(clock, authority_ ? WriteLease::Others::kDenied : WriteLease::Others::kAdmitted),
        machine_(store, random, signer, peers_, options, *this, archive, lease_, SetupOf(authority_)) {
    for (const Region& peer : peers_) forwards_under_way_.try_emplace(peer, 0);
    // Until the machine has started: a pool that is made now waits for nobody.
    if (!authority_) lease_.SetDeadline(clock.SinceBoot() + options.pause_limit);
  }

  Result<void, TransportError> Start() {
    subscription_ = store_.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); },
                                     [this](bool more_follows) { AfterNotices(more_follows); });
    Post([this] { machine_.Start(Now()); });
    auto started = transport_->Start(*this);
    if (!started) {
      Stop();
      return started;
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
    return started;
  }

  void Stop() {
    const std::lock_guard lock(stop_mutex_);
    // Whoever waits for an answer of the machine gets none.
    turns_->Close();
    transport_->Stop();
    if (authority_) authority_->registers->Stop();
    subscription_.reset();
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    blocking_.reset();
    control_.reset();
  }

  // Runs on the machine's thread and answers; nullopt when that has ended.
  template <class Function>
  auto Query(Function function) -> std::optional<std::invoke_result_t<Function&>> {
    using T = std::invoke_result_t<Function&>;
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> future = promise->get_future();
    if (!Post([promise, function = std::move(function)]() mutable { promise->set_value(function()); }))
      return std::nullopt;
    promise.reset();
    try {
      return future.get();
    } catch (const std::future_error&) {  // dropped by Stop
      return std::nullopt;
    }
  }

  Machine& machine() { return machine_; }
  const WriteLease& lease() const { return lease_; }
  const Region& region() const { return store_.region(); }
  Transport& transport() { return *transport_; }
  const std::vector<Region>& peers() const { return peers_; }
  Instant Now() { return {clock_.Now(), clock_.SinceBoot()}; }

  // For the machine's thread. False: stopped.
  bool Post(Turns::Event event) { return turns_->Post(std::move(event)); }

  void ServeForwarded(AnswerForwarded answer) { answer_forwarded_ = std::move(answer); }
  void Forward(const PoolId& pool, const Region& primary, Bytes request, std::chrono::milliseconds timeout,
               std::function<void(Forwarded)> done) {
    auto passing = std::make_shared<Passing>(ForwardRoute(store_.region(), primary), std::move(done));
    passing->request.mutable_forward()->set_pool(pool.value());
    passing->request.mutable_forward()->set_request(std::move(request));
    passing->until = std::chrono::steady_clock::now() + timeout;
    Pass(passing);
  }

  void HandOver(const Region& from, const PoolId& pool, const Region& to,
                std::function<void(ControlResult<Promoted>)> done) {
    const auto asker = std::make_shared<Asker<Promoted>>(std::move(done));
    Post([this, from, pool, to, asker] {
      const auto status = machine_.Status(pool, Now());
      const Region primary = status ? status->primary : Region();
      // Nobody has to be asked: what is under way, or done, is waited for.
      if ((status && status->handed_over_to) || machine_.IsHandingOver(pool, to)) {
        return HandOverHere(from, pool, to, asker);
      }
      if (primary == store_.region()) return HandOverFromHere(from, pool, to, asker);
      if (from != store_.region() || std::ranges::find(peers_, primary) == peers_.end()) {
        return asker->Answer(Err(ControlError{ControlErrorCode::kNotPrimary, primary.value()}));
      }
      if (!InReach(primary)) {
        return asker->Answer(Err(ControlError{
            ControlErrorCode::kRefused, "Region " + primary.value() + ", which has to hand over, cannot be reached"}));
      }
      pb::ControlRequest request;
      request.mutable_promote()->set_pool(pool.value());
      request.mutable_promote()->set_to(to.value());
      transport_->Control(primary, request, kHandOverTimeout,
                          [asker, primary](const std::optional<pb::ControlAnswer>& answer) {
                            asker->Answer(PromotedOf(ResultOf(answer, primary)));
                          });
    });
  }

  // Brings a result to the machine, whenever it comes: also when this driver is gone, and then to nobody.
  template <class Result>
  std::move_only_function<void(Result)> Later(std::move_only_function<void(Result, Instant)> done) {
    return [this, turns = turns_, done = std::move(done)](Result result) mutable {
      if (turns->TryBegin()) return TakeTurn([&] { done(std::move(result), Now()); });
      turns->Post(
          [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
    };
  }
  // The same for what calls back at a time when it must not be called.
  template <class Result>
  std::move_only_function<void(Result)> LaterOnThread(std::move_only_function<void(Result, Instant)> done) {
    return [this, turns = turns_, done = std::move(done)](Result result) mutable {
      turns->Post(
          [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
    };
  }

  // ---- Registers, within a turn ----
  void Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease, RegisterDone<Held> done) override {
    authority_->registers->Hold(self, session, lease, LaterOnThread(std::move(done)));
  }
  void Read(Revision since, RegisterDone<RegisterNews> done) override {
    authority_->registers->Read(since, LaterOnThread(std::move(done)));
  }
  void Swap(RegisterSwap swap, RegisterDone<std::optional<Revision>> done) override {
    authority_->registers->Swap(std::move(swap), LaterOnThread(std::move(done)));
  }

  // ---- MachineHost, within a turn ----
  void Dial(const Region& peer, LinkId link) override {
    links_.emplace(link, Link{});
    transport_->Dial(peer, link);
  }
  void Close(LinkId link) override {
    links_.erase(link);
    transport_->Close(link);
  }
  void Submit(storage::Commit commit, Done<storage::Committed> done) override {
    store_.Submit(std::move(commit), Later(std::move(done)));
  }
  void Apply(storage::AppliedEntries entries, Done<storage::pb::Head> done) override {
    store_.Apply(std::move(entries), Later(std::move(done)));
  }
  void MergeFacts(PoolId pool, std::vector<storage::pb::FactEntry> entries, Done<void> done) override {
    store_.MergeFacts(std::move(pool), std::move(entries), Later(std::move(done)));
  }
  void RunBlocking(std::move_only_function<storage::StoreResult<void>()> work, Done<void> done) override {
    blocking_->Post([work = std::move(work), later = Later(std::move(done))]() mutable { later(work()); });
  }

  // ---- Transport::Events, on any thread ----
  LinkId NewLink() override { return next_accepted_link_.fetch_add(2); }
  void OnAccepted(LinkId link, const Region& peer) override {
    Post([this, peer, link] {
      links_.emplace(link, Link{});
      machine_.OnAccepted(link, peer, Now());
    });
  }
  void OnConnected(LinkId link) override {
    Post([this, link] {
      if (!links_.contains(link)) return;
      links_[link].writable = true;
      machine_.OnConnected(link, Now());
    });
  }
  void OnClosed(LinkId link) override {
    Post([this, link] {
      if (links_.erase(link) > 0) machine_.OnClosed(link, Now());
    });
  }
  void OnFrame(LinkId link, pb::Frame frame) override {
    Do([this, link, frame = std::move(frame)]() mutable {
      if (!links_.contains(link)) return;
      machine_.OnFrame(link, std::move(frame), Now());
      const auto found = links_.find(link);
      if (found == links_.end()) return;
      found->second.held = !machine_.TakesFrames(link);
      if (!found->second.held) transport_->Resume(link);
    });
  }
  void OnSent(LinkId link) override {
    Do([this, link] {
      if (const auto found = links_.find(link); found != links_.end()) found->second.writable = true;
    });
  }
  void OnControl(const Region& from, pb::ControlRequest request,
                 std::function<void(pb::ControlAnswer)> answer) override {
    if (request.has_promote()) {
      return HandOver(from, PoolId(request.promote().pool()), Region(request.promote().to()),
                      [answer](const ControlResult<Promoted>& result) { answer(AnswerOf(PayloadOf(result))); });
    }
    if (request.has_forward()) {
      if (!answer_forwarded_) {
        return answer(AnswerOf(Err(ControlError{ControlErrorCode::kRefused, "nobody answers requests here"})));
      }
      return answer_forwarded_(from, std::move(*request.mutable_forward()),
                               [answer](const ControlResult<Bytes>& result) { answer(AnswerOf(result)); });
    }
    if (!request.has_propose_member_state()) {
      if (key_requests_waiting_.fetch_add(1) >= kKeyRequestsWaitingMax) {
        --key_requests_waiting_;
        return answer(AnswerOf(Err(ControlError{ControlErrorCode::kUnavailable, "too many requests wait"})));
      }
      control_->Post([this, from, request = std::move(request), answer = std::move(answer)] {
        answer(AnswerOf(answer_key_request_(from, request)));
        --key_requests_waiting_;
      });
      return;
    }
    const pb::ControlRequest::ProposeMemberState proposal = request.propose_member_state();
    const bool posted = Post([this, from, proposal, answer] {
      machine_.ProposeMemberState(
          from, PoolId(proposal.pool()), Region(proposal.region()), proposal.state(),
          [answer](ControlResult<void> result) { answer(AnswerOf(result.map([] { return Bytes(); }))); });
    });
    if (!posted) answer(AnswerOf(Err(ControlError{ControlErrorCode::kUnavailable, "stopping"})));
  }

 private:
  using SteadyClock = Turns::SteadyClock;
  using AskerForPromotion = std::shared_ptr<Asker<Promoted>>;

  std::optional<AuthoritySetup> SetupOf(const std::optional<ReplicatorAuthority>& authority) {
    if (!authority) return std::nullopt;
    return AuthoritySetup{.options = authority->options,
                          .registers = *this,
                          .key_prefix = authority->key_prefix,
                          .may_lead = authority->may_lead};
  }

  void HandOverHere(const Region& from, const PoolId& pool, const Region& to, const AskerForPromotion& asker) {
    machine_.HandOver(
        from, pool, to, [asker](ControlResult<Promoted> result) { asker->Answer(std::move(result)); }, Now());
  }

  // Once the new primary says that it can open the pool.
  void HandOverFromHere(const Region& from, const PoolId& pool, const Region& to, const AskerForPromotion& asker) {
    const auto hand_over = [this, from, pool, to, asker] { HandOverHere(from, pool, to, asker); };
    if (std::ranges::find(peers_, to) == peers_.end()) return hand_over();
    pb::ControlRequest request;
    request.set_may_lead(pool.value());
    transport_->Control(to, request, kControlTimeout,
                        [this, to, asker, hand_over](const std::optional<pb::ControlAnswer>& answer) {
                          const ControlResult<Bytes> may = ResultOf(answer, to);
                          if (may) {
                            Post(hand_over);
                          } else {
                            asker->Answer(Err(ControlError{ControlErrorCode::kRefused, may.error().detail}));
                          }
                        });
  }

  // A client's request on its way to the primary. Its end is told once, also when everything stops.
  struct Passing {
    Passing(ForwardRoute way, std::function<void(Forwarded)> told) : route(std::move(way)), done(std::move(told)) {}
    Passing(const Passing&) = delete;
    Passing& operator=(const Passing&) = delete;
    ~Passing() {
      if (done) done({.outcome = sent ? ForwardOutcome::kUnknown : ForwardOutcome::kNotReached, .detail = "stopping"});
    }
    void End(Forwarded end) { std::exchange(done, nullptr)(std::move(end)); }

    ForwardRoute route;
    pb::ControlRequest request;
    std::chrono::steady_clock::time_point until;
    bool sent = false;
    std::function<void(Forwarded)> done;
  };

  // Sends it to the Region whose turn it is, if that is in reach: connected, and not silent for long.
  void Pass(const std::shared_ptr<Passing>& passing) {
    Post([this, passing] {
      const Region& target = passing->route.target();
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(passing->until - std::chrono::steady_clock::now());
      const auto under_way = forwards_under_way_.find(target);
      if (under_way == forwards_under_way_.end() || !InReach(target) || left.count() <= 0) {
        return OnPassed(passing, {.sent = false});
      }
      if (under_way->second.fetch_add(1) >= kForwardsMax) {
        --under_way->second;
        return passing->End({.outcome = ForwardOutcome::kBusy, .region = target});
      }
      passing->sent = true;
      transport_->Control(target, passing->request, left,
                          [this, passing, count = &under_way->second](std::optional<pb::ControlAnswer> answer) {
                            --*count;
                            OnPassed(passing, {.sent = true, .answer = std::move(answer)});
                          });
    });
  }

  void OnPassed(const std::shared_ptr<Passing>& passing, ForwardReply reply) {
    if (auto end = passing->route.OnReply(std::move(reply))) return passing->End(*std::move(end));
    passing->sent = false;
    Pass(passing);
  }

  bool InReach(const Region& peer) {
    const std::vector<PeerStatus> peers = machine_.Peers();
    const auto found = std::ranges::find(peers, peer, &PeerStatus::region);
    return found != peers.end() && found->dialled && transport_->IsReady(peer);
  }

  struct Link {
    // Nothing is on its way out. A dialled link becomes so when it stands.
    bool writable = false;
    // Nothing is read from it, until more of what waits has been sent.
    bool held = false;
  };

  void OnNotice(const storage::Notice& notice) {
    const std::lock_guard lock(news_mutex_);
    AddTo(news_, notice);
  }
  // On the committer's thread, mostly: it has time for the machine when no commit waits.
  void AfterNotices(bool more_follows) {
    {
      const std::lock_guard lock(news_mutex_);
      if (news_.empty()) return;
    }
    if (!more_follows && turns_->TryBegin()) return TakeTurn([] {});
    Post([] {});
  }

  // At once where possible, otherwise on the machine's thread.
  void Do(Turns::Event event) {
    if (turns_->TryBegin()) return TakeTurn(event);
    Post(std::move(event));
  }

  // The turn has begun, and ends with this. What the store told comes first: whatever happens may rest upon it.
  template <class Event>
  void TakeTurn(Event&& event) {
    News news;
    {
      const std::lock_guard lock(news_mutex_);
      news.swap(news_);
    }
    if (!news.empty()) machine_.OnNews(news, Now());
    event();
    SendWhatIsReady();
    auto wake_at = tick_at_;
    if (const auto pace_at = machine_.copies_go_on_at()) {
      wake_at = std::min(wake_at, SteadyClock::now() + (*pace_at - Now().since_boot));
    }
    turns_->End(wake_at);
  }

  void Run(const std::stop_token& stop) {
    while (auto events = turns_->Await(stop)) {
      TakeTurn([&] {
        for (auto& event : *events) event();
        if (const auto pace_at = machine_.copies_go_on_at(); pace_at && Now().since_boot >= *pace_at) machine_.OnPace();
        if (SteadyClock::now() < tick_at_) return;
        machine_.OnTick(Now());
        tick_at_ = SteadyClock::now() + kTickInterval;
      });
    }
  }

  void SendWhatIsReady() {
    for (auto& [id, link] : links_) {
      if (!link.writable) continue;
      auto frame = machine_.NextFrame(id, Now());
      if (link.held && machine_.TakesFrames(id)) {
        link.held = false;
        transport_->Resume(id);
      }
      if (!frame) continue;
      link.writable = false;
      transport_->Send(id, *std::move(frame));
    }
  }

  storage::Store& store_;
  Clock& clock_;
  const std::vector<Region> peers_;
  const std::unique_ptr<Transport> transport_;
  const AnswerKeyRequest answer_key_request_;
  const std::optional<ReplicatorAuthority> authority_;
  WriteLease lease_;
  std::atomic<LinkId> next_accepted_link_ = 2;
  std::atomic<int> key_requests_waiting_ = 0;
  AnswerForwarded answer_forwarded_;
  // Of each peer; which these are does not change.
  std::map<Region, std::atomic<int>> forwards_under_way_;

  // of whoever has the turn
  Machine machine_;
  std::map<LinkId, Link> links_;
  SteadyClock::time_point tick_at_ = SteadyClock::now();

  std::mutex news_mutex_;
  News news_;  // guarded by news_mutex_

  const std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();
  std::mutex stop_mutex_;

  std::unique_ptr<storage::Subscription> subscription_;
  std::optional<Worker> blocking_{std::in_place};
  std::optional<Worker> control_{std::in_place};
  std::jthread thread_;
};

Replicator::Replicator(storage::Store& store, Clock& clock, Random& random, const LogSigner& signer,
                       std::vector<Region> peers, const Options& options, std::unique_ptr<Transport> transport,
                       SuffixArchive& archive, AnswerKeyRequest answer_key_request,
                       std::optional<ReplicatorAuthority> authority)
    : driver_(std::make_unique<Driver>(store, clock, random, signer, std::move(peers), options, std::move(transport),
                                       archive, std::move(answer_key_request), std::move(authority))) {}

Replicator::~Replicator() { driver_->Stop(); }

Result<void, TransportError> Replicator::Start() { return driver_->Start(); }
void Replicator::Stop() { driver_->Stop(); }

std::optional<ReplicationStatus> Replicator::Status(const PoolId& pool) {
  return driver_->Query([this, pool] { return driver_->machine().Status(pool, driver_->Now()); })
      .value_or(std::nullopt);
}

std::vector<ReplicationStatus> Replicator::Statuses() {
  return driver_->Query([this] { return driver_->machine().Statuses(driver_->Now()); })
      .value_or(std::vector<ReplicationStatus>());
}

std::vector<PeerStatus> Replicator::Peers() {
  return driver_->Query([this] { return driver_->machine().Peers(); }).value_or(std::vector<PeerStatus>());
}

ReplicationCounters Replicator::Counters() {
  return driver_->Query([this] { return driver_->machine().Counters(); }).value_or(ReplicationCounters());
}

std::optional<AuthorityStatus> Replicator::AuthorityStatusNow() {
  return driver_->Query([this] { return driver_->machine().AuthorityStatusNow(driver_->Now()); })
      .value_or(std::nullopt);
}

const WriteLease& Replicator::write_lease() const { return driver_->lease(); }

DurabilityGate& Replicator::durability_gate() { return driver_->machine().durability_gate(); }
PositionGate& Replicator::position_gate() { return driver_->machine().position_gate(); }

void Replicator::ServeForwarded(AnswerForwarded answer) { driver_->ServeForwarded(std::move(answer)); }

void Replicator::Forward(const PoolId& pool, const Region& primary, Bytes request, std::chrono::milliseconds timeout,
                         std::function<void(Forwarded)> done) {
  driver_->Forward(pool, primary, std::move(request), timeout, std::move(done));
}

WriteGate& Replicator::write_gate() { return driver_->machine().write_gate(); }

void Replicator::HandOver(const PoolId& pool, const Region& to, std::function<void(ControlResult<Promoted>)> done) {
  driver_->HandOver(driver_->region(), pool, to, std::move(done));
}

void Replicator::TakeOver(const PoolId& pool, bool accept_loss, std::function<void(ControlResult<Promoted>)> done) {
  const auto asker = std::make_shared<Asker<Promoted>>(std::move(done));
  driver_->Post([this, pool, accept_loss, asker] {
    driver_->machine().TakeOver(
        pool, accept_loss, [asker](ControlResult<Promoted> result) { asker->Answer(std::move(result)); },
        driver_->Now());
  });
}

ControlResult<Bytes> Replicator::Ask(const Region& peer, const pb::ControlRequest& request) {
  if (std::ranges::find(driver_->peers(), peer) == driver_->peers().end()) {
    return Err(ControlError{ControlErrorCode::kNotMember, "there is no Region " + peer.value()});
  }
  auto promise = std::make_shared<std::promise<ControlResult<Bytes>>>();
  std::future<ControlResult<Bytes>> result = promise->get_future();
  driver_->transport().Control(
      peer, request, kControlTimeout,
      [promise, peer](const std::optional<pb::ControlAnswer>& answer) { promise->set_value(ResultOf(answer, peer)); });
  return result.get();
}

}  // namespace symbolon::replication
