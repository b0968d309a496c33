// Everything between a node's store and its ports: keys, directory, sign-in and the APIs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "node/config.h"
#include "node/metrics.h"
#include "node/node.h"
#include "storage/store.h"

namespace symbolon::node {

// Thread-safe once it is open.
class Service {
 public:
  // All of them outlive the service. Blocks (key files).
  static Result<std::unique_ptr<Service>, NodeError> Open(const Config& config, storage::Store& store, Metrics& metrics,
                                                          Clock& clock, Random& random);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Requests to the API's port.
  boost::asio::awaitable<http::Response> HandleApi(http::Request request);
  static std::size_t ApiBodyLimitBytes(const http::Request& head);
  // Reads iam.users_file again. What is wrong with it is logged, and what was in force stays.
  void ReloadUsers();
  // What the operations port shows at /replication: {"Pools": [as DescribeReplication answers, ...]}.
  std::string ReplicationJson();
  // Why keys are not used: the audit trail takes no lines. nullopt: it does.
  std::optional<std::string> AuditTrouble() const;
  // GET /domains: node/domains_page.h.
  http::Response Domains() const;
  // GET /outbox?pool=&username=&after= of the operations port.
  http::Response Outbox(const http::Request& request) const;

 private:
  class Parts;
  explicit Service(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace symbolon::node
