#include "key_life/audit_destruction.h"

#include <boost/json.hpp>

namespace symbolon::key_life {

std::string AuditDestruction(audit::Trail* trail, Timestamp now, std::string_view event,
                             const certificate::Order& order, const std::vector<certificate::Unconfirmed>& removed) {
  if (trail == nullptr) return {};
  constexpr const char* kService = "cognito-idp.amazonaws.com";
  boost::json::object parameters{{"userPoolId", order.pool.value()}, {"order", order.id}, {"askedBy", order.asked_by}};
  if (!removed.empty()) {
    boost::json::array regions;
    for (const certificate::Unconfirmed& one : removed) regions.emplace_back(one.region.value());
    parameters["removedRegions"] = std::move(regions);
  }
  const auto recorded = trail->Record({.time = now,
                                       .identity = {.invoked_by = kService},
                                       .source = "symbolon",
                                       .name = std::string(event),
                                       .source_address = kService,
                                       .user_agent = kService,
                                       .request_parameters = boost::json::serialize(parameters),
                                       .key_arns = order.kms_key_arns});
  return recorded ? "" : "It cannot be audited.";
}

}  // namespace symbolon::key_life
