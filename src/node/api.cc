#include "node/api.h"

#include "cognito/answer.h"

namespace symbolon::node {

boost::asio::awaitable<http::Response> Api::Handle(http::Request request) {
  if (request.method == "OPTIONS") co_return cognito::Preflight();
  if (request.path() == "/" && request.method == "POST") co_return co_await pipeline_.Handle(std::move(request));
  if (auto response = co_await endpoints_.Handle(request)) co_return *std::move(response);
  co_return http::Response{
      .status = 404, .headers = {{"Content-Type", "application/json"}}, .body = R"({"message":"Not found."})"};
}

}  // namespace symbolon::node
