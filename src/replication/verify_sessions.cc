#include "replication/verify_sessions.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "replication/digest_tree.h"
#include "replication/position_view.h"
#include "replication/roles.h"

namespace symbolon::replication {
namespace {

using std::chrono::nanoseconds;
using State = pb::VerifyAnswer::State;

constexpr nanoseconds kRollForwardRetry = std::chrono::milliseconds(20);
// Of one answer; a message of the link holds 4 MiB.
constexpr std::size_t kAnswerLimitBytes = 1 << 20;

tl::unexpected<ControlError> Refuse(ControlErrorCode code, std::string detail) {
  return Err(ControlError{code, std::move(detail)});
}

tl::unexpected<ControlError> StoreFails(const storage::StoreError& error) {
  return Refuse(ControlErrorCode::kUnavailable, error.detail);
}

// Whether the Region takes part in the pool, as the role record here says.
storage::StoreResult<bool> Shares(storage::Store& store, const PoolId& pool, const Region& region) {
  const storage::Key key{storage::Space::kDirectory, pool, kRoleRecordType, Bytes()};
  SYMBOLON_TRY(const std::optional<Bytes> stored, store.MakeSnapshot()->Get(key));
  const auto role = stored ? ParseRole(*stored) : std::nullopt;
  return role && RoleOf(*role, region).kind != Role::Kind::kNone;
}

}  // namespace

// One directory that is compared. Thread-safe.
class VerifySessions::Session {
 public:
  Session(Region from, PoolId pool, std::unique_ptr<PositionView> view, const Limits& limits, nanoseconds now)
      : from_(std::move(from)), pool_(std::move(pool)), limits_(limits), asked_at_(now), view_(std::move(view)) {}

  const Region& from() const { return from_; }
  const PoolId& pool() const { return pool_; }

  pb::VerifyAnswer Pinned() const {
    pb::VerifyAnswer answer;
    *answer.mutable_pinned()->mutable_head() = view_->pinned();
    answer.mutable_pinned()->set_records(view_->record_count());
    return answer;
  }

  nanoseconds asked_at() const { return asked_at_.load(); }

  ControlResult<pb::VerifyAnswer> Answer(const pb::VerifyRequest& request, nanoseconds now) {
    asked_at_ = now;
    const std::lock_guard lock(mutex_);
    switch (request.step_case()) {
      case pb::VerifyRequest::kRollForward:
        return RollForward(request.roll_forward(), now);
      case pb::VerifyRequest::kHash:
        return Hash(request.hash(), now);
      case pb::VerifyRequest::kProgress:
        return Progress();
      case pb::VerifyRequest::kLeaves:
        return Leaves(request.leaves().first());
      case pb::VerifyRequest::kRecords:
        return Records(request.records());
      case pb::VerifyRequest::kBegin:
      case pb::VerifyRequest::kEnd:
      case pb::VerifyRequest::STEP_NOT_SET:
        break;
    }
    return Refuse(ControlErrorCode::kRefused, "a step of the comparison that is not known here");
  }

  // Does what is due, if anything is, and answers when the next is.
  std::optional<nanoseconds> Step(nanoseconds now) {
    const std::lock_guard lock(mutex_);
    if (state_ == pb::VerifyAnswer::WAITING && now >= due_) TryRollForward(now);
    if (state_ == pb::VerifyAnswer::HASHING && now >= due_) HashSlice(now);
    const bool works = state_ == pb::VerifyAnswer::WAITING || state_ == pb::VerifyAnswer::HASHING;
    return works ? std::optional(due_) : std::nullopt;
  }

 private:
  ControlResult<pb::VerifyAnswer> RollForward(const pb::VerifyRequest::RollForward& request, nanoseconds now) {
    if (state_ != pb::VerifyAnswer::STATE_UNSPECIFIED) return NotSoFar();
    position_ = request.position();
    state_ = pb::VerifyAnswer::WAITING;
    due_ = now;
    roll_forward_until_ = now + limits_.roll_forward;
    return Progress();
  }

  void TryRollForward(nanoseconds now) {
    const auto rolled = view_->RollForward(position_);
    if (!rolled) {
      if (rolled.error().code == storage::StoreErrorCode::kFull) {
        state_ = pb::VerifyAnswer::PIN_ANEW;
        return;
      }
      return Fail(rolled.error().detail);
    }
    switch (*rolled) {
      case PositionView::Roll::kDone:
        state_ = pb::VerifyAnswer::READY;
        return;
      case PositionView::Roll::kPinAnew:
        state_ = pb::VerifyAnswer::PIN_ANEW;
        return;
      case PositionView::Roll::kOtherHistory:
        state_ = pb::VerifyAnswer::OTHER_HISTORY;
        return;
      case PositionView::Roll::kBehind:
        due_ = now + kRollForwardRetry;
        if (now >= roll_forward_until_) {
          Fail("does not reach position " + std::to_string(position_.sequence()) + " in time: it lags behind");
        }
        return;
    }
  }

  ControlResult<pb::VerifyAnswer> Hash(const pb::VerifyRequest::Hash& request, nanoseconds now) {
    if (state_ != pb::VerifyAnswer::READY) return NotSoFar();
    if (request.leaf_bits() > DigestTreeBuilder::kLeafBitsMax) {
      return Refuse(ControlErrorCode::kRefused, "leaves out of bounds");
    }
    builder_.emplace(static_cast<int>(request.leaf_bits()));
    records_per_second_ = request.records_per_second();
    state_ = pb::VerifyAnswer::HASHING;
    due_ = now;
    return Progress();
  }

  void HashSlice(nanoseconds now) {
    if (!cursor_) {
      leaves_ = builder_->Finish();
      state_ = pb::VerifyAnswer::HASHED;
      return;
    }
    auto page = view_->Next(*cursor_);
    if (!page) return Fail(page.error().detail);
    for (const DigestedRecord& record : page->records) builder_->Add(record.key, record.digest);
    if (builder_->leaf_count() > limits_.leaves) return Fail("the directory has too many leaves");
    cursor_ = std::move(page->next);
    if (records_per_second_ == 0) return;
    // What a slow slice took too long is not made up for.
    const std::chrono::duration<double> pace(static_cast<double>(page->records.size()) /
                                             static_cast<double>(records_per_second_));
    due_ = now + std::chrono::duration_cast<nanoseconds>(pace);
  }

  void Fail(std::string detail) {
    state_ = pb::VerifyAnswer::FAILED;
    detail_ = std::move(detail);
  }

  ControlResult<pb::VerifyAnswer> Progress() const {
    pb::VerifyAnswer answer;
    auto& progress = *answer.mutable_progress();
    progress.set_state(state_);
    progress.set_records(builder_ ? builder_->record_count() : 0);
    progress.set_detail(detail_);
    return answer;
  }

  ControlResult<pb::VerifyAnswer> Leaves(std::uint64_t first) const {
    if (state_ != pb::VerifyAnswer::HASHED) return NotSoFar();
    pb::VerifyAnswer answer;
    auto& page = *answer.mutable_leaves();
    std::size_t size_bytes = 0;
    std::uint64_t next = std::min<std::uint64_t>(first, leaves_.size());
    for (; next < leaves_.size() && size_bytes < kAnswerLimitBytes; ++next) {
      pb::VerifyAnswer::Leaf& leaf = *page.add_leaves();
      leaf.set_last_key(leaves_[next].last_key);
      leaf.set_records(leaves_[next].records);
      leaf.set_digest(leaves_[next].digest);
      size_bytes += leaf.ByteSizeLong();
    }
    page.set_complete(next == leaves_.size());
    return answer;
  }

  ControlResult<pb::VerifyAnswer> Records(const pb::VerifyRequest::Records& span) const {
    if (state_ != pb::VerifyAnswer::HASHED) return NotSoFar();
    const auto page = view_->Next(span.after());
    if (!page) return StoreFails(page.error());
    pb::VerifyAnswer answer;
    auto& records = *answer.mutable_records();
    const auto inside = [&](const Bytes& key) { return span.through().empty() || key <= span.through(); };
    for (const DigestedRecord& record : page->records) {
      if (!inside(record.key)) break;
      pb::VerifyAnswer::Record& added = *records.add_records();
      added.set_key(record.key);
      added.set_digest(record.digest);
    }
    if (page->next && inside(*page->next)) records.set_next(*page->next);
    return answer;
  }

  tl::unexpected<ControlError> NotSoFar() const {
    return Refuse(ControlErrorCode::kWrongState, "the comparison is not so far, or further");
  }

  const Region from_;
  const PoolId pool_;
  const Limits& limits_;
  std::atomic<nanoseconds> asked_at_;
  std::mutex mutex_;
  // All below is guarded by mutex_, but for what of the view was pinned.
  const std::unique_ptr<PositionView> view_;
  State state_ = pb::VerifyAnswer::STATE_UNSPECIFIED;
  std::string detail_;
  storage::pb::Head position_;
  nanoseconds roll_forward_until_{};
  nanoseconds due_{};
  std::optional<DigestTreeBuilder> builder_;
  std::uint64_t records_per_second_ = 0;
  // Where the reading goes on; nullopt: all is read.
  std::optional<Bytes> cursor_ = Bytes();
  TreeLeaves leaves_;
};

VerifySessions::VerifySessions(storage::Store& store, Clock& clock, const Limits& limits)
    : store_(store), clock_(clock), limits_(limits) {}

VerifySessions::~VerifySessions() = default;

ControlResult<Bytes> VerifySessions::Answer(const Region& from, const pb::VerifyRequest& request) {
  if (request.has_begin()) return Begin(from, request.session(), PoolId(request.begin().pool()));
  const std::shared_ptr<Session> session = Find(from, request.session());
  if (request.has_end()) {
    const std::lock_guard lock(mutex_);
    if (session) sessions_.erase(request.session());
    return pb::VerifyAnswer().SerializeAsString();
  }
  if (!session) return Refuse(ControlErrorCode::kWrongState, "the comparison has ended here");
  auto answer = session->Answer(request, clock_.SinceBoot());
  {
    const std::lock_guard lock(mutex_);
    ++requests_;
  }
  wake_.notify_all();
  if (!answer) return Err(std::move(answer).error());
  return answer->SerializeAsString();
}

ControlResult<Bytes> VerifySessions::Begin(const Region& from, const Bytes& id, const PoolId& pool) {
  const auto shares = Shares(store_, pool, from);
  if (!shares) return StoreFails(shares.error());
  if (!*shares) return Refuse(ControlErrorCode::kNotMember, "does not hold the pool, or does not share it");
  auto view = PositionView::Pin(store_, pool);
  if (!view) return StoreFails(view.error());
  const nanoseconds now = clock_.SinceBoot();
  const auto session = std::make_shared<Session>(from, pool, *std::move(view), limits_, now);
  const std::lock_guard lock(mutex_);
  EndIdle(now);
  std::erase_if(sessions_, [&](const auto& entry) {
    return entry.first == id || (entry.second->from() == from && entry.second->pool() == pool);
  });
  if (sessions_.size() >= limits_.sessions) {
    return Refuse(ControlErrorCode::kUnavailable, "too many comparisons are under way there");
  }
  sessions_[id] = session;
  // It ends by itself should nobody ask for it again.
  ++requests_;
  wake_.notify_all();
  return session->Pinned().SerializeAsString();
}

std::shared_ptr<VerifySessions::Session> VerifySessions::Find(const Region& from, const Bytes& id) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  return found != sessions_.end() && found->second->from() == from ? found->second : nullptr;
}

void VerifySessions::EndIdle(nanoseconds now) {
  std::erase_if(sessions_, [&](const auto& entry) { return now - entry.second->asked_at() >= limits_.idle; });
}

std::optional<nanoseconds> VerifySessions::Step() {
  std::vector<std::shared_ptr<Session>> sessions;
  std::optional<nanoseconds> next;
  {
    const std::lock_guard lock(mutex_);
    EndIdle(clock_.SinceBoot());
    for (const auto& [id, session] : sessions_) sessions.push_back(session);
  }
  for (const auto& session : sessions) {
    const auto due = session->Step(clock_.SinceBoot());
    const nanoseconds at = due.value_or(session->asked_at() + limits_.idle);
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

void VerifySessions::WaitForWork(const std::stop_token& stop, std::optional<nanoseconds> until) {
  std::unique_lock lock(mutex_);
  const auto asked = [this] { return requests_ != requests_waited_for_; };
  if (!until) {
    wake_.wait(lock, stop, asked);
  } else if (const nanoseconds left = *until - clock_.SinceBoot(); left > nanoseconds::zero()) {
    wake_.wait_for(lock, stop, left, asked);
  }
  requests_waited_for_ = requests_;
}

std::size_t VerifySessions::session_count() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

VerifySessionsThread::VerifySessionsThread(VerifySessions& sessions)
    : thread_([&sessions](const std::stop_token& stop) {
        while (!stop.stop_requested()) sessions.WaitForWork(stop, sessions.Step());
      }) {}

}  // namespace symbolon::replication
