#include "floor_store.h"

#include <fmt/format.h>

#include <cstdio>
#include <future>
#include <optional>

#include "base/result.h"
#include "crypto/random.h"
#include "storage/local_store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::bench {
namespace {

const PoolId kPool("eu-central-1_Floor0001");
// What a sign-up writes: the user, three index entries, and a message in the outbox.
constexpr std::size_t kUserBytes = 1'000;
constexpr std::size_t kIndexEntries = 3;
constexpr std::size_t kIndexBytes = 100;
constexpr std::size_t kMessageBytes = 400;

storage::Commit SignUp() {
  storage::Commit commit;
  commit.pool = kPool;
  const Bytes id = crypto::SystemRandom().Octets(16);
  const auto key = [](storage::Space space, std::uint16_t type, Bytes key_id) {
    return storage::Key{.space = space, .pool = kPool, .type = type, .id = std::move(key_id)};
  };
  commit.directory.push_back({key(storage::Space::kDirectory, 9, id), Bytes(kUserBytes, 'u')});
  for (std::uint16_t i = 0; i < kIndexEntries; ++i) {
    Bytes entry = crypto::SystemRandom().Octets(16) + id;
    commit.directory.push_back({key(storage::Space::kDirectory, 11, std::move(entry)), Bytes(kIndexBytes, 'i')});
  }
  commit.regional.push_back({key(storage::Space::kRegional, 100, id), Bytes(kMessageBytes, 'm')});
  return commit;
}

}  // namespace

struct FloorStore::Parts {
  std::unique_ptr<storage::LocalStore> store;
  std::optional<storage::CommitterThread> committer;
};

FloorStore::FloorStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
FloorStore::~FloorStore() = default;

std::unique_ptr<FloorStore> FloorStore::Open(const std::string& directory) {
  const auto complain = [](const storage::StoreError& error) {
    fmt::print(stderr, "symbolon_floor: {}\n", error.detail);
    return nullptr;
  };
  storage::RocksDbOptions options;
  options.directory = directory;
  auto engine = storage::OpenRocksDb(options);
  if (!engine) return complain(engine.error());
  auto store = storage::LocalStore::Open(
      *std::move(engine),
      {.region = Region("eu-central-1"), .clock = &SystemClock(), .random = &crypto::SystemRandom()});
  if (!store) return complain(store.error());
  auto parts = std::make_unique<Parts>();
  parts->store = *std::move(store);
  parts->committer.emplace(*parts->store);
  // The first commit opens the log.
  storage::Commit first = SignUp();
  first.start_epoch_counter = 1;
  std::promise<storage::StoreResult<storage::Committed>> opened;
  parts->store->Submit(std::move(first), [&opened](auto result) { opened.set_value(std::move(result)); });
  if (const auto result = opened.get_future().get(); !result) return complain(result.error());
  return std::unique_ptr<FloorStore>(new FloorStore(std::move(parts)));
}

void FloorStore::Commit(std::function<void()> done) {
  parts_->store->Submit(SignUp(), [done = std::move(done)](const auto& result) {
    SYMBOLON_CHECK(result);
    done();
  });
}

}  // namespace symbolon::bench
