// One node of one Region: the composition root of symbolond. Tests start nodes in their own process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "node/config.h"

namespace symbolon::node {

// For the operator: what could not be started, and why.
struct NodeError {
  std::string message;
};

// Serves from Start until Stop. Start and Stop from one thread that is none of the node's.
class Node {
 public:
  // Opens the store and listens; blocks until the node serves. `clock` and `random` must outlive it.
  static Result<std::unique_ptr<Node>, NodeError> Start(Config config, Clock& clock, Random& random);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Accepts no more, lets requests under way finish for up to http.drain_timeout_ms, and closes the store. Idempotent.
  void Stop();

  // Reads users and policies again (Service::ReloadUsers).
  void ReloadUsers();

  // The real ones where the configuration said 0.
  std::uint16_t api_port() const;
  std::uint16_t operations_port() const;

 private:
  class Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// With no node running: writes the root key file anew, protected as the configuration says. It may be without
// protection now, under a passphrase (that of the file, or, if it names none, the configuration's own), or under a CMK
// that a provider of the configuration serves. Blocks.
Result<void, NodeError> ProtectRootKey(const Config& config, const std::filesystem::path& former_passphrase_file,
                                       Clock& clock, Random& random);

// What has to be done once, with no node running, after data_dir was restored from a backup: makes its store another
// one than the store that was backed up (storage/incarnation.h).
Result<void, NodeError> MarkRestored(const Config& config, Random& random);

}  // namespace symbolon::node
