// Whether this node lives and whether it serves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace symbolon::node {

// Thread-safe once all checks are added.
class Health {
 public:
  // nullopt: well; otherwise the reason why the node cannot serve, for the operator. Quick, and never blocks.
  using Check = std::function<std::optional<std::string>()>;

  // `part` names what is checked: "store".
  void AddCheck(std::string part, Check check);

  struct Report {
    // (part, reason); empty: the node serves.
    std::vector<std::pair<std::string, std::string>> reasons;
    bool ready() const { return reasons.empty(); }
    // {"status":"ready"} or {"status":"not ready","reasons":[{"part":"store","reason":"..."}]}
    std::string Json() const;
  };
  Report Readiness() const;

 private:
  std::vector<std::pair<std::string, Check>> checks_;
};

}  // namespace symbolon::node
