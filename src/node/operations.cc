#include "node/operations.h"

namespace symbolon::node {

OperationsPages::OperationsPages(const Health& health, const Metrics& metrics) {
  Add("/health/live", [](const http::Request&) { return JsonPage(R"({"status":"live"})"); });
  Add("/health/ready", [&health](const http::Request&) {
    const Health::Report report = health.Readiness();
    return JsonPage(report.Json(), report.ready() ? 200 : 503);
  });
  Add("/metrics", [&metrics](const http::Request&) {
    return http::Response{.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                          .body = metrics.Text()};
  });
}

void OperationsPages::Add(std::string path, Page page) { pages_[std::move(path)] = std::move(page); }

void OperationsPages::AddForLoopback(std::string path, Page page) {
  Add(std::move(path), [page = std::move(page)](const http::Request& request) {
    return request.is_loopback ? page(request) : JsonPage(R"({"status":"forbidden"})", 403);
  });
}

boost::asio::awaitable<http::Response> OperationsPages::Handle(http::Request request) const {
  const auto page = pages_.find(request.path());
  if (page == pages_.end()) co_return JsonPage(R"({"status":"not found"})", 404);
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response refusal = JsonPage(R"({"status":"method not allowed"})", 405);
    refusal.headers.Add("Allow", "GET, HEAD");
    co_return refusal;
  }
  co_return page->second(request);
}

http::Response JsonPage(std::string json, int status) {
  json += '\n';
  return http::Response{.status = status,
                        .headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
                        .body = std::move(json)};
}

}  // namespace symbolon::node
