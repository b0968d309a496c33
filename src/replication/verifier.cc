#include "replication/verifier.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/roles.h"

namespace symbolon::replication {
namespace {

using std::chrono::nanoseconds;

// How often it is looked which pools are due.
constexpr std::chrono::seconds kLookInterval{1};
// After a comparison that was incomplete the next comes after this part of the interval.
constexpr int kRetryPart = 10;
constexpr std::size_t kPoolsAtOnce = 1'000;
constexpr std::size_t kIdBytes = 8;

// nullopt: there is none.
storage::StoreResult<std::optional<pb::RoleRecord>> RoleIn(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> stored,
               snapshot.Get({storage::Space::kDirectory, pool, kRoleRecordType, Bytes()}));
  return stored ? ParseRole(*stored) : std::nullopt;
}

bool HasCopies(const pb::RoleRecord& role) {
  return std::ranges::any_of(role.members(), [](const pb::Member& member) {
    return member.state() == pb::ACTIVE || member.state() == pb::INACTIVE;
  });
}

void Log(const PoolId& pool, const VerifyReport& report) {
  switch (report.outcome()) {
    case VerifyOutcome::kEqual:
      return log::Info("pool {} is equal in all its Regions at position {}", pool.value(), report.position->sequence());
    case VerifyOutcome::kDiffering:
      return log::Error(
          "pool {} DIFFERS between its Regions at position {}: {}{} records; `symbolon replication "
          "verify` names them",
          pool.value(), report.position->sequence(), report.differences_complete ? "" : "at least ",
          report.difference_count);
    case VerifyOutcome::kIncomplete:
      break;
  }
  for (const VerifyReport::RegionResult& region : report.regions) {
    if (region.compared) continue;
    log::Warning("pool {} could not be compared in Region {}: {}", pool.value(), region.region.value(), region.problem);
  }
}

}  // namespace

// To the other Regions over the link, and to this one's sessions directly.
class Verifier::Channel final : public VerifyChannel {
 public:
  Channel(Verifier& verifier, const std::stop_token& stop, const Job& job, Timestamp started)
      : verifier_(verifier), stop_(stop), job_(job), started_(started) {}

  ControlResult<Bytes> Ask(const Region& region, const pb::VerifyRequest& request) override {
    if (region == verifier_.store_.region()) return verifier_.sessions_.Answer(region, request);
    pb::ControlRequest control;
    *control.mutable_verify() = request;
    return verifier_.ask_(region, control);
  }
  bool Pause(nanoseconds time) override {
    std::unique_lock lock(verifier_.mutex_);
    // What somebody asks for does not wait for what nobody did.
    const auto give_up = [this] { return job_.background && !verifier_.waiting_.empty(); };
    verifier_.wake_.wait_for(lock, stop_, time, give_up);
    return !stop_.stop_requested() && !give_up();
  }
  nanoseconds SinceBoot() override { return verifier_.clock_.SinceBoot(); }
  void OnProgress(const VerifyReport& report) override {
    verifier_.TakeNote(job_, {.id = job_.id,
                              .background = job_.background,
                              .state = Verification::State::kRunning,
                              .started = started_,
                              .ended = {},
                              .report = report});
  }

 private:
  Verifier& verifier_;
  const std::stop_token& stop_;
  const Job& job_;
  const Timestamp started_;
};

Verifier::Verifier(storage::Store& store, Clock& clock, Random& random, VerifySessions& sessions,
                   std::vector<Region> peers, const Options& options, Ask ask)
    : store_(store),
      clock_(clock),
      random_(random),
      sessions_(sessions),
      peers_(std::move(peers)),
      options_(options),
      ask_(std::move(ask)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Verifier::~Verifier() {
  thread_.request_stop();
  thread_.join();
}

std::string Verifier::NewId() { return HexEncode(random_.Octets(kIdBytes)); }

std::optional<std::string> Verifier::Start(const PoolId& pool, std::uint64_t records_per_second) {
  const std::lock_guard lock(mutex_);
  const auto asked_for = std::ranges::find(waiting_, pool, &Job::pool);
  if (asked_for != waiting_.end()) return asked_for->id;
  Known& known = known_[pool];
  const bool under_way = known.newest && known.newest->state != Verification::State::kDone;
  if (under_way && !known.newest->background) return known.newest->id;
  if (waiting_.size() >= options_.waiting) return std::nullopt;
  Job job{.pool = pool, .id = NewId(), .records_per_second = records_per_second};
  known.newest = Verification{.id = job.id, .started = clock_.Now()};
  waiting_.push_back(job);
  wake_.notify_all();
  return job.id;
}

std::optional<Verification> Verifier::Newest(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(pool);
  return known != known_.end() ? known->second.newest : std::nullopt;
}

std::optional<VerificationSummary> Verifier::Last(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(pool);
  return known != known_.end() ? known->second.last : std::nullopt;
}

std::optional<VerificationSummary> Verifier::LastWhole(const PoolId& pool) const {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(pool);
  return known != known_.end() ? known->second.last_whole : std::nullopt;
}

void Verifier::Run(const std::stop_token& stop) {
  while (const auto job = NextJob(stop)) RunJob(stop, *job);
}

std::optional<Verifier::Job> Verifier::NextJob(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!waiting_.empty()) {
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      return job;
    }
    lock.unlock();
    const auto due = FindDue(clock_.SinceBoot());
    if (due) return Job{*due, NewId(), options_.records_per_second, true};
    lock.lock();
    wake_.wait_for(lock, stop, kLookInterval, [this] { return !waiting_.empty(); });
  }
  return std::nullopt;
}

std::optional<PoolId> Verifier::FindDue(nanoseconds now) {
  if (options_.interval == nanoseconds::zero()) return std::nullopt;
  const auto snapshot = store_.MakeSnapshot();
  std::map<PoolId, nanoseconds> due;
  std::optional<PoolId> earliest;
  std::optional<PoolId> after;
  while (true) {
    const auto pools = snapshot->Pools(after, kPoolsAtOnce);
    if (!pools) {
      log::Error("pools cannot be listed: {}", pools.error().detail);
      return std::nullopt;
    }
    if (pools->empty()) break;
    for (const PoolId& pool : *pools) {
      const auto known = due_.find(pool);
      const auto role = RoleIn(*snapshot, pool);
      // It is due when it was.
      if (!role && known != due_.end()) due.insert(*known);
      if (!role || !*role) continue;
      if (RoleOf(**role, store_.region()).kind != Role::Kind::kPrimary || !HasCopies(**role)) continue;
      due[pool] = known != due_.end() ? known->second : now + options_.interval;
      if (due[pool] <= now && (!earliest || due[pool] < due[*earliest])) earliest = pool;
    }
    after = pools->back();
  }
  due_ = std::move(due);
  return earliest;
}

void Verifier::RunJob(const std::stop_token& stop, const Job& job) {
  const Timestamp started = clock_.Now();
  Channel channel(*this, stop, job, started);
  VerifyOptions options;
  options.records_per_second = job.records_per_second;
  auto report = Verify(job.pool, ParticipantsOf(job.pool), channel, random_, options);
  // Given up: it stays due.
  if (!report) return;
  const bool complete = report->outcome() != VerifyOutcome::kIncomplete;
  due_[job.pool] = clock_.SinceBoot() + (complete ? options_.interval : options_.interval / kRetryPart);
  Log(job.pool, *report);
  TakeNote(job, {.id = job.id,
                 .background = job.background,
                 .state = Verification::State::kDone,
                 .started = started,
                 .ended = clock_.Now(),
                 .report = *std::move(report)});
}

std::vector<VerifyParticipant> Verifier::ParticipantsOf(const PoolId& pool) const {
  const auto stored = RoleIn(*store_.MakeSnapshot(), pool);
  if (!stored) return {{.region = store_.region(), .problem = "has a store that cannot be read"}};
  if (!*stored) return {{.region = store_.region(), .problem = "does not hold the pool"}};
  const pb::RoleRecord& role = **stored;
  std::vector<VerifyParticipant> participants{{.region = store_.region(), .problem = {}}};
  const auto add = [&](const Region& region, std::string problem) {
    const bool known = std::ranges::find(participants, region, &VerifyParticipant::region) != participants.end();
    if (region.empty() || known) return;
    const bool reachable = std::ranges::find(peers_, region) != peers_.end();
    if (problem.empty() && !reachable) problem = "is not among the Regions configured here";
    participants.push_back({.region = region, .problem = std::move(problem)});
  };
  add(LeaderOf(role), "");
  for (const pb::Member& member : role.members()) {
    const bool has_copy = member.state() == pb::ACTIVE || member.state() == pb::INACTIVE;
    add(Region(member.region()),
        has_copy ? "" : "is " + std::string(MemberStateName(member.state())) + ": it has no complete copy");
  }
  return participants;
}

void Verifier::TakeNote(const Job& job, Verification verification) {
  const std::lock_guard lock(mutex_);
  Known& known = known_[job.pool];
  if (verification.state == Verification::State::kDone) {
    const VerifyReport& report = verification.report;
    known.last = VerificationSummary{.outcome = report.outcome(),
                                     .ended = verification.ended,
                                     .position = report.position,
                                     .difference_count = report.difference_count};
    const bool whole = std::ranges::all_of(report.regions, &VerifyReport::RegionResult::compared);
    if (whole) known.last_whole = known.last;
  }
  // One that somebody asked for meanwhile is newer than one that nobody did.
  const bool asked_for = std::ranges::find(waiting_, job.pool, &Job::pool) != waiting_.end();
  if (!asked_for) known.newest = std::move(verification);
}

}  // namespace symbolon::replication
