// symbolon_floor: work that nobody can do without, alone and repeated, to hold the server's own work against. Prints
// one line of JSON.
//
//   symbolon_floor rsa-sign SECONDS                signatures with an RSA-2048 key, by OpenSSL
//   symbolon_floor password-sign-in SECONDS        the powers of one password check and two RS256 signatures
//   symbolon_floor commit SECONDS DIR IN_FLIGHT    durable commits of a store in DIR, so many under way at a time
//   symbolon_floor round-trip SECONDS CONFIG CONFIG    frames over the link between the Regions of two configurations
//   symbolon_floor commit-twice SECONDS CONFIG CONFIG DIR DIR    the same, and before each frame, there and back, a
//   commit
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

#include "base/result.h"
#include "crypto/random.h"
#include "crypto/signing_key.h"
#include "crypto/srp.h"
#include "floor_store.h"
#include "round_trip.h"

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

class Commits {
 public:
  Commits(FloorStore& store, double seconds) : store_(store), seconds_(seconds) {}

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

 private:
  void Submit() {
    store_.Commit([this, sent = SteadyClock::now()] {
      const auto now = SteadyClock::now();
      latencies_micros_.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
      if (now < end_) return Submit();
      const std::lock_guard lock(mutex_);
      if (--under_way_ == 0) all_done_.notify_all();
    });
  }

  FloorStore& store_;
  const double seconds_;
  SteadyClock::time_point begin_, end_;
  // Of the committer's thread while commits are under way.
  std::vector<double> latencies_micros_;
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::size_t under_way_ = 0;
};

int Commit(double seconds, const std::string& directory, std::size_t in_flight) {
  const std::unique_ptr<FloorStore> store = FloorStore::Open(directory);
  if (!store) return 1;
  return Commits(*store, seconds).Run(in_flight);
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
    return RoundTrips(*seconds, {arguments[2], ""}, {arguments[3], ""});
  }
  if (seconds && arguments.size() == 6 && arguments[0] == "commit-twice") {
    return RoundTrips(*seconds, {arguments[2], arguments[4]}, {arguments[3], arguments[5]});
  }
  fmt::print(stderr,
             "usage: symbolon_floor rsa-sign|password-sign-in SECONDS\n"
             "       symbolon_floor commit SECONDS DIR IN_FLIGHT\n"
             "       symbolon_floor round-trip SECONDS CONFIG CONFIG\n"
             "       symbolon_floor commit-twice SECONDS CONFIG CONFIG DIR DIR\n");
  return 2;
}

}  // namespace
}  // namespace symbolon::bench

int main(int argc, char** argv) { return symbolon::bench::Main({argv + 1, argv + argc}); }
