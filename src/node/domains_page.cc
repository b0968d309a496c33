#include "node/domains_page.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "directory/record_types.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

namespace json = boost::json;

constexpr std::size_t kPoolsAtOnce = 1'000;

// The record in clear; nullopt: it is not there.
template <class Message>
storage::StoreResult<std::optional<Message>> Read(const storage::Snapshot& snapshot, const PoolId& pool,
                                                  directory::RecordType type, const std::string& id) {
  SYMBOLON_TRY(
      const auto stored,
      snapshot.Get(
          {.space = storage::Space::kDirectory, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = id}));
  std::optional<Message> message;
  if (stored && !message.emplace().ParseFromString(*stored)) {
    return Err(storage::StoreError{storage::StoreErrorCode::kCorrupt, "a record of pool " + pool.value()});
  }
  return message;
}

storage::StoreResult<std::optional<json::object>> Describe(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const auto role, (Read<replication::pb::RoleRecord>(snapshot, pool, directory::RecordType::kRole, "")));
  SYMBOLON_TRY(const auto head, snapshot.Head(pool));
  if (!role || !head || role->deleted()) return std::nullopt;
  json::object shown{{"UserPoolId", pool.value()},
                     {"PrimaryRegion", replication::LeaderOf(*role).value()},
                     {"Epoch", head->epoch().counter()},
                     {"Sequence", head->sequence()}};
  SYMBOLON_TRY(const auto published,
               (Read<directory::pb::PublicRecord>(snapshot, pool, directory::RecordType::kPublic, "")));
  if (!published || published->domain().empty()) return shown;
  shown["Domain"] = published->domain();
  SYMBOLON_TRY(const auto domain, (Read<directory::pb::DomainRecord>(snapshot, pool, directory::RecordType::kDomain,
                                                                     published->domain())));
  if (domain && domain->has_failover()) {
    shown["Failover"] = {{"SecondaryRegion", domain->failover().secondary_region()},
                         {"PrimaryRoute53HealthCheckId", domain->failover().health_check_id()}};
  }
  return shown;
}

}  // namespace

storage::StoreResult<std::string> DomainsJson(storage::Store& store, const Region& here) {
  const auto snapshot = store.MakeSnapshot();
  json::array shown;
  std::optional<PoolId> after;
  while (true) {
    SYMBOLON_TRY(const std::vector<PoolId> pools, snapshot->Pools(after, kPoolsAtOnce));
    for (const PoolId& pool : pools) {
      SYMBOLON_TRY(auto described, Describe(*snapshot, pool));
      if (described) shown.push_back(*std::move(described));
    }
    if (pools.size() < kPoolsAtOnce) break;
    after = pools.back();
  }
  return json::serialize(json::object{{"Region", here.value()}, {"Pools", std::move(shown)}});
}

}  // namespace symbolon::node
