// This Region's part in an authority (replication protocol §4): it keeps the Region's lease, reads the registers, and
// changes those of pools that the machine asks it to.
//
// Pure, as the machine whose part it is: told the time, it has no clock; it calls Registers, and is called back on the
// machine's thread. Not thread-safe; the WriteLease that it sets is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "replication/registers.h"
#include "replication/write_lease.h"

namespace symbolon::replication {

struct AuthorityOptions {
  // How long a lease lasts, and how much earlier its holder stops.
  std::chrono::seconds lease{10};
  std::chrono::nanoseconds margin = std::chrono::seconds(2);
  // A lease is taken anew, and registers are read, so often; and so soon again after a failure.
  std::chrono::nanoseconds renew_interval = std::chrono::milliseconds(2'500);
  std::chrono::nanoseconds read_interval = std::chrono::seconds(1);
  std::chrono::nanoseconds retry_interval = std::chrono::milliseconds(200);
  // An ACTIVE secondary takes a pool over whose primary's lease is gone for so long.
  bool automatic_promotion = false;
  std::chrono::nanoseconds automatic_promotion_after = std::chrono::seconds(10);
  // Whoever did is not replaced so by another for so long, whatever becomes of it. Goes into the register.
  std::chrono::seconds automatic_promotion_tenure = std::chrono::minutes(10);
};

// For whoever asks about a pool of which that is so.
inline constexpr std::string_view kUnreadableRegister =
    "what lies in the authority's register of the pool is none: nobody changes the pool until that key is removed";

class Authority {
 public:
  struct Known {
    // 0: there is no register.
    Revision revision = 0;
    pb::Register value;
    // RegisterNews::Entry::octets.
    Bytes octets;
    // When its epoch was seen first.
    std::chrono::nanoseconds seen_at{};
    // RegisterNews::Entry::unreadable.
    bool unreadable = false;
  };
  enum class Swapped {
    kDone,
    // The register, or a lease, is not as it was known.
    kChanged,
    // Not known.
    kUnavailable,
  };

  // What is called when a pool's register has changed, and for all pools when a lease has begun or ended.
  struct Events {
    std::function<void(const PoolId&, Instant)> on_register;
    std::function<void(Instant)> on_lease;
  };
  // `session`: a random name of this process. What is referred to outlives this object.
  Authority(const AuthorityOptions& options, Holder self, Bytes session, Registers& registers, WriteLease& lease,
            Events events);

  void OnTick(Instant now);
  // Reads at the next tick: somebody waits for a change.
  void Hurry() { hurry_ = true; }

  // Registers have been read since this Region's lease began, and the lease stood at the last input.
  bool informed() const { return informed_; }
  bool live() const { return live_; }
  // The lease stands now.
  bool Covers(Instant now) const { return informed_ && now.since_boot < deadline_; }
  // By Instant::since_boot.
  std::chrono::nanoseconds deadline() const { return deadline_; }
  // They were read so recently that the majority can be taken to be in reach.
  bool InReach(Instant now) const;
  // The cluster that answered; 0: none has.
  std::uint64_t cluster() const { return cluster_; }
  // How often another cluster, or an older state of it, was found.
  std::uint64_t setbacks() const { return setbacks_; }
  const std::string& problem() const { return problem_; }

  const Known& Find(const PoolId& pool) const;
  bool IsOwn(const pb::Register& value) const;
  // The register is free for the next epoch: there is none, it is this Region's own, it is released, or its owner's
  // lease is gone.
  bool IsFree(const Known& known) const;
  // Since when the lease of the register's owner is seen to be gone, or the register to be released; nullopt: it
  // stands.
  std::optional<std::chrono::nanoseconds> GoneSince(const Known& known) const;
  // Of an owner that took the pool over by itself: since when this Region knows, and when its tenure ends, counted from
  // then, so not before it does. By Instant::since_boot; nullopt: it has none.
  struct Tenure {
    std::chrono::nanoseconds seen_at{};
    std::chrono::nanoseconds ends_at{};
  };
  static std::optional<Tenure> TenureOf(const Known& known);

  // Changes the register from what is known of it, if it is still free then. One at a time for each pool. When that
  // fails the registers are read, and on_register is called then, whether this one has changed or not.
  void Swap(const PoolId& pool, pb::Register value, std::move_only_function<void(Swapped, Instant)> done);
  bool swapping(const PoolId& pool) const { return swapping_.contains(pool); }

  // Whether writes of the pool are admitted while the lease stands: as the epoch with this counter.
  void Admit(const PoolId& pool, std::uint64_t epoch_counter) { lease_.Admit(pool, epoch_counter); }
  void Deny(const PoolId& pool) { lease_.Deny(pool); }

  const AuthorityOptions& options() const { return options_; }
  struct Counters {
    std::uint64_t renewals = 0;
    std::uint64_t renewals_failed = 0;
    std::uint64_t leases_lost = 0;
    std::uint64_t automatic_promotions = 0;
  };
  Counters counters;

 private:
  void UpdateLive(Instant now);
  void Renew(Instant now);
  void OnHeld(const RegisterResult<Held>& held, std::chrono::nanoseconds sent_at, std::uint64_t setbacks, Instant now);
  void Read(Instant now);
  // What a read was when it began: of all registers, under which lease, and of which revision at least.
  struct Reading {
    bool whole = false;
    std::uint64_t lease_number = 0;
    Revision least = 0;
  };
  void OnRead(RegisterResult<RegisterNews> news, const Reading& reading, Instant now);
  // What was known is not there any more, in these registers: they were set back.
  bool WentBack(const RegisterNews& all) const;
  // `whole`: these are all that there are.
  void Take(RegisterNews news, bool whole, Instant now);
  // Somebody has removed what was no register. The pools.
  std::set<PoolId> ForgetMended(const RegisterNews& all);
  void NoteHolders(std::set<Holder> holders, Instant now);
  // False: it was known.
  bool Learn(RegisterNews::Entry entry, Instant now);
  static Holder OwnerOf(const pb::Register& value);

  const AuthorityOptions options_;
  const Holder self_;
  const Bytes session_;
  Registers& registers_;
  WriteLease& lease_;
  const Events events_;

  bool renewing_ = false;
  bool reading_ = false;
  bool hurry_ = false;
  std::chrono::nanoseconds renew_at_{};
  std::chrono::nanoseconds read_at_{};
  std::chrono::nanoseconds deadline_{};
  // Counts the leases that began after one had ended; 0: none yet in this state of the cluster.
  std::uint64_t lease_number_ = 0;
  // Of the last renewal.
  Revision lease_revision_ = 0;
  bool informed_ = false;
  bool live_ = false;
  std::string problem_ = "the authority has not answered yet";

  std::uint64_t cluster_ = 0;
  // What was asked before the last one is answered for nothing: it was done to what is not there any more, or may have
  // been.
  std::uint64_t setbacks_ = 0;
  Revision read_revision_ = 0;
  // All registers are read the next time, not what is new: a cluster that was set back while it could not be asked may
  // have come past `read_revision_` again since.
  bool whole_ = false;
  std::optional<std::chrono::nanoseconds> read_done_at_;
  // Whose change failed since the registers were read.
  std::set<PoolId> not_swapped_;
  std::map<PoolId, Known> known_;
  std::set<Holder> holders_;
  std::map<Holder, std::chrono::nanoseconds> gone_since_;
  std::set<PoolId> swapping_;
};

}  // namespace symbolon::replication
