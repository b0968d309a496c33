// A place outside the Regions that says who may write a pool's directory, as replication sees it: a register per pool
// and a lease per Region's process (replication protocol §4, authority `etcd`). In production an etcd cluster, in the
// simulator a register on virtual time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "replication/authority.pb.h"
#include "replication/options.h"

namespace symbolon::replication {

// Grows with every change, of anything; 0: before the first.
using Revision = std::uint64_t;

// A Region's store.
struct Holder {
  Region region;
  Bytes incarnation;
  auto operator<=>(const Holder&) const = default;
};

// Not reached, not answered in time, or failing: what was asked for may happen still. For the operator's log.
struct RegisterError {
  std::string detail;
};

template <class T>
using RegisterResult = Result<T, RegisterError>;
// A result arrives later, never within the call, on the thread that drives the machine, not after the machine is gone,
// and always within a bounded time.
template <class T>
using RegisterDone = std::move_only_function<void(RegisterResult<T>, Instant)>;

// A lease that stands.
struct Held {
  // Since the last call with this session was answered one stood all the time.
  bool all_the_time = false;
  // Of the change that made it: what others did before is in every register that is read later, or the read is none.
  Revision revision = 0;
};

struct RegisterNews {
  struct Entry {
    PoolId pool;
    // Of its last change.
    Revision revision = 0;
    pb::Register value;
    // The same as it lies there.
    Bytes octets;
    // What lies there is no register: nobody owns the pool, and nobody may take it, until somebody has mended that.
    bool unreadable = false;
  };
  // As of this revision.
  Revision revision = 0;
  // Which cluster says so.
  std::uint64_t cluster = 0;
  // Whose leases have not run out.
  std::set<Holder> holders;
  // Registers that changed after the revision asked for.
  std::vector<Entry> changed;
};

struct RegisterSwap {
  PoolId pool;
  // The register has not changed after this revision; 0: there is none. And it holds this: a cluster that was set back
  // may have come to the same revision by another change.
  Revision expected = 0;
  Bytes expected_octets;
  pb::Register value;
  // Whose lease must have run out.
  std::optional<Holder> gone;
  // Whose lease must stand, under this session.
  Holder self;
  Bytes session;
};

// All reads and changes go through the cluster's majority. Not thread-safe.
class Registers {
 public:
  virtual ~Registers() = default;

  // A new lease for `self`, which runs out `lease` after it was granted and not before, whatever happens to the
  // cluster's leader.
  virtual void Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease, RegisterDone<Held> done) = 0;
  virtual void Read(Revision since, RegisterDone<RegisterNews> done) = 0;
  // Writes the register if all is as expected: the revision of the change. nullopt: something is not.
  virtual void Swap(RegisterSwap swap, RegisterDone<std::optional<Revision>> done) = 0;
};

// The same for whoever drives a machine, who brings answers to its thread. Thread-safe.
template <class T>
using RegisterCallback = std::move_only_function<void(RegisterResult<T>)>;

class RegisterClient {
 public:
  virtual ~RegisterClient() = default;

  // As in Registers, but that answers come on any thread, also within the call. Hold: one at a time.
  virtual void Hold(const Holder& self, const Bytes& session, std::chrono::seconds lease,
                    RegisterCallback<Held> done) = 0;
  virtual void Read(Revision since, RegisterCallback<RegisterNews> done) = 0;
  virtual void Swap(RegisterSwap swap, RegisterCallback<std::optional<Revision>> done) = 0;
  // Ends what is under way; blocks until every answer has been given. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace symbolon::replication
