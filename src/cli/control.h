// The door of a running lab: `symbolon lab stop|kill|start|status` talk to `symbolon lab up` through a Unix socket in
// DIR. One packet asks ("kill eu-central-1"), one packet answers. Not thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cli/failure.h"

namespace symbolon::cli {

// Held in DIR while a lab runs there.
inline constexpr const char* kLockName = "lab.lock";

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// One question that was asked and waits for its answer.
class ControlRequest {
 public:
  ControlRequest(Descriptor connection, std::string text)
      : connection_(std::move(connection)), text_(std::move(text)) {}
  const std::string& text() const { return text_; }
  void Answer(bool good, std::string_view text);

 private:
  Descriptor connection_;
  std::string text_;
};

class ControlServer {
 public:
  // Takes the folder for this process alone; fails when another lab runs there.
  static CliResult<ControlServer> Open(const std::filesystem::path& dir);
  ControlServer(ControlServer&&) = default;
  ~ControlServer();

  // Readable when Accept has something.
  int descriptor() const { return socket_.get(); }
  std::optional<ControlRequest> Accept();

 private:
  ControlServer(std::filesystem::path path, Descriptor lock, Descriptor socket)
      : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

  std::filesystem::path path_;  // empty when moved from
  Descriptor lock_;
  Descriptor socket_;
};

// Blocks until the lab in `dir` has done what `request` asks for; its words, or why not.
CliResult<std::string> AskLab(const std::filesystem::path& dir, std::string_view request);

}  // namespace symbolon::cli
