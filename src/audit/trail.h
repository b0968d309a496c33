// A Region's audit trail on disk, as its node writes it: chained lines (line.h) in files of one folder.
//
// Files are named by their first line, and begin with a line that names the file before; they are never rewritten. A
// new one is begun when a file is large or its day (UTC) is over. Checkpoints sign the chain every so many lines or
// seconds, at the end of each file, at start and at stop; the newest one is also kept in a file of its own, so that a
// trail that was cut off behind it is noticed, and in one outside the folder, so that an earlier trail in its place is.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/line.h"
#include "base/clock.h"
#include "crypto/ed25519.h"

namespace symbolon::audit {

// How far a trail is.
struct Head {
  std::string chain;
  ChainEnd end;
  Bytes public_key;
};

// Thread-safe.
//
// When the disk does not take a line, Ready() and Record() fail until it does again, which Tick() finds out; events
// that could not be written are kept and written then. The process that ends meanwhile loses them.
class Trail {
 public:
  struct Options {
    // Made if it is not there. One process works in it.
    std::filesystem::path directory;
    // Holds the newest checkpoint once more, and lies where who alters the trail's folder does not get. Empty: none.
    std::filesystem::path outside_file;
    // A trail that does not go as far as that file says is taken as it is: data was restored.
    bool may_be_earlier = false;
    Region region;
    std::string account;
    std::uint64_t file_bytes_max = 64 << 20;
    std::uint64_t checkpoint_lines = 1'000;
    std::chrono::nanoseconds checkpoint_interval = std::chrono::minutes(1);
  };

  // Goes on with what is there; blocks. What a crash left of its last lines is kept in a file beside it, and noted in
  // the trail. Fails when the trail does not go as far as its newest checkpoint says, in the folder or outside, is
  // signed by another key, or cannot be written. `clock` and `random` outlive the trail.
  static AuditResult<std::unique_ptr<Trail>> Open(Options options, crypto::Ed25519Key key, Clock& clock,
                                                  Random& random);
  // With a last checkpoint.
  ~Trail();
  Trail(const Trail&) = delete;
  Trail& operator=(const Trail&) = delete;

  // Whether what has to be audited may be done now. Quick.
  AuditResult<void> Ready() const;
  // Durable when it succeeds; blocks meanwhile, together with others that come at the same time.
  AuditResult<void> Record(const Event& event);
  // How far another Region's trail was, as it told. As Record(). Nothing is written when it has not moved since.
  AuditResult<void> RecordWitness(const Region& region, const Head& head);

  // The newest durable line.
  Head head() const;
  // To be called about once a second: checkpoints that are due, another try with a disk that failed, and a look whether
  // it would take lines, so that a full one is noticed though nobody records. Blocks.
  void Tick();

  struct Counters {
    // Since the start.
    std::uint64_t lines = 0;
    std::uint64_t write_failures = 0;
    std::uint64_t refusals = 0;
    bool failing = false;
  };
  Counters counters() const;

 private:
  struct State;
  explicit Trail(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace symbolon::audit
