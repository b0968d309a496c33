#include "replication/verify.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "replication/digest_tree.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

using std::chrono::nanoseconds;
using State = pb::VerifyAnswer::State;
using Phase = VerifyReport::Phase;

constexpr std::size_t kSessionBytes = 16;
constexpr nanoseconds kRetryInterval = std::chrono::milliseconds(100);
// Small pools are done at once, for large ones it doubles up to the second.
constexpr nanoseconds kPollIntervalFirst = std::chrono::milliseconds(5);
constexpr nanoseconds kPollIntervalMax = std::chrono::milliseconds(200);
constexpr std::size_t kLeavesMax = 1'000'000;

class Comparison {
 public:
  Comparison(const PoolId& pool, const std::vector<VerifyParticipant>& participants, VerifyChannel& channel,
             Random& random, const VerifyOptions& options)
      : pool_(pool), channel_(channel), options_(options), session_(random.Octets(kSessionBytes)) {
    for (const VerifyParticipant& participant : participants) {
      Party& party = parties_.emplace_back();
      party.region = participant.region;
      party.problem = participant.problem;
      report_.regions.push_back({.region = participant.region, .problem = participant.problem});
    }
  }

  std::optional<VerifyReport> Run() {
    for (int attempt = 1; attempt <= options_.attempts && !given_up_; ++attempt) {
      if (Pin() && RollForward(attempt == options_.attempts)) break;
    }
    if (GoesOn()) Hash();
    if (GoesOn()) Compare();
    EndSessions();
    if (given_up_) return std::nullopt;
    report_.phase = Phase::kDone;
    return std::move(report_);
  }

 private:
  struct Party {
    Region region;
    // Not empty: it takes part no more.
    std::string problem;
    bool has_session = false;
    storage::pb::Head head;
    State state = pb::VerifyAnswer::STATE_UNSPECIFIED;
    TreeLeaves leaves;
    // Of a span that is listed: what has come and is not compared yet, and where it goes on.
    std::deque<std::pair<Bytes, Bytes>> records;
    std::optional<Bytes> next;
  };

  VerifyReport::RegionResult& ResultOf(const Party& party) {
    return report_.regions[static_cast<std::size_t>(&party - parties_.data())];
  }
  std::vector<Party*> Taking() {
    std::vector<Party*> taking;
    for (Party& party : parties_) {
      if (party.problem.empty()) taking.push_back(&party);
    }
    return taking;
  }
  // Somebody wants to know, and there are two to compare.
  bool GoesOn() { return !given_up_ && Taking().size() >= 2; }
  void Drop(Party& party, std::string problem) {
    party.problem = problem;
    ResultOf(party).problem = std::move(problem);
    ResultOf(party).compared = false;
  }
  void Tell(Phase phase) {
    report_.phase = phase;
    channel_.OnProgress(report_);
  }
  bool Pause(nanoseconds time) {
    given_up_ = given_up_ || !channel_.Pause(time);
    return !given_up_;
  }

  // nullopt: the party is dropped, or the comparison given up.
  std::optional<pb::VerifyAnswer> Ask(Party& party, pb::VerifyRequest request) {
    request.set_session(session_);
    const nanoseconds until = channel_.SinceBoot() + options_.patience;
    while (true) {
      const auto answered = channel_.Ask(party.region, request);
      pb::VerifyAnswer answer;
      if (answered && answer.ParseFromString(*answered)) return answer;
      const bool again = !answered && answered.error().code == ControlErrorCode::kUnavailable;
      if (!again || channel_.SinceBoot() >= until) {
        Drop(party, answered ? "its answer is not understood" : answered.error().detail);
        return std::nullopt;
      }
      if (!Pause(kRetryInterval)) return std::nullopt;
    }
  }

  // Everybody pins what it has; the newest of it is where they are compared. False: given up.
  bool Pin() {
    Tell(Phase::kPinning);
    const storage::pb::Head* newest = nullptr;
    for (Party* party : Taking()) {
      pb::VerifyRequest request;
      request.mutable_begin()->set_pool(pool_.value());
      const auto answer = Ask(*party, request);
      if (given_up_) return false;
      if (!answer) continue;
      party->has_session = true;
      party->head = answer->pinned().head();
      ResultOf(*party).records = 0;
      ResultOf(*party).records_expected = answer->pinned().records();
      if (newest == nullptr || IsNewer(party->head, *newest)) newest = &party->head;
    }
    if (newest != nullptr) position_ = *newest;
    return true;
  }

  static bool IsNewer(const storage::pb::Head& a, const storage::pb::Head& b) {
    const int order = storage::CompareEpochs(a.epoch(), b.epoch());
    return order != 0 ? order > 0 : a.sequence() > b.sequence();
  }

  // False: pin again. `last`: whoever would have to is left out.
  bool RollForward(bool last) {
    Tell(Phase::kRollingForward);
    pb::VerifyRequest request;
    *request.mutable_roll_forward()->mutable_position() = position_;
    for (Party* party : Taking()) Ask(*party, request);
    if (!AwaitState(pb::VerifyAnswer::READY)) return false;
    bool again = false;
    for (Party* party : Taking()) {
      if (party->state != pb::VerifyAnswer::PIN_ANEW) continue;
      if (last) {
        Drop(*party, "its log did not reach the position at which the others are");
      } else {
        again = true;
      }
    }
    return !again;
  }

  void Hash() {
    std::uint64_t records = 0;
    for (Party* party : Taking()) records = std::max(records, ResultOf(*party).records_expected);
    pb::VerifyRequest request;
    request.mutable_hash()->set_leaf_bits(static_cast<std::uint32_t>(LeafBitsFor(records)));
    request.mutable_hash()->set_records_per_second(options_.records_per_second);
    for (Party* party : Taking()) Ask(*party, request);
    Tell(Phase::kHashing);
    if (!AwaitState(pb::VerifyAnswer::HASHED) || !GoesOn()) return;
    for (Party* party : Taking()) FetchLeaves(*party);
  }

  // Until no party is on the way to it. False: given up.
  bool AwaitState(State wanted) {
    nanoseconds interval = kPollIntervalFirst;
    while (!given_up_) {
      bool waits = false;
      for (Party* party : Taking()) {
        pb::VerifyRequest request;
        request.mutable_progress();
        const auto answer = Ask(*party, request);
        if (given_up_) return false;
        if (!answer) continue;
        party->state = answer->progress().state();
        ResultOf(*party).records = answer->progress().records();
        if (party->state == pb::VerifyAnswer::OTHER_HISTORY) {
          Drop(*party, "its history is another one: it has entries that the others do not have, or lacks an epoch");
        } else if (party->state == pb::VerifyAnswer::FAILED) {
          Drop(*party, answer->progress().detail());
        } else if (party->state != wanted && party->state != pb::VerifyAnswer::PIN_ANEW) {
          waits = true;
        }
      }
      Tell(report_.phase);
      if (!waits || !GoesOn()) return !given_up_;
      Pause(interval);
      interval = std::min(2 * interval, kPollIntervalMax);
    }
    return false;
  }

  void FetchLeaves(Party& party) {
    TreeLeaves leaves;
    while (true) {
      pb::VerifyRequest request;
      request.mutable_leaves()->set_first(leaves.size());
      const auto answer = Ask(party, request);
      if (!answer) return;
      const pb::VerifyAnswer::Leaves& page = answer->leaves();
      for (const pb::VerifyAnswer::Leaf& leaf : page.leaves()) {
        leaves.push_back({.last_key = leaf.last_key(), .records = leaf.records(), .digest = leaf.digest()});
      }
      if (page.complete()) break;
      if (page.leaves().empty() || leaves.size() > kLeavesMax) return Drop(party, "its answer is not understood");
    }
    if (!WellFormed(leaves)) return Drop(party, "its answer is not understood");
    party.leaves = std::move(leaves);
    VerifyReport::RegionResult& result = ResultOf(party);
    result.compared = true;
    result.root = TreeRoot(party.leaves);
    result.records = 0;
    for (const TreeLeaf& leaf : party.leaves) result.records += leaf.records;
    result.records_expected = result.records;
  }

  void Compare() {
    const std::vector<Party*> taking = Taking();
    report_.position.emplace();
    *report_.position->mutable_epoch() = position_.epoch();
    report_.position->set_sequence(position_.sequence());
    Tell(Phase::kComparing);
    std::vector<KeySpan> spans;
    for (std::size_t i = 1; i < taking.size(); ++i) {
      spans = JoinSpans(std::move(spans), DifferingSpans(taking[0]->leaves, taking[i]->leaves));
    }
    for (const KeySpan& span : spans) {
      if (!NameDifferences(span)) break;
    }
  }

  // False: no more can, or need, be named.
  bool NameDifferences(const KeySpan& span) {
    const std::vector<Party*> taking = Taking();
    for (Party* party : taking) {
      party->records.clear();
      party->next = span.after;
    }
    while (true) {
      for (Party* party : taking) {
        if (!FillUp(*party, span)) {
          report_.differences_complete = false;
          return false;
        }
      }
      const Bytes* key = nullptr;
      for (const Party* party : taking) {
        if (party->records.empty()) continue;
        if (key == nullptr || party->records.front().first < *key) key = &party->records.front().first;
      }
      if (key == nullptr) return true;
      if (!TakeRecord(Bytes(*key), taking)) return false;
    }
  }

  // Until a record of the party is here, or it has no more. False: it cannot be told.
  bool FillUp(Party& party, const KeySpan& span) {
    while (party.records.empty() && party.next) {
      pb::VerifyRequest request;
      request.mutable_records()->set_after(*party.next);
      request.mutable_records()->set_through(span.through);
      const VerifyReport::RegionResult before = ResultOf(party);
      const auto answer = Ask(party, request);
      if (!answer) {
        // That it differs, or not, is known all the same.
        const std::string problem = "what differs cannot be named: " + ResultOf(party).problem;
        ResultOf(party) = before;
        ResultOf(party).problem = problem;
        return false;
      }
      for (const pb::VerifyAnswer::Record& record : answer->records().records()) {
        party.records.emplace_back(record.key(), record.digest());
      }
      const bool goes_on = answer->records().has_next() && answer->records().next() > *party.next;
      party.next = goes_on ? std::optional(answer->records().next()) : std::nullopt;
    }
    return true;
  }

  // The next record, which some of them have. False: enough differences are known.
  bool TakeRecord(const Bytes& key, const std::vector<Party*>& taking) {
    VerifyReport::Difference difference{.key = key, .digests = {}};
    for (Party* party : taking) {
      std::optional<Bytes>& digest = difference.digests[party->region];
      if (party->records.empty() || party->records.front().first != key) continue;
      digest = std::move(party->records.front().second);
      party->records.pop_front();
    }
    const std::optional<Bytes>& first = difference.digests.begin()->second;
    const bool differs =
        std::ranges::any_of(difference.digests, [&](const auto& entry) { return entry.second != first; });
    if (!differs) return true;
    ++report_.difference_count;
    if (report_.differences.size() < options_.differences_named) report_.differences.push_back(std::move(difference));
    if (report_.difference_count < options_.differences_counted) return true;
    report_.differences_complete = false;
    return false;
  }

  // Once each: who does not answer forgets it by itself.
  void EndSessions() {
    for (const Party& party : parties_) {
      if (!party.has_session) continue;
      pb::VerifyRequest request;
      request.set_session(session_);
      request.mutable_end();
      (void)channel_.Ask(party.region, request);
    }
  }

  const PoolId pool_;
  VerifyChannel& channel_;
  const VerifyOptions& options_;
  const Bytes session_;
  // As many as the report has, in the same order.
  std::vector<Party> parties_;
  storage::pb::Head position_;
  bool given_up_ = false;
  VerifyReport report_;
};

}  // namespace

VerifyOutcome VerifyReport::outcome() const {
  std::optional<Bytes> root;
  bool all = true;
  for (const RegionResult& region : regions) {
    all = all && region.compared;
    if (!region.compared) continue;
    if (root && *root != region.root) return VerifyOutcome::kDiffering;
    root = region.root;
  }
  return all && position ? VerifyOutcome::kEqual : VerifyOutcome::kIncomplete;
}

std::optional<VerifyReport> Verify(const PoolId& pool, const std::vector<VerifyParticipant>& participants,
                                   VerifyChannel& channel, Random& random, const VerifyOptions& options) {
  return Comparison(pool, participants, channel, random, options).Run();
}

}  // namespace symbolon::replication
