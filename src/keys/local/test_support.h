// For tests that need a real key provider: one in a directory that goes with it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "crypto/random.h"
#include "keys/local/local_key_provider.h"

namespace symbolon::keys::local {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "symbolon-keys-XXXXXX").string();
    SYMBOLON_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class TestClock final : public Clock {
 public:
  Timestamp Now() override {
    return FromSeconds(1'700'000'000) + std::chrono::floor<std::chrono::microseconds>(elapsed_);
  }
  std::chrono::nanoseconds SinceBoot() override { return elapsed_; }
  void Advance(std::chrono::nanoseconds time) { elapsed_ += time; }

 private:
  std::chrono::nanoseconds elapsed_{};
};

inline constexpr const char* kTestAccount = "000000000000";

inline LocalKeyResult<std::unique_ptr<LocalKeyProvider>> OpenTestProvider(const std::filesystem::path& directory,
                                                                          const Region& region, Clock& clock) {
  return LocalKeyProvider::Open({.directory = directory, .region = region, .account = kTestAccount}, clock,
                                crypto::SystemRandom());
}

}  // namespace symbolon::keys::local
