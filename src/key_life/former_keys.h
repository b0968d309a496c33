// Private to this module: the search, in all Regions, for what former data keys are still needed for. Done in slices,
// so that a large pool does not hold others up.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "key_life/services.h"

namespace symbolon::key_life {

// One pool's search; good as long as its record of wrapped keys and its role are what they were. For one thread.
class FormerKeysSearch {
 public:
  struct Subject {
    PoolId pool;
    // As stored.
    Bytes wrapped;
    Bytes role;
    // The generations that are to go.
    std::set<Bytes> generations;
    // The other Regions, and the position of the log that they must have reached.
    std::vector<Region> members;
    std::uint64_t sequence = 0;
  };
  explicit FormerKeysSearch(Subject subject) : subject_(std::move(subject)) {}

  enum class Outcome {
    // There is more to look at.
    kMore,
    // All is looked at, and only suffixes that were set aside (in_suffixes) need some of the generations.
    kNone,
    // A record here is of one of them.
    kFound,
    // Ask again later, because of problem().
    kWait,
  };
  // Looks at one slice: about kSliceBytes here, or one answer of another Region. Blocks as the store and the Regions
  // do.
  Outcome Step(const Services& services);

  const Subject& subject() const { return subject_; }
  const std::set<Bytes>& in_suffixes() const { return in_suffixes_; }
  const std::string& problem() const { return problem_; }

  static constexpr std::size_t kSliceBytes = 8 << 20;

 private:
  enum class Stage { kRegional, kDirectory, kMembers };

  Outcome LookAtRegional(const Services& services);
  Outcome LookAtDirectory(const Services& services);
  Outcome AskMember(const Services& services);
  Outcome Wait(std::string problem);
  Outcome Fail(const storage::StoreError& error);

  const Subject subject_;
  Stage stage_ = Stage::kRegional;
  std::size_t member_ = 0;
  // In the directory here, or in that of a member.
  Bytes cursor_;
  std::set<Bytes> in_suffixes_;
  std::string problem_;
};

}  // namespace symbolon::key_life
