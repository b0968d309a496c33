// What requests and writes of the JSON APIs have to do with other Regions' positions (replication protocol §6, §7).
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cognito/services.h"
#include "http/message.h"
#include "model/api_error.h"
#include "replication/durable_commits.h"
#include "replication/position.h"

namespace symbolon::cognito {

// Waits until this Region has come past the position, or never will, or `limit` is over.
boost::asio::awaitable<replication::Passage> AwaitPassage(const Services& services,
                                                          const replication::PoolPosition& wanted,
                                                          std::chrono::milliseconds limit);

// Waits, bounded by `services.position_wait`, until this Region has come past the position in the request's
// x-symbolon-position, if there is one. ReplicaBehindException: it has not, try again; WriteSetAsideException: it never
// will.
boost::asio::awaitable<model::ApiResult<void>> AwaitPosition(const Services& services, const http::Request& request);

// Nothing was committed, and the plan may be made again on what has changed meanwhile.
bool IsConflict(const replication::CommitError& error);
model::ApiError ToApiError(const replication::CommitError& error, const PoolId& pool, const Region& here);

}  // namespace symbolon::cognito
