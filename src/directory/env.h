// What a plan may know beside the directory: the time, what this Region is, and values that are too dear to make twice.
#pragma once

#include <any>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "directory/records.pb.h"

namespace symbolon::directory {

// Constant while the process runs; shared by all requests.
struct RegionSettings {
  Region region;
  std::string account;
  // Base URL of each Region's API, without a slash at the end; what ORIGINAL issuers begin with. Those that are gone
  // are among them.
  std::map<Region, std::string> public_urls;
  // Regions that are gone for good: they still name the issuers of pools that were born there, and nothing else.
  std::set<Region> gone = {};
  // Base URL that every Region serves; what UPDATED issuers begin with.
  std::string neutral_url;
  // Whether codes can be delivered (to the lab's outbox).
  bool can_deliver = false;

  // Whether pools may have a replica there.
  bool IsPartOfDeployment(const Region& other) const { return public_urls.contains(other) && !gone.contains(other); }
};

// `<base URL>/<pool id>` (architecture §4): never changes with roles. ORIGINAL names the Region in which the pool was
// born; nullopt: this Region does not know where that is, and nothing may be issued in another name.
std::optional<std::string> IssuerOf(const RegionSettings& settings, const PoolId& pool, pb::IssuerType type);

// Lives through all attempts at one plan. Not thread-safe.
class Env {
 public:
  Env(Timestamp now, Random& random, const RegionSettings& region) : now_(now), random_(random), region_(region) {}

  // The same in every attempt.
  Timestamp now() const { return now_; }
  Random& random() { return random_; }
  const RegionSettings& region() const { return region_; }

  // Makes a value at the first attempt and remembers it for the next ones: modular exponentiations, new keys, new
  // passwords. `name` must cover everything that the value depends on.
  template <class T, class Make>
  const T& Once(const std::string& name, Make&& make) {
    std::any& slot = remembered_[name];
    if (!slot.has_value()) slot.emplace<T>(make());
    return *std::any_cast<T>(&slot);
  }

 private:
  Timestamp now_;
  Random& random_;
  const RegionSettings& region_;
  std::map<std::string, std::any> remembered_;
};

}  // namespace symbolon::directory
