// The messages that would have been delivered, for the lab and tests (docs/configuration.md, [outbox]).
#pragma once

#include "http/message.h"
#include "keys/key_service.h"
#include "storage/store.h"

namespace symbolon::node {

// 200 with a page of messages by the request's query (pool, username, after), 400 for a query that is none, 500 when
// the store fails. Those of pools that are locked are not shown.
http::Response OutboxPage(storage::Store& store, keys::KeyService& keys, const http::Request& request);

}  // namespace symbolon::node
