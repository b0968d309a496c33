// Whether the CMKs in use may still be used, and what follows from the answers.
//
// A question is one Decrypt of one pool's key. What becomes of a key itself holds for all of its pools; what its policy
// says may hold for one. So Tick() asks, for each CMK that is due,
//   about one pool that is open, or, where policies change without a word, up to kPoolsAskedMax: those first that were
//   asked about longest ago;
//   about one that is locked because of the key, and one that is for a reason of its own: if it may be opened again,
//   all that are locked are tried.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "keys/keyring_state.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

// What becomes of the key itself does not depend on the pool; these may.
bool IsOfOnePool(const KeyError& error) {
  return error.code == KeyErrorCode::kAccessDenied || error.code == KeyErrorCode::kInvalidCiphertext;
}

}  // namespace

// What of one CMK's there is to ask about.
struct Keyring::Candidates {
  struct Pool {
    std::int64_t asked_at;
    PoolId pool;
    bool operator<(const Pool& other) const { return asked_at < other.asked_at; }
  };
  std::vector<Pool> serving;
  std::vector<Pool> locked_by_key;
  std::vector<Pool> locked_alone;
  // Not opened yet, or offered.
  std::vector<Pool> others;

  void Add(const PoolId& pool, const Entry& entry, const Cmk& cmk) {
    const bool is_its = entry.cmk.get() == &cmk;
    auto& where = !is_its                      ? others
                  : entry.serves()             ? serving
                  : !entry.locked              ? others
                  : IsOfOnePool(*entry.locked) ? locked_alone
                                               : locked_by_key;
    where.push_back({entry.asked_at, pool});
  }

  // Those that are asked about now.
  std::vector<PoolId> InTurn(std::size_t serving_max) {
    std::vector<PoolId> turn;
    const auto take = [&](std::vector<Pool>& from, std::size_t count) {
      count = std::min(count, from.size());
      std::ranges::partial_sort(from, from.begin() + static_cast<std::ptrdiff_t>(count), std::less<>());
      for (std::size_t i = 0; i < count; ++i) turn.push_back(from[i].pool);
    };
    take(serving, serving_max);
    take(locked_by_key, 1);
    take(locked_alone, 1);
    if (turn.empty()) take(others, 1);
    return turn;
  }
};

void Keyring::Tick() {
  const std::int64_t now = clock_.SinceBoot().count();
  std::map<std::shared_ptr<Cmk>, Candidates> due;
  std::map<std::shared_ptr<Cmk>, std::vector<PoolId>> to_ask, to_open;
  {
    std::lock_guard guard(state_->mutex);
    for (const auto& [arn, cmk] : state_->cmks) {
      const bool is_due = now - cmk->questioned_at >= options_.recheck_interval.count();
      if (is_due && !cmk->lane.questions.IsBusy(arn)) due.try_emplace(cmk);
    }
    for (const auto& [pool, entry] : state_->pools) {
      if (const auto found = due.find(entry.cmk); found != due.end()) found->second.Add(pool, entry, *entry.cmk);
      if (entry.prepared && entry.prepared->cmk != entry.cmk) {
        const auto found = due.find(entry.prepared->cmk);
        if (found != due.end()) found->second.Add(pool, entry, *entry.prepared->cmk);
      }
      if (!entry.locked && entry.opened == Entry::Opened::kCovered) to_open[entry.cmk].push_back(pool);
    }
    for (auto& [cmk, candidates] : due) {
      cmk->questioned_at = now;
      const std::vector<PoolId>& pools = to_ask[cmk] = candidates.InTurn(cmk->pools_asked_max);
      for (const PoolId& pool : pools) state_->pools[pool].asked_at = now;
    }
  }
  for (const auto& [cmk, pools] : to_ask) AddQuestions(cmk, pools);
  for (const auto& [cmk, pools] : to_open) {
    if (!cmk->lane.openings.IsBusy(cmk->arn)) AddOpenings(cmk, pools);
  }
}

void Keyring::WaitUntilAsked() {
  std::vector<Lane*> lanes;
  {
    std::lock_guard guard(state_->mutex);
    for (auto& [provider, lane] : state_->lanes) lanes.push_back(&lane);
  }
  for (Lane* const lane : lanes) {
    lane->questions.WaitUntilIdle();  // They may lead to openings, and not the other way round.
    lane->openings.WaitUntilIdle();
  }
}

void Keyring::AddQuestions(const std::shared_ptr<Cmk>& cmk, const std::vector<PoolId>& pools) {
  std::vector<Turns::Job> jobs;
  for (const PoolId& pool : pools) {
    jobs.emplace_back([this, cmk, pool] {
      switch (AskAbout(cmk, pool)) {
        case Next::kNothing:
          return;
        case Next::kAskTheRest:
          return AddQuestions(cmk, NotAskedYet(*cmk));
        case Next::kOpenLocked:
          // What is under way comes first: the next question tells again.
          if (!cmk->lane.openings.IsBusy(cmk->arn)) AddOpenings(cmk, LockedPoolsOf(*cmk));
          return;
        case Next::kStop:
          cmk->lane.questions.Drop(cmk->arn);
          cmk->lane.openings.Drop(cmk->arn);
          return;
      }
    });
  }
  cmk->lane.questions.Add(cmk->arn, std::move(jobs));
}

void Keyring::AddOpenings(const std::shared_ptr<Cmk>& cmk, const std::vector<PoolId>& pools) {
  std::vector<Turns::Job> jobs;
  for (const PoolId& pool : pools) {
    jobs.emplace_back([this, cmk, pool] {
      if (Reopen(cmk, pool) == Next::kStop) cmk->lane.openings.Drop(cmk->arn);
    });
  }
  cmk->lane.openings.Add(cmk->arn, std::move(jobs));
}

std::vector<PoolId> Keyring::NotAskedYet(const Cmk& cmk) {
  std::vector<PoolId> pools;
  std::lock_guard guard(state_->mutex);
  for (auto& [pool, entry] : state_->pools) {
    if (entry.cmk.get() != &cmk || !entry.serves() || entry.asked_at >= cmk.questioned_at) continue;
    entry.asked_at = cmk.questioned_at;
    pools.push_back(pool);
  }
  return pools;
}

std::vector<PoolId> Keyring::LockedPoolsOf(const Cmk& cmk) const {
  std::vector<PoolId> pools;
  std::lock_guard guard(state_->mutex);
  for (const auto& [pool, entry] : state_->pools) {
    if (entry.cmk.get() == &cmk && entry.locked) pools.push_back(pool);
  }
  return pools;
}

void Keyring::Recheck(const std::string& key_arn) {
  std::shared_ptr<Cmk> cmk;
  Candidates candidates;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->cmks.find(key_arn);
    if (found == state_->cmks.end()) return;
    cmk = found->second;
    for (const auto& [pool, entry] : state_->pools) {
      if (entry.cmk == cmk || (entry.prepared && entry.prepared->cmk == cmk)) candidates.Add(pool, entry, *cmk);
    }
  }
  const std::vector<PoolId> locked = LockedPoolsOf(*cmk);
  // What the key's policy says may depend on the pool: each is asked about.
  std::vector<PoolId> asked;
  for (const Candidates::Pool& serving : candidates.serving) asked.push_back(serving.pool);
  if (asked.empty()) asked = candidates.InTurn(1);
  for (const PoolId& pool : asked) {
    if (AskAbout(cmk, pool) == Next::kStop) return;
  }
  for (const PoolId& pool : locked) {
    if (Reopen(cmk, pool) == Next::kStop) return;
  }
}

Keyring::Next Keyring::AskAbout(const std::shared_ptr<Cmk>& cmk, const PoolId& pool) {
  const std::int64_t asked_at = clock_.SinceBoot().count();
  Bytes wrapped;
  bool opened_before = false;
  std::optional<KeyErrorCode> locked_before;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found == state_->pools.end()) return Next::kNothing;
    const Entry& entry = found->second;
    if (entry.cmk == cmk) {
      wrapped = entry.wrapped;
      opened_before = !entry.locked && entry.opened == Entry::Opened::kYes;
      if (entry.locked) locked_before = entry.locked->code;
    } else if (entry.prepared && entry.prepared->cmk == cmk) {
      wrapped = entry.prepared->record;
    } else {
      return Next::kNothing;
    }
  }
  Cmk::RaiseTo(cmk->asked_at, asked_at);
  const auto answer = ProbePoolKeys(probes_, options_.region, wrapped);
  if (answer) {
    cmk->Confirm(asked_at);
    return locked_before ? Next::kOpenLocked : Next::kNothing;
  }
  switch (answer.error().code) {
    case KeyErrorCode::kAccessDenied:
      Lock(*cmk, answer.error(), &pool);
      if (!locked_before) return Next::kAskTheRest;
      // It was locked because of the key, which is another now: its other pools may be allowed.
      return *locked_before == KeyErrorCode::kAccessDenied ? Next::kNothing : Next::kOpenLocked;
    case KeyErrorCode::kInvalidCiphertext:
      // A record that never opened may be damaged, which says that the key itself may be used. One that did open tells
      // that another key has taken its key's place, as in an HSM it can.
      if (opened_before) break;
      cmk->Confirm(asked_at);
      return Next::kNothing;
    case KeyErrorCode::kUnavailable:
      if (asked_at - cmk->confirmed_at > options_.unreachable_grace.count()) break;
      return Next::kStop;
    case KeyErrorCode::kNotFound:
    case KeyErrorCode::kDisabled:
    case KeyErrorCode::kPendingDeletion:
    case KeyErrorCode::kRemoved:
      break;
  }
  Lock(*cmk, answer.error());
  return Next::kStop;
}

void Keyring::Lock(Cmk& cmk, const KeyError& reason, const PoolId* only) {
  std::vector<PoolId> locked;
  std::vector<std::shared_ptr<const PoolKeys>> wiped;  // Outside the lock: wiping takes time.
  {
    std::lock_guard guard(state_->mutex);
    const auto lock = [&](const PoolId& pool, Entry& entry) {
      const bool is_its = entry.cmk.get() == &cmk;
      if (entry.prepared && (is_its || entry.prepared->cmk.get() == &cmk)) {
        wiped.push_back(entry.prepared->keys);
        entry.prepared.reset();
      }
      if (!is_its) return;
      if (!entry.locked) {
        locked.push_back(pool);
        entry.locked_since = clock_.Now();
      }
      if (entry.keys) entry.keys->Retire();
      wiped.push_back(std::exchange(entry.keys, nullptr));
      entry.opened = Entry::Opened::kAwaited;
      entry.locked = reason;
      ++entry.lockings;
    };
    if (only == nullptr) {
      ++cmk.withdrawals;
      for (auto& [pool, entry] : state_->pools) lock(pool, entry);
    } else if (const auto found = state_->pools.find(*only); found != state_->pools.end()) {
      lock(found->first, found->second);
    }
  }
  if (!locked.empty()) log::Warning("{} pools are locked: {}", locked.size(), reason.detail);
  Tell(locked, true);
}

Keyring::Next Keyring::Reopen(const std::shared_ptr<Cmk>& cmk, const PoolId& pool) {
  Bytes wrapped;
  std::uint64_t withdrawals, lockings;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found == state_->pools.end() || found->second.cmk != cmk) return Next::kNothing;
    const Entry& entry = found->second;
    if (!entry.locked && entry.opened != Entry::Opened::kCovered) return Next::kNothing;
    wrapped = entry.wrapped;
    withdrawals = cmk->withdrawals;
    lockings = entry.lockings;
  }
  const std::int64_t asked_at = clock_.SinceBoot().count();
  auto opened = OpenPoolKeys(provider_, options_.region, pool, wrapped);
  bool reopened = false;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found == state_->pools.end() || found->second.cmk != cmk || found->second.wrapped != wrapped) {
      return Next::kNothing;
    }
    Entry& entry = found->second;
    if (cmk->withdrawals != withdrawals || entry.lockings != lockings) return Next::kNothing;
    if (!entry.locked && entry.opened != Entry::Opened::kCovered) return Next::kNothing;
    if (opened) {
      cmk->Confirm(asked_at);
      if (!entry.locked) {
        Replace(entry, *std::move(opened));
      } else {
        entry.keys = *std::move(opened);
        entry.locked.reset();
        reopened = true;
      }
      entry.opened = Entry::Opened::kYes;
    } else if (entry.locked) {
      entry.locked = opened.error();
    }
  }
  if (reopened) {
    log::Info("pool {} is open again under {}", pool.value(), cmk->arn);
    Tell({pool}, false);
  }
  if (opened) return Next::kNothing;
  switch (opened.error().code) {
    case KeyErrorCode::kAccessDenied:
      Lock(*cmk, opened.error(), &pool);
      return Next::kNothing;
    case KeyErrorCode::kInvalidCiphertext:
      return Next::kNothing;
    case KeyErrorCode::kUnavailable:
      return Next::kStop;
    case KeyErrorCode::kNotFound:
    case KeyErrorCode::kDisabled:
    case KeyErrorCode::kPendingDeletion:
    case KeyErrorCode::kRemoved:
      break;
  }
  Lock(*cmk, opened.error());
  return Next::kStop;
}

void Keyring::Tell(const std::vector<PoolId>& pools, bool locked) const {
  if (!options_.on_change) return;
  for (const PoolId& pool : pools) options_.on_change(pool, locked);
}

}  // namespace symbolon::keys
