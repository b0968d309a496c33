#include "node/health.h"

#include <boost/json.hpp>

namespace symbolon::node {

void Health::AddCheck(std::string part, Check check) { checks_.emplace_back(std::move(part), std::move(check)); }

Health::Report Health::Readiness() const {
  Report report;
  for (const auto& [part, check] : checks_) {
    if (auto reason = check()) report.reasons.emplace_back(part, *std::move(reason));
  }
  return report;
}

std::string Health::Report::Json() const {
  boost::json::object json;
  json["status"] = ready() ? "ready" : "not ready";
  if (!ready()) {
    boost::json::array& list = json["reasons"].emplace_array();
    for (const auto& [part, reason] : reasons) list.push_back({{"part", part}, {"reason", reason}});
  }
  return boost::json::serialize(json);
}

}  // namespace symbolon::node
