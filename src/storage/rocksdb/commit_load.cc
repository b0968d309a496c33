// commit_load DIR FIRST HEADROOM: commits to the store in DIR, numbered from FIRST on, until it is killed or a commit
// fails, and prints the number of every commit that succeeded; many are under way at a time. HEADROOM is the engine's,
// in octets.
#include "storage/rocksdb/commit_load.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "storage/local_store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::storage {
namespace {

constexpr int kUnderWay = 24;

class Load {
 public:
  Load(Store& store, std::uint64_t first) : store_(store), next_(first) {}

  // Does not return: the process is killed, or ends with the first commit that fails.
  [[noreturn]] void Run() {
    for (int i = 0; i < kUnderWay; ++i) SubmitNext();
    for (;;) pause();
  }

 private:
  void SubmitNext() {
    const std::uint64_t number = next_++;
    store_.Submit(MakeLoadCommit(number, !*store_.MakeSnapshot()->Head(kLoadPool)),
                  [this, number](StoreResult<Committed> result) {
                    // Of the commits that would open the epoch one does.
                    if (!result && result.error().code != StoreErrorCode::kNotWriter) return Fail(result.error());
                    if (result) Print(number);
                    SubmitNext();
                  });
  }

  void Print(std::uint64_t number) {
    const std::string line = std::to_string(number) + "\n";
    // One write, so that a kill leaves no half of a line but the last.
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
  }

  static void Fail(const StoreError& error) {
    std::fprintf(stderr, "commit_load: %s\n", error.detail.c_str());
    _exit(1);
  }

  Store& store_;
  // The first commits are submitted while the committer's thread answers some of them already.
  std::atomic<std::uint64_t> next_;
};

int Run(const std::string& directory, std::uint64_t first, std::uint64_t headroom_bytes) {
  RocksDbOptions engine_options;
  engine_options.directory = directory;
  engine_options.headroom_bytes = headroom_bytes;
  auto engine = OpenRocksDb(engine_options);
  if (!engine) {
    std::fprintf(stderr, "commit_load: %s\n", engine.error().detail.c_str());
    return 2;
  }
  LocalStore::Options options;
  options.region = Region("eu-central-1");
  options.clock = &SystemClock();
  options.random = &crypto::SystemRandom();
  auto store = LocalStore::Open(*std::move(engine), options);
  if (!store) {
    std::fprintf(stderr, "commit_load: %s\n", store.error().detail.c_str());
    return 2;
  }
  CommitterThread committer(**store);
  Load(**store, first).Run();
}

}  // namespace
}  // namespace symbolon::storage

int main(int argc, char** argv) {
  const auto number = [&](int index) {
    const std::string_view text = argv[index];
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.begin(), text.end(), value);
    return parsed.ec == std::errc() && parsed.ptr == text.end() ? std::optional(value) : std::nullopt;
  };
  if (argc != 4 || !number(2) || !number(3)) {
    std::fprintf(stderr, "usage: commit_load DIR FIRST HEADROOM\n");
    return 2;
  }
  return symbolon::storage::Run(argv[1], *number(2), *number(3));
}
