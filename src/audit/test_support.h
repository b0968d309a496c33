// For tests of trails: one in a folder of its own, and what a disk does that fails.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "audit/trail.h"
#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "base/temporary_directory.h"

namespace symbolon::audit {

inline std::string ReadAll(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void WriteAll(const std::filesystem::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

// While it lives, no file of this process grows beyond so many octets: writes fail, in part or whole, as on a full
// disk.
class FullDisk {
 public:
  explicit FullDisk(std::uint64_t file_bytes_max) {
    before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    SYMBOLON_CHECK(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{.rlim_cur = file_bytes_max, .rlim_max = before_.rlim_max};
    SYMBOLON_CHECK(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    SYMBOLON_CHECK(::setrlimit(RLIMIT_FSIZE, &before_) == 0);
    std::signal(SIGXFSZ, before_handler_);
  }

 private:
  rlimit before_{};
  void (*before_handler_)(int) = nullptr;
};

// A trail that is opened, closed and opened again.
struct TestTrail {
  TemporaryDirectory folder;
  const std::filesystem::path directory = folder.path() / "audit";
  crypto::Ed25519Key key = crypto::Ed25519Key::Generate();
  ManualClock clock;
  // Each trail has a chain of its own.
  inline static std::uint64_t trails = 0;
  SeededRandom random{++trails};
  Trail::Options options{.directory = directory, .region = Region("eu-central-1"), .account = "000000000000"};

  AuditResult<std::unique_ptr<Trail>> TryOpen() { return Trail::Open(options, key, clock, random); }
  std::unique_ptr<Trail> Open() {
    auto trail = TryOpen();
    SYMBOLON_CHECK(trail);
    return *std::move(trail);
  }
  Event Use(std::string name, std::string key_arn = "arn:aws:kms:eu-central-1:000000000000:key/1") {
    return {.time = clock.Now(),
            .identity = {.invoked_by = "cognito-idp.amazonaws.com"},
            .name = std::move(name),
            .read_only = true,
            .key_arns = {std::move(key_arn)}};
  }
};

}  // namespace symbolon::audit
