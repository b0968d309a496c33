#include "cli/key_switch.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "cli/api_call.h"
#include "cli/region_apis.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

// Longer than the server's own waits.
constexpr std::chrono::seconds kTimeout(30);
constexpr std::chrono::milliseconds kPollInterval(250);
// The lock comes within keys.recheck_interval and a time-out; what takes longer is worth knowing.
constexpr std::chrono::seconds kSeenLimit(30);
constexpr std::string_view kNoPool = "ResourceNotFoundException", kNoKey = "NotFoundException";

json::object Parse(std::string_view text) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  return error || !parsed.is_object() ? json::object() : std::move(parsed.get_object());
}

std::string TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : "";
}
json::array ArrayOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_array() ? value->get_array() : json::array();
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return text;
}

struct Wanted {
  std::string_view operation;
  // Of the pool.
  std::string_view state;
  std::string_view done;
  std::string_view verb;
  std::string (*how_else)(const std::string& arn, const std::string& region);
};
constexpr Wanted kWithdrawn{"DisableKey", "LOCKED", "disabled", "withdraw", &HowToDisable};
constexpr Wanted kRestored{"EnableKey", "OPEN", "enabled", "restore", &HowToEnable};

std::string Request(const std::string& pool, bool only_here) {
  return json::serialize(json::object{{"UserPoolId", pool}, {"OnlyHere", only_here}});
}

// What the Regions say of the pool's keys, as it comes. Thread-safe.
class Descriptions {
 public:
  explicit Descriptions(std::size_t asked) : open_(asked) {}

  void Add(const ApiAnswer& answer) {
    std::lock_guard guard(mutex_);
    --open_;
    if (answer.ok()) {
      said_.push_back(answer.body);
    } else {
      complaint_ = answer.Complaint();
    }
    changed_.notify_all();
  }
  // Blocks until there is one of this number, or there will be none: null.
  const std::string* At(std::size_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return number < said_.size() || open_ == 0; });
    return number < said_.size() ? &said_[number] : nullptr;
  }
  // Of a Region that says nothing.
  std::string Complaint() {
    std::lock_guard guard(mutex_);
    return complaint_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_;
  // Grows only: its elements stay where they are.
  std::deque<std::string> said_;
  std::string complaint_;
};

class Switching {
 public:
  Switching(const KeysFlags& flags, const Wanted& wanted, std::vector<ApiAccess> apis, Clock& clock)
      : pool_(flags.pool), wanted_(wanted), apis_(std::move(apis)), clock_(clock), descriptions_(apis_.size()) {}

  CliResult<void> Run() {
    std::vector<char> done(apis_.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < apis_.size(); ++i) {
        threads.emplace_back([this, i] { descriptions_.Add(Describe(apis_[i], false)); });
        threads.emplace_back([this, i, &done] { done[i] = SwitchRegion(apis_[i]); });
      }
    }
    if (descriptions_.At(0) == nullptr) return Fail(descriptions_.Complaint());
    if (&wanted_ == &kWithdrawn) TellFormerKeys();
    if (std::ranges::all_of(done, [](char each) { return each != 0; })) return {};
    return Fail(fmt::format("the key is not {} everywhere", wanted_.done));
  }

 private:
  ApiAnswer Describe(const ApiAccess& api, bool only_here) {
    return ApiConnection(api, clock_)
        .Call(std::string(kOwnPrefix) + "DescribeUserPoolKey", Request(pool_, only_here), kTimeout);
  }
  ApiAnswer Switch(const ApiAccess& api, const std::string& arn) {
    return ApiConnection(api, clock_)
        .Call(std::string(kKmsPrefix) + std::string(wanted_.operation), json::serialize(json::object{{"KeyId", arn}}),
              kTimeout);
  }

  // All that is to be done in one Region; false: it is not done. What the Region itself says of its key counts, and is
  // waited for first; what the others say may name more.
  bool SwitchRegion(const ApiAccess& api) {
    const ApiAnswer own = Describe(api, true);
    if (own.status == 0) return SayItIsSilent(api, own);
    std::set<std::string> tried;
    bool done = own.ok() || own.error == kNoPool;
    if (own.ok()) {
      const std::string arn = TextOf(Parse(own.body), "KmsKeyArn");
      tried.insert(arn);
      done = SwitchOwn(api, arn);
    }
    bool some = false;
    std::size_t number = 0;
    for (const std::string* said = descriptions_.At(0); said != nullptr; said = descriptions_.At(++number)) {
      for (const std::string& arn : KeysThatOpen(*said, api.region)) {
        if (!tried.insert(arn).second) continue;
        const ApiAnswer answer = Switch(api, arn);
        // A key need not be in every Region.
        if (answer.error == kNoKey) continue;
        done = done && answer.ok();
        some = true;
        Say(api, answer.ok() ? fmt::format("{} is {}{}", arn, wanted_.done,
                                           own.ok() ? " as well" : "; there is no replica of the pool")
                             : fmt::format("{} is not {}: {}", arn, wanted_.done, answer.Complaint()));
      }
    }
    const bool has_no_pool = own.error == kNoPool;
    if (has_no_pool && number > 0 && !some) {
      Say(api, fmt::format("there is neither a replica of the pool nor its key: nothing to {}", wanted_.verb));
    }
    if (!own.ok() && !has_no_pool) Say(api, "how the pool stands is not known: " + own.Complaint());
    return own.ok() ? IsStillTheKey(api, tried) && done : done;
  }

  bool SayItIsSilent(const ApiAccess& api, const ApiAnswer& answer) {
    const std::string* said = descriptions_.At(0);
    const std::vector<std::string> keys =
        said == nullptr ? std::vector<std::string>() : KeysThatOpen(*said, api.region);
    Say(api, fmt::format("{} is not {}: the Region does not answer ({})", keys.empty() ? "the key" : keys.front(),
                         wanted_.done, answer.message));
    return false;
  }

  bool SwitchOwn(const ApiAccess& api, const std::string& arn) {
    if (arn.empty()) {
      Say(api, fmt::format("the pool is under the service's own key, which nobody can {}", wanted_.verb));
      return false;
    }
    const ApiAnswer answer = Switch(api, arn);
    if (!answer.ok()) {
      Say(api, fmt::format("{} is not {}: {}{}", arn, wanted_.done, answer.Complaint(),
                           answer.error == kNoKey ? wanted_.how_else(arn, api.region) : ""));
      return false;
    }
    const auto [said, seen] = AwaitState(api);
    Say(api, fmt::format("{} is {}; {}", arn, wanted_.done, said));
    return seen;
  }

  // What to say of the pool's state there, and whether it is as it is to be.
  std::pair<std::string, bool> AwaitState(const ApiAccess& api) {
    const auto since = clock_.SinceBoot();
    std::string seen = "not known";
    while (clock_.SinceBoot() - since < kSeenLimit) {
      const ApiAnswer answer = Describe(api, true);
      if (answer.ok()) {
        const json::array regions = ArrayOf(Parse(answer.body), "Regions");
        if (!regions.empty() && regions.front().is_object()) seen = TextOf(regions.front().get_object(), "State");
        const std::chrono::duration<double> took = clock_.SinceBoot() - since;
        if (seen == wanted_.state)
          return {fmt::format("the pool was {} after {:.1f} s", Lower(seen), took.count()), true};
      } else if (answer.error == kNoPool) {
        return {"there is no replica of the pool any more", true};
      } else {
        seen = answer.Complaint();
      }
      std::this_thread::sleep_for(kPollInterval);
    }
    return {fmt::format("the pool is still {}", Lower(seen)), false};
  }

  // A change that was under way may have been taken since.
  bool IsStillTheKey(const ApiAccess& api, const std::set<std::string>& tried) {
    const ApiAnswer now = Describe(api, true);
    const std::string arn = TextOf(Parse(now.body), "KmsKeyArn");
    if (now.error == kNoPool || (now.ok() && tried.contains(arn))) return true;
    Say(api, now.ok() ? fmt::format("the pool's key has become {} meanwhile: do it again", arn)
                      : "whether the key is still the pool's is not known: " + now.Complaint());
    return false;
  }

  // They open nothing that the service has in use, so that nobody is locked by disabling them.
  void TellFormerKeys() {
    std::set<std::string> told;
    std::size_t number = 0;
    for (const std::string* said = descriptions_.At(0); said != nullptr; said = descriptions_.At(++number)) {
      for (const json::value& arn : ArrayOf(Parse(*said), "FormerKmsKeyArns")) {
        if (!arn.is_string() || !told.emplace(std::string_view(arn.get_string())).second) continue;
        fmt::print(
            "{} was the pool's key before: it opens copies of the data_dirs, and of their logs, from then. Disable it "
            "too, unless others need it.\n",
            std::string_view(arn.get_string()));
      }
    }
  }

  void Say(const ApiAccess& api, const std::string& what) {
    std::lock_guard guard(saying_);
    fmt::print("{}: {}\n", api.region, what);
    std::fflush(stdout);
  }

  const std::string pool_;
  const Wanted& wanted_;
  const std::vector<ApiAccess> apis_;
  Clock& clock_;
  Descriptions descriptions_;
  std::mutex saying_;
};

CliResult<void> SwitchKey(const KeysFlags& flags, const Wanted& wanted, Clock& clock) {
  SYMBOLON_TRY(std::vector<ApiAccess> apis, FindRegionApis(flags.dir, flags.endpoints));
  return Switching(flags, wanted, std::move(apis), clock).Run();
}

std::string HowElse(const std::string& arn, const std::string& region, std::string_view of_hsm,
                    std::string_view command) {
  if (arn.contains(":key/hsm-")) return fmt::format(" (a key of an HSM: {})", of_hsm);
  return fmt::format(
      " (it is kept in another key service, if it is not deleted: there it has to be done, in AWS KMS by aws kms {} "
      "--region {} --key-id {})",
      command, region, arn);
}

}  // namespace

std::vector<std::string> KeysThatOpen(std::string_view description, const std::string& region) {
  const json::object key = Parse(description);
  const std::string of_pool = key.contains("PoolKmsKeyArn") ? TextOf(key, "PoolKmsKeyArn") : TextOf(key, "KmsKeyArn");
  std::string own = KmsKeyArnIn(of_pool, region);
  std::vector<std::string> candidates{of_pool, TextOf(key, "KmsKeyArn"), TextOf(key, "OfferedKmsKeyArn")};
  for (const json::value& each : ArrayOf(key, "Regions")) {
    if (!each.is_object()) continue;
    std::string arn = TextOf(each.get_object(), "KmsKeyArn");
    if (arn.empty()) continue;
    if (TextOf(each.get_object(), "Region") == region) own = arn;
    candidates.push_back(std::move(arn));
  }
  std::vector<std::string> keys;
  if (!own.empty()) keys.push_back(own);
  for (const std::string& candidate : candidates) {
    std::string arn = KmsKeyArnIn(candidate, region);
    const bool may_be_here = arn == candidate || arn.contains(":key/mrk-");
    if (!arn.empty() && may_be_here && std::ranges::find(keys, arn) == keys.end()) keys.push_back(std::move(arn));
  }
  return keys;
}

std::string HowToDisable(const std::string& arn, const std::string& region) {
  return HowElse(arn, region, "set CKA_DECRYPT to false in the token, or take the token out", "disable-key");
}
std::string HowToEnable(const std::string& arn, const std::string& region) {
  return HowElse(arn, region, "set CKA_DECRYPT to true in the token, or put the token back", "enable-key");
}

CliResult<void> WithdrawKey(const KeysFlags& flags, Clock& clock) { return SwitchKey(flags, kWithdrawn, clock); }
CliResult<void> RestoreKey(const KeysFlags& flags, Clock& clock) { return SwitchKey(flags, kRestored, clock); }

}  // namespace symbolon::cli
