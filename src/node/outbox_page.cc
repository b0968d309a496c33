#include "node/outbox_page.h"

#include <utility>

#include "base/log.h"
#include "delivery/outbox.h"
#include "node/operations.h"
#include "oauth/form.h"

namespace symbolon::node {

http::Response OutboxPage(storage::Store& store, keys::KeyService& keys, const http::Request& request) {
  delivery::OutboxFilter filter;
  auto query = oauth::ParseForm(request.query());
  if (!query) return JsonPage(R"({"message":"The query is not well-formed."})", 400);
  for (auto& [name, value] : *query) {
    if (name == "pool") {
      filter.pool = PoolId(std::move(value));
    } else if (name == "username") {
      filter.username = std::move(value);
    } else if (name == "after") {
      filter.after = std::move(value);
    } else {
      return JsonPage(R"({"message":"Parameters: pool, username, after."})", 400);
    }
  }
  const auto snapshot = store.MakeSnapshot();
  const auto keys_of = [&](const PoolId& pool) { return keys.KeysOf(*snapshot, pool).value_or(nullptr); };
  auto messages = delivery::ReadOutbox(*snapshot, keys_of, filter);
  if (messages) return JsonPage(*std::move(messages));
  if (messages.error().code == delivery::OutboxErrorCode::kBadCursor)
    return JsonPage(R"({"message":"Unknown after."})", 400);
  log::Error("the outbox cannot be read: {}", messages.error().detail);
  return JsonPage(R"({"message":"The outbox cannot be read."})", 500);
}

}  // namespace symbolon::node
