// symbolon_seed CONFIG POOL COUNT: writes COUNT confirmed users ("seeded-0" …) into a pool of a node that is not
// running, through the directory and the store as the server would, many users a commit. All have passwords of the
// right size; those of the first kWithPassword are kPassword. Prints one line of JSON.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "crypto/random.h"
#include "crypto/srp.h"
#include "directory/transaction.h"
#include "directory/users.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"
#include "node/config.h"
#include "storage/local_store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::bench {
namespace {

constexpr std::uint64_t kWithPassword = 100;
constexpr std::string_view kPassword = "Correct-horse-7";
constexpr std::uint64_t kUsersPerCommit = 200;
constexpr std::size_t kCommitsUnderWay = 8;

int Complain(std::string_view message) {
  fmt::print(stderr, "symbolon_seed: {}\n", message);
  return 1;
}

// Bounds the commits under way, and keeps the first failure.
class Flight {
 public:
  void Submit(storage::Store& store, storage::Commit commit) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return under_way_ < kCommitsUnderWay; });
      ++under_way_;
    }
    store.Submit(std::move(commit), [this](const storage::StoreResult<storage::Committed>& done) {
      const std::lock_guard lock(mutex_);
      if (!done && failure_.empty()) failure_ = done.error().detail;
      --under_way_;
      changed_.notify_all();
    });
  }
  // The first failure, or nothing.
  std::string Land() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ == 0; });
    return failure_;
  }
  bool failed() {
    const std::lock_guard lock(mutex_);
    return !failure_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;
  std::string failure_;
};

class Seeder {
 public:
  Seeder(storage::Store& store, keys::Keyring& keyring, PoolId pool)
      : store_(store), keyring_(keyring), pool_id_(std::move(pool)) {}

  Result<void, std::string> Run(std::uint64_t count) {
    auto keys = keyring_.KeysOf(*store_.MakeSnapshot(), pool_id_);
    if (!keys) return Err(keys.error().message);
    keys_ = *std::move(keys);
    auto tx = Begin();
    auto pool = tx.Get<directory::PoolKind>("");
    if (tx.failure()) return Err(tx.failure()->detail);
    if (!pool) return Err(std::string("there is no such pool"));
    for (std::uint64_t first = 0; first < count && !flight_.failed(); first += kUsersPerCommit) {
      SYMBOLON_TRY_VOID(Write(*pool, first, std::min(count, first + kUsersPerCommit)));
    }
    if (std::string failure = flight_.Land(); !failure.empty()) return Err(std::move(failure));
    return {};
  }

 private:
  directory::Transaction Begin() {
    return {std::shared_ptr<const storage::Snapshot>(store_.MakeSnapshot()), pool_id_, keys_, crypto::SystemRandom()};
  }

  Result<void, std::string> Write(const directory::pb::PoolRecord& pool, std::uint64_t first, std::uint64_t end) {
    auto tx = Begin();
    for (std::uint64_t number = first; number < end; ++number) {
      directory::User user = MakeUser(number);
      user.key = directory::UserKeyOf(tx, pool, user.record.username());
      const auto inserted = directory::InsertUser(tx, pool, user, directory::OnAliasConflict::kRefuse);
      if (!inserted) return Err(fmt::format("{} is there already", user.record.username()));
    }
    if (tx.failure()) return Err(tx.failure()->detail);
    flight_.Submit(store_, tx.TakeCommit());
    return {};
  }

  directory::User MakeUser(std::uint64_t number) const {
    directory::User user;
    directory::pb::UserRecord& record = user.record;
    record.set_username(fmt::format("seeded-{}", number));
    record.set_sub(NewUuid(crypto::SystemRandom()));
    record.set_status(directory::pb::CONFIRMED);
    record.set_enabled(true);
    const std::int64_t now = ToMicros(SystemClock().Now());
    record.set_created_micros(now);
    record.set_modified_micros(now);
    auto& attributes = *record.mutable_attributes();
    attributes["email"] = fmt::format("seeded-{}@example.com", number);
    attributes["email_verified"] = "true";
    attributes["given_name"] = fmt::format("Seeded {}", number % 1'000);
    const Bytes salt = crypto::NewSrpSalt(crypto::SystemRandom());
    record.mutable_password()->set_salt(salt);
    record.mutable_password()->set_verifier(
        number < kWithPassword
            ? Bytes(crypto::ComputeSrpVerifier({.pool_name = PoolName(pool_id_), .user_id = record.username()},
                                               kPassword, salt)
                        .view())
            : crypto::SystemRandom().Octets(crypto::kSrpVerifierBytes));
    return user;
  }

  storage::Store& store_;
  keys::Keyring& keyring_;
  const PoolId pool_id_;
  std::shared_ptr<const keys::PoolKeys> keys_;
  Flight flight_;
};

int Run(const node::Config& config, const PoolId& pool, std::uint64_t count) {
  Clock& clock = SystemClock();
  Random& random = crypto::SystemRandom();
  storage::RocksDbOptions engine_options;
  engine_options.directory = (config.data_dir / "store").string();
  auto engine = storage::OpenRocksDb(engine_options);
  if (!engine) return Complain(engine.error().detail);
  auto store =
      storage::LocalStore::Open(*std::move(engine), {.region = config.region, .clock = &clock, .random = &random});
  if (!store) return Complain(store.error().detail);
  const storage::CommitterThread committer(**store);

  auto provider = keys::local::LocalKeyProvider::Open({.directory = config.data_dir / "keys",
                                                       .root_key_file = config.keys.root_key_file,
                                                       .region = config.region,
                                                       .account = config.account},
                                                      clock, random);
  if (!provider) return Complain(provider.error().detail);
  const auto owned = (*provider)->EnsureServiceOwnedKey();
  if (!owned) return Complain(owned.error().detail);
  keys::Keyring keyring(
      **provider, {.region = config.region, .account = config.account, .service_owned_key_arn = *owned}, clock, random);

  const auto begin = std::chrono::steady_clock::now();
  if (const auto seeded = Seeder(**store, keyring, pool).Run(count); !seeded) return Complain(seeded.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{{\"users\":{},\"seconds\":{:.3f}}}\n", count, took.count());
  return 0;
}

int Main(int argc, char** argv) {
  std::uint64_t count = 0;
  if (argc == 4) {
    const std::string_view text = argv[3];
    if (std::from_chars(text.begin(), text.end(), count).ec != std::errc()) count = 0;
  }
  if (count == 0) {
    fmt::print(stderr, "usage: symbolon_seed CONFIG POOL COUNT\n");
    return 2;
  }
  log::SetLevel(log::Level::kWarning);
  const auto config = node::LoadConfig(argv[1]);
  if (!config) return Complain(fmt::format("{}:{}: {}", argv[1], config.error()[0].line, config.error()[0].reason));
  return Run(*config, PoolId(argv[2]), count);
}

}  // namespace
}  // namespace symbolon::bench

int main(int argc, char** argv) { return symbolon::bench::Main(argc, argv); }
