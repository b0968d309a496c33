// The pages of the operations port: health, metrics, and what a lab adds.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <string>

#include "http/message.h"
#include "node/health.h"
#include "node/metrics.h"

namespace symbolon::node {

// Thread-safe once all pages are added.
class OperationsPages {
 public:
  // Quick; runs on the connection's thread.
  using Page = std::function<http::Response(const http::Request&)>;

  // Serves /health/live, /health/ready and /metrics. Both must outlive the pages.
  OperationsPages(const Health& health, const Metrics& metrics);

  // GET and HEAD of exactly this path, whatever the query.
  void Add(std::string path, Page page);
  // The same for connections from this machine only; 403 for others.
  void AddForLoopback(std::string path, Page page);

  // An http::Handler.
  boost::asio::awaitable<http::Response> Handle(http::Request request) const;

 private:
  std::map<std::string, Page, std::less<>> pages_;
};

// `json` with status 200 or another, not to be stored by anybody.
http::Response JsonPage(std::string json, int status = 200);

}  // namespace symbolon::node
