// What the API's port answers: the JSON APIs at "/", the pools' public endpoints, and browsers' preflights.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>

#include "cognito/pipeline.h"
#include "http/message.h"
#include "oauth/endpoints.h"

namespace symbolon::node {

// Thread-safe.
class Api {
 public:
  Api(cognito::Services cognito, oauth::Endpoints::Services oauth) : pipeline_(std::move(cognito)), endpoints_(oauth) {}

  boost::asio::awaitable<http::Response> Handle(http::Request request);
  // Pipeline::HandleForwarded.
  boost::asio::awaitable<replication::ControlResult<http::Response>> HandleForwarded(Region from, PoolId pool,
                                                                                     http::Request request) {
    return pipeline_.HandleForwarded(std::move(from), std::move(pool), std::move(request));
  }
  static std::size_t BodyLimitBytes(const http::Request& head) { return cognito::Pipeline::BodyLimitBytes(head); }

 private:
  cognito::Pipeline pipeline_;
  oauth::Endpoints endpoints_;
};

}  // namespace symbolon::node
