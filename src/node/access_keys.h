// The access keys that the configuration names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "http/sigv4.h"
#include "node/config.h"

namespace symbolon::node {

// Immutable and thread-safe.
class ConfiguredAccessKeys final : public http::AccessKeys {
 public:
  explicit ConfiguredAccessKeys(std::vector<AccessKeyConfig> keys) {
    for (AccessKeyConfig& key : keys) secrets_.emplace(std::move(key.id), std::move(key.secret));
  }
  std::optional<Secret> Find(std::string_view access_key_id) const override {
    const auto found = secrets_.find(access_key_id);
    if (found == secrets_.end()) return std::nullopt;
    return found->second.Clone();
  }

 private:
  std::map<std::string, Secret, std::less<>> secrets_;
};

}  // namespace symbolon::node
