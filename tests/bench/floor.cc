// symbolon_floor: work that nobody can do without, alone and repeated, to hold the server's own work against. Prints
// one line of JSON.
//
//   symbolon_floor rsa-sign SECONDS                signatures with an RSA-2048 key, by OpenSSL
//   symbolon_floor password-sign-in SECONDS        the powers of one password check and two RS256 signatures
//   symbolon_floor commit SECONDS DIR IN_FLIGHT    durable commits of a store in DIR, so many under way at a time
//   symbolon_floor round-trip SECONDS CONFIG CONFIG    frames over the link between the Regions of two configurations
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crypto/random.h"
#include "crypto/signing_key.h"
#include "crypto/srp.h"
#include "round_trip.h"
#include "storage/local_store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// About what is signed for an access token.
constexpr std::size_t kSigningInputBytes = 900;

double CpuSeconds() {
  timespec now{};
  SYMBOLON_CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

int Report(std::uint64_t operations, double cpu_seconds, double seconds) {
  fmt::print("{{\"operations\":{},\"cpu_seconds\":{:.6f},\"seconds\":{:.6f}}}\n", operations, cpu_seconds, seconds);
  return 0;
}

template <class Work>
int Repeat(double seconds, const Work& work) {
  work();  // what is made once is made now
  const double cpu_before = CpuSeconds();
  const auto begin = SteadyClock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  std::uint64_t operations = 0;
  do {
    work();
    ++operations;
  } while (SteadyClock::now() < end);
  return Report(operations, CpuSeconds() - cpu_before,
                std::chrono::duration<double>(SteadyClock::now() - begin).count());
}

int RsaSign(double seconds) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048), EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), EVP_PKEY_CTX_free);
  SYMBOLON_CHECK(EVP_PKEY_sign_init(context.get()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1);
  const std::vector<unsigned char> digest(32, 'd');
  std::vector<unsigned char> signature(256);
  return Repeat(seconds, [&] {
    std::size_t length = signature.size();
    SYMBOLON_CHECK(EVP_PKEY_sign(context.get(), signature.data(), &length, digest.data(), digest.size()) == 1);
  });
}

int PasswordSignIn(double seconds) {
  const auto id_key = crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kRs256);
  const auto access_key = crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kRs256);
  const Bytes salt = crypto::NewSrpSalt(crypto::SystemRandom());
  const Bytes signing_input(kSigningInputBytes, 's');
  return Repeat(seconds, [&] {
    (void)crypto::ComputeSrpVerifier({.pool_name = "Bench1234", .user_id = "user"}, "Correct-horse-7", salt);
    (void)id_key.Sign(signing_input);
    (void)access_key.Sign(signing_input);
  });
}

// ---- commits ----

const PoolId kPool("eu-central-1_Floor0001");
// What a sign-up writes: the user, three index entries, and a message in the outbox.
constexpr std::size_t kUserBytes = 1'000;
constexpr std::size_t kIndexEntries = 3;
constexpr std::size_t kIndexBytes = 100;
constexpr std::size_t kMessageBytes = 400;

class Commits {
 public:
  Commits(storage::Store& store, double seconds) : store_(store), seconds_(seconds) {}

  int Run(std::size_t in_flight) {
    const double cpu_before = CpuSeconds();
    begin_ = SteadyClock::now();
    end_ = begin_ + std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds_));
    under_way_ = in_flight;
    for (std::size_t i = 0; i < in_flight; ++i) Submit();
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return under_way_ == 0; });
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin_).count();
    const double cpu = CpuSeconds() - cpu_before;
    std::ranges::sort(latencies_micros_);
    const auto percentile = [this](double share) {
      return latencies_micros_[static_cast<std::size_t>(share * static_cast<double>(latencies_micros_.size() - 1))];
    };
    fmt::print(R"({{"operations":{},"cpu_seconds":{:.6f},"seconds":{:.6f},"latency_us":{{"p50":{:.1f},"p99":{:.1f}}}}})"
               "\n",
               latencies_micros_.size(), cpu, seconds, percentile(0.5), percentile(0.99));
    return 0;
  }

  // The first commit opens the log.
  void Open() {
    under_way_ = 1;
    Submit(1);
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return under_way_ == 0; });
    latencies_micros_.clear();
  }

 private:
  void Submit(std::optional<std::uint64_t> start_epoch_counter = std::nullopt) {
    storage::Commit commit;
    commit.pool = kPool;
    commit.start_epoch_counter = start_epoch_counter;
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
    store_.Submit(std::move(commit), [this, sent = SteadyClock::now()](const auto& result) {
      SYMBOLON_CHECK(result);
      const auto now = SteadyClock::now();
      latencies_micros_.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
      if (now < end_) return Submit();
      const std::lock_guard lock(mutex_);
      if (--under_way_ == 0) all_done_.notify_all();
    });
  }

  storage::Store& store_;
  const double seconds_;
  SteadyClock::time_point begin_, end_;
  // Of the committer's thread while commits are under way.
  std::vector<double> latencies_micros_;
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::size_t under_way_ = 0;
};

int Commit(double seconds, const std::string& directory, std::size_t in_flight) {
  storage::RocksDbOptions options;
  options.directory = directory;
  auto engine = storage::OpenRocksDb(options);
  if (!engine) {
    fmt::print(stderr, "symbolon_floor: {}\n", engine.error().detail);
    return 1;
  }
  auto store = storage::LocalStore::Open(
      *std::move(engine),
      {.region = Region("eu-central-1"), .clock = &SystemClock(), .random = &crypto::SystemRandom()});
  if (!store) {
    fmt::print(stderr, "symbolon_floor: {}\n", store.error().detail);
    return 1;
  }
  const storage::CommitterThread committer(**store);
  Commits commits(**store, seconds);
  commits.Open();
  return commits.Run(in_flight);
}

template <class Number>
std::optional<Number> Parse(std::string_view text) {
  Number number{};
  const auto parsed = std::from_chars(text.begin(), text.end(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.end() && number > 0 ? std::optional(number) : std::nullopt;
}

int Main(const std::vector<std::string>& arguments) {
  const std::optional<double> seconds = arguments.size() > 1 ? Parse<double>(arguments[1]) : std::nullopt;
  if (seconds && arguments.size() == 2 && arguments[0] == "rsa-sign") return RsaSign(*seconds);
  if (seconds && arguments.size() == 2 && arguments[0] == "password-sign-in") return PasswordSignIn(*seconds);
  if (seconds && arguments.size() == 4 && arguments[0] == "commit") {
    if (const auto in_flight = Parse<std::size_t>(arguments[3])) return Commit(*seconds, arguments[2], *in_flight);
  }
  if (seconds && arguments.size() == 4 && arguments[0] == "round-trip") {
    return RoundTrips(*seconds, arguments[2], arguments[3]);
  }
  fmt::print(stderr,
             "usage: symbolon_floor rsa-sign|password-sign-in SECONDS\n"
             "       symbolon_floor commit SECONDS DIR IN_FLIGHT\n"
             "       symbolon_floor round-trip SECONDS CONFIG CONFIG\n");
  return 2;
}

}  // namespace
}  // namespace symbolon::bench

int main(int argc, char** argv) { return symbolon::bench::Main({argv + 1, argv + argc}); }
