#include "cli/router_domains.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <tuple>

#include "cli/http_client.h"

namespace symbolon::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kPath = "/domains";
constexpr std::chrono::seconds kTimeout(2);
constexpr int kHttpOk = 200;

std::string Text(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t Integer(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  boost::system::error_code error;
  const auto number = value != nullptr && value->is_number() ? value->to_number<std::int64_t>(error) : std::int64_t{0};
  return error ? 0 : number;
}

const json::object* Object(const json::value* value) { return value == nullptr ? nullptr : value->if_object(); }

struct KnownPool {
  std::int64_t epoch = -1;
  std::int64_t sequence = -1;
  std::optional<RouterDomain> domain;
};
using KnownPools = std::map<std::string, KnownPool>;

// False: it is not understood.
bool AddReport(std::string_view text, KnownPools& pools) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::object* report = error ? nullptr : parsed.if_object();
  const json::value* list = report == nullptr ? nullptr : report->if_contains("Pools");
  if (list == nullptr || !list->is_array()) return false;
  for (const json::value& value : list->get_array()) {
    const json::object* pool = value.if_object();
    if (pool == nullptr || Text(*pool, "UserPoolId").empty()) return false;
    KnownPool said{.epoch = Integer(*pool, "Epoch"), .sequence = Integer(*pool, "Sequence"), .domain = {}};
    if (const std::string name = Text(*pool, "Domain"); !name.empty()) {
      RouterDomain& domain = said.domain.emplace();
      domain.name = name;
      domain.primary = Region(Text(*pool, "PrimaryRegion"));
      if (const json::object* failover = Object(pool->if_contains("Failover"))) {
        domain.failover = RouterDomain::Failover{.secondary = Region(Text(*failover, "SecondaryRegion")),
                                                 .health_check = Text(*failover, "PrimaryRoute53HealthCheckId")};
      }
    }
    KnownPool& known = pools[Text(*pool, "UserPoolId")];
    if (std::tie(said.epoch, said.sequence) > std::tie(known.epoch, known.sequence)) known = std::move(said);
  }
  return true;
}

}  // namespace

CliResult<RouterDomain> ParseRouterDomain(std::string_view text) {
  std::vector<std::string> parts;
  const std::size_t equals = std::min(text.find('='), text.size());
  for (std::string_view rest = text.substr(std::min(equals + 1, text.size()));;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    parts.emplace_back(rest.substr(0, comma));
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
  if (equals == 0 || parts.size() > 3 || std::ranges::any_of(parts, &std::string::empty)) {
    return Fail(fmt::format("\"{}\" is no NAME=PRIMARY[,SECONDARY[,HEALTH_CHECK_ID]]", text));
  }
  RouterDomain domain{.name = std::string(text.substr(0, equals)), .primary = Region(parts[0]), .failover = {}};
  if (parts.size() > 1) {
    domain.failover = RouterDomain::Failover{.secondary = Region(parts[1]),
                                             .health_check = parts.size() > 2 ? parts[2] : std::string(kPrimaryReady)};
  }
  return domain;
}

CliResult<RouterHealthCheck> ParseRouterHealthCheck(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = equals == std::string_view::npos ? equals : text.find('/', equals);
  const std::size_t colon = slash == std::string_view::npos ? slash : text.rfind(':', slash);
  const auto wrong = [text] { return Fail(fmt::format("\"{}\" is no ID=HOST:PORT/PATH", text)); };
  if (colon == std::string_view::npos || equals == 0 || colon <= equals + 1) return wrong();
  RouterHealthCheck check{.id = std::string(text.substr(0, equals)),
                          .host = std::string(text.substr(equals + 1, colon - equals - 1)),
                          .path = std::string(text.substr(slash))};
  const std::string_view port = text.substr(colon + 1, slash - colon - 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), check.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || check.port == 0) return wrong();
  return check;
}

std::vector<DomainReport> AskForDomains(const std::vector<DomainSource>& nodes) {
  std::vector<DomainReport> reports;
  for (const DomainSource& node : nodes) {
    const auto known = std::ranges::find(reports, node.region, &DomainReport::region);
    if (known != reports.end() && known->json) continue;
    const CliResult<HttpAnswer> answer = HttpGet({node.host, node.operations_port}, kPath, kTimeout);
    CliResult<std::string> said = Fail("");
    if (!answer) {
      said = Err(answer.error());
    } else if (answer->status != kHttpOk) {
      said = Fail(fmt::format("{}:{}{}: status {}", node.host, node.operations_port, kPath, answer->status));
    } else {
      said = answer->body;
    }
    if (known != reports.end()) {
      known->json = std::move(said);
    } else {
      reports.push_back({node.region, std::move(said)});
    }
  }
  return reports;
}

CliResult<std::vector<RouterDomain>> DomainsOf(const std::vector<DomainReport>& reports,
                                               const std::vector<RouterDomain>& by_hand, bool partial) {
  KnownPools pools;
  for (const DomainReport& report : reports) {
    if (!report.json && !partial) {
      return Fail(fmt::format("the domains of Region {} are not known: {}", report.region.value(),
                              report.json.error().message));
    }
    if (report.json && !AddReport(*report.json, pools)) {
      return Fail(fmt::format("Region {} tells its domains in words that are not understood", report.region.value()));
    }
  }
  std::vector<RouterDomain> domains = by_hand;
  for (auto& [id, pool] : pools) {
    if (!pool.domain || std::ranges::find(by_hand, pool.domain->name, &RouterDomain::name) != by_hand.end()) continue;
    domains.push_back(*std::move(pool.domain));
  }
  std::ranges::sort(domains, {}, &RouterDomain::name);
  const auto twice = std::ranges::adjacent_find(domains, {}, &RouterDomain::name);
  if (twice != domains.end()) {
    return Fail(fmt::format("two pools have the domain {}, one in {} and one in {}: say with --domain which is meant",
                            twice->name, twice->primary.value(), std::next(twice)->primary.value()));
  }
  return domains;
}

}  // namespace symbolon::cli
