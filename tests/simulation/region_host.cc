// What a simulated Region's machine asks of its host, and what comes from the network.
#include <utility>

#include "region.h"
#include "storage/log.h"

namespace symbolon::simulation {
namespace {

using replication::LinkId;

storage::pb::Head HeadAfter(const Bytes& octets) {
  storage::pb::LogEntry entry;
  SYMBOLON_CHECK(entry.ParseFromString(octets));
  storage::pb::Head head;
  *head.mutable_epoch() = entry.epoch();
  head.set_sequence(entry.sequence());
  head.set_digest(storage::EntryDigest(entry));
  head.set_commit_time_micros(entry.commit_time_micros());
  return head;
}

}  // namespace

void SimRegion::Commit(storage::Commit commit,
                       std::move_only_function<void(storage::StoreResult<storage::Committed>)> done) {
  store_->Submit(std::move(commit), [this, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    Post(dice_.Micros(0, 200),
         [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  });
  KickCommitter();
}

void SimRegion::CommitDurably(storage::Commit commit, const replication::pb::RoleRecord& role,
                              std::move_only_function<void(replication::DurableCommitResult)> done) {
  const auto asked = plant_ == Plant::kAnswerWithoutReplica ? replication::NewRoleRecord(name_) : role;
  const PoolId pool = commit.pool;
  if (plant_ == Plant::kAnswerWithoutLease && lease_ && !commit.directory.empty() && !lease_->Admits(pool)) {
    return done(Err(replication::CommitError{.code = replication::CommitErrorCode::kNoLease}));
  }
  commits_->Submit(std::move(commit), asked, [this, pool, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    if (result && result->committed.position && on_answer)
      on_answer(pool, result->committed.position->epoch().counter());
    Post(dice_.Micros(0, 200),
         [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  });
  KickCommitter();
}

// ---- MachineHost ----

void SimRegion::Dial(const Region& peer, LinkId link) {
  links_.insert(link);
  network_.Dial(*this, peer, link);
}

void SimRegion::Close(LinkId link) {
  links_.erase(link);
  network_.Close(*this, link);
}

// The committer reads before it writes.
template <class T>
bool SimRegion::FailsToRead(replication::Done<T>& done) {
  if (!bad_reads_.Strike({})) return false;
  Post(nanoseconds(0), [this, done = std::move(done)]() mutable {
    done(Err(storage::StoreError{storage::StoreErrorCode::kUnavailable, "the disk cannot be read"}), Now());
  });
  return true;
}

void SimRegion::Submit(storage::Commit commit, replication::Done<storage::Committed> done) {
  if (FailsToRead(done)) return;
  if (plant_ == Plant::kPromiseWithoutFence) commit.promise.reset();
  Commit(std::move(commit), [this, done = std::move(done)](auto result) mutable { done(std::move(result), Now()); });
}

void SimRegion::Apply(storage::AppliedEntries entries, replication::Done<storage::pb::Head> done) {
  if (FailsToRead(done)) return;
  if (plant_ == Plant::kAcknowledgeBeforeDurable) {
    Post(dice_.Micros(0, 100), [this, done = std::move(done), head = HeadAfter(entries.entries.back())]() mutable {
      done(std::move(head), Now());
    });
    store_->Apply(std::move(entries), [](auto) {});
    KickCommitter();
    return;
  }
  if (plant_ == Plant::kStopAtLock && !Opens(entries.pool)) {
    Post(nanoseconds(0), [this, done = std::move(done)]() mutable {
      done(Err(storage::StoreError{storage::StoreErrorCode::kUnavailable, "planted"}), Now());
    });
    return;
  }
  store_->Apply(std::move(entries), [this, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    Post(dice_.Micros(0, 200),
         [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
  });
  KickCommitter();
}

void SimRegion::MergeFacts(PoolId pool, std::vector<storage::pb::FactEntry> entries, replication::Done<void> done) {
  if (FailsToRead(done)) return;
  store_->MergeFacts(
      std::move(pool), std::move(entries), [this, life = life_, done = std::move(done)](auto result) mutable {
        if (life != life_) return;
        Post(dice_.Micros(0, 200),
             [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
      });
  KickCommitter();
}

void SimRegion::KickCommitter() {
  if (std::exchange(step_planned_, true)) return;
  Post(dice_.Micros(50, 3'000), [this] {
    step_planned_ = false;
    if (store_->Step()) KickCommitter();
  });
}

void SimRegion::RunBlocking(std::move_only_function<storage::StoreResult<void>()> work, replication::Done<void> done) {
  blocking_.push_back({std::move(work), std::move(done)});
  StartBlockingWork();
}

void SimRegion::StartBlockingWork() {
  if (blocking_busy_ || blocking_.empty()) return;
  blocking_busy_ = true;
  Post(dice_.Micros(100, 5'000), [this] {
    BlockingWork current = std::move(blocking_.front());
    blocking_.pop_front();
    storage::StoreResult<void> result = current.work();
    Post(dice_.Micros(0, 300), [this, done = std::move(current.done), result = std::move(result)]() mutable {
      blocking_busy_ = false;
      done(std::move(result), Now());
      StartBlockingWork();
    });
  });
}

// ---- from the network ----

void SimRegion::Accept(const Region& peer, LinkId link) {
  links_.insert(link);
  WhenAwake(life_, [this, peer, link] {
    // It may have been closed meanwhile.
    if (links_.contains(link)) machine_->OnAccepted(link, peer, Now());
  });
}

void SimRegion::Connected(LinkId link) {
  WhenAwake(life_, [this, link] { machine_->OnConnected(link, Now()); });
}

void SimRegion::Closed(LinkId link) {
  WhenAwake(life_, [this, link] {
    links_.erase(link);
    machine_->OnClosed(link, Now());
  });
}

void SimRegion::Receive(LinkId link, replication::pb::Frame frame) {
  WhenAwake(life_, [this, link, frame = std::move(frame)]() mutable { Take(link, std::move(frame)); });
}

void SimRegion::Take(LinkId link, replication::pb::Frame frame) {
  if (plant_ != Plant::kSpeakAnyVersion) ReceiveAs(versions_, frame);
  if (plant_ == Plant::kForgottenUntold && frame.has_facts()) frame.mutable_facts()->clear_forgotten();
  if (plant_ == Plant::kDeafToEpochs && frame.has_pools()) {
    for (auto& state : *frame.mutable_pools()->mutable_pools()) {
      const auto status = machine_->Status(PoolId(state.pool()), Now());
      if (status && status->role.kind == replication::Role::Kind::kPrimary) state.clear_standing();
    }
  }
  machine_->OnFrame(link, std::move(frame), Now());
}

}  // namespace symbolon::simulation
