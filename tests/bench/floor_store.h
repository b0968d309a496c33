// The store of the floors: commits as large as a sign-up's.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace symbolon::bench {

class FloorStore {
 public:
  // A new one in `directory`; nullptr: it does not open, which is said on stderr.
  static std::unique_ptr<FloorStore> Open(const std::string& directory);
  ~FloorStore();

  // `done`: on the committer's thread, when it is durable. Thread-safe.
  void Commit(std::function<void()> done);

 private:
  struct Parts;
  explicit FloorStore(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace symbolon::bench
