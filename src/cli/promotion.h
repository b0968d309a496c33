// `symbolon replication promote`: another Region becomes the primary of a pool, or of all pools of a Region.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/api_call.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct PromotionFlags {
  // The lab whose Regions are asked, with its access key; or one API, with the environment's.
  std::filesystem::path dir = ".lab";
  std::string endpoint;
  // One pool, or all whose primary is `all_of`: of a lab as its nodes tell, otherwise as the API tells.
  std::string pool;
  std::string all_of;
  std::string to;
  bool force = false;
  bool accept_loss = false;
};

// Blocks until every pool has its new primary or has failed to get it; prints a line for each. Fails with exit status 1
// when the primary has not changed, and with 2 when that is open: the pool is handed over to a Region that is not heard
// to have begun, or nobody answers. Repeating the command is safe then, and tells.
CliResult<void> Promote(const PromotionFlags& flags);

// `symbolon replication suffix`: what Regions keep of the pool that the surviving history does not have; with `name`,
// what is in it, and with `values` the opened records too, as Base64.
struct SuffixFlags {
  std::filesystem::path dir = ".lab";
  std::string endpoint;
  std::string pool;
  // Of the lab; empty: every one that runs.
  std::string region;
  std::string name;
  bool values = false;
};
CliResult<void> ShowSuffixes(const SuffixFlags& flags);

// ---- pure ----

// Pools by id, and whether the Region to which they are to go has a replica of each.
using LedPools = std::map<std::string, bool>;
// The pools that `region` leads, by what nodes answered to GET /replication: of each pool whoever knows the highest
// epoch. nullopt: none of it is an answer.
std::optional<LedPools> PoolsLedBy(const std::vector<std::string>& reports, std::string_view region,
                                   std::string_view to);
// What a PromoteUserPoolReplica answer says, for people.
std::string DescribePromotion(std::string_view json);
// What is to be said of writes after a promotion by force, of its answer and of what DescribeReplication says then:
// that the pool's durability asks for replicas, and none is left. Empty: there is nothing to say.
std::string DescribeHeldWrites(std::string_view promoted, std::string_view replication);
// What to do after an error.
Failure DescribeNotPromoted(const PromotionFlags& flags, const std::string& pool, const ApiAnswer& answer);

}  // namespace symbolon::cli
