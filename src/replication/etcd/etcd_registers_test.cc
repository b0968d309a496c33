// Registers in a real etcd, over TLS on loopback.
#include "replication/etcd/etcd_registers.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>

#include "base/temporary_directory.h"
#include "replication/epochs.h"

namespace symbolon::replication::etcd {
namespace {

using std::chrono::seconds;

const PoolId kPool("eu-central-1_Pool00001");
const PoolId kOther("eu-central-1_Pool00002");
const Holder kHome{Region("eu-central-1"), Bytes("home\0incarnation", 16)};
const Holder kAway{Region("us-east-1"), Bytes("away incarnation")};
// Only a failure waits so long.
constexpr seconds kPatience{60};

std::uint16_t FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(socket);
  return ntohs(address.sin_port);
}

// One member, which ends with this object or this process.
class Etcd {
 public:
  Etcd() : port_(FreePort()), peer_port_(FreePort()) {
    Run(
        fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
                    "-addext subjectAltName=IP:127.0.0.1 -keyout {0}/key -out {0}/certificate",
                    folder()));
    const std::string url = fmt::format("https://127.0.0.1:{}", port_);
    const std::string peer_url = fmt::format("http://127.0.0.1:{}", peer_port_);
    std::vector<std::string> arguments = {"etcd",
                                          "--data-dir=" + folder() + "/data",
                                          "--listen-client-urls=" + url,
                                          "--advertise-client-urls=" + url,
                                          "--listen-peer-urls=" + peer_url,
                                          "--initial-advertise-peer-urls=" + peer_url,
                                          "--initial-cluster=default=" + peer_url,
                                          "--client-cert-auth",
                                          "--trusted-ca-file=" + folder() + "/certificate",
                                          "--cert-file=" + folder() + "/certificate",
                                          "--key-file=" + folder() + "/key",
                                          "--logger=zap",
                                          "--log-outputs=" + folder() + "/log"};
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp("etcd", raw.data());
    _exit(127);
  }
  ~Etcd() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  EtcdOptions Options(const std::string& key_prefix) const {
    return {.endpoints = {fmt::format("127.0.0.1:{}", port_)},
            .ca_pem = Read("certificate"),
            .certificate_pem = Read("certificate"),
            .key_pem = Read("key"),
            .key_prefix = key_prefix,
            .call_limit = seconds(5)};
  }

 private:
  std::string folder() const { return folder_.path().string(); }
  static void Run(const std::string& command) {
    ASSERT_EQ(std::system((command + " </dev/null >/dev/null 2>/dev/null").c_str()), 0) << command;
  }
  std::string Read(const char* name) const {
    std::ifstream file(folder_.path() / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TemporaryDirectory folder_;
  const std::uint16_t port_;
  const std::uint16_t peer_port_;
  pid_t pid_ = 0;
};

class EtcdRegistersTest : public testing::Test {
 protected:
  // Before gRPC has threads.
  static void SetUpTestSuite() { etcd_ = new Etcd(); }
  static void TearDownTestSuite() { delete etcd_; }

  EtcdRegistersTest() {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!ReadNow(0) && std::chrono::steady_clock::now() < limit) {
    }
  }

  static std::string Prefix() {
    return std::string("/") + testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  template <class T, class Ask>
  static RegisterResult<T> Await(Ask ask) {
    auto promise = std::make_shared<std::promise<RegisterResult<T>>>();
    auto future = promise->get_future();
    ask([promise](RegisterResult<T> result) { promise->set_value(std::move(result)); });
    return future.get();
  }
  RegisterResult<bool> Hold(EtcdRegisters& registers, const Holder& holder, const Bytes& session,
                            seconds lease = seconds(60)) {
    const auto held = Await<Held>([&](auto done) { registers.Hold(holder, session, lease, std::move(done)); });
    if (!held) return Err(held.error());
    return held->all_the_time;
  }
  RegisterResult<RegisterNews> ReadNow(Revision since) {
    return Await<RegisterNews>([&](auto done) { registers_.Read(since, std::move(done)); });
  }
  RegisterResult<std::optional<Revision>> Swap(RegisterSwap swap) {
    return Await<std::optional<Revision>>([&](auto done) { registers_.Swap(std::move(swap), std::move(done)); });
  }
  static pb::Register Owned(const Holder& holder, std::uint64_t counter) {
    pb::Register value;
    *value.mutable_epoch() = MakeEpoch(counter, holder.region, holder.incarnation);
    return value;
  }

  static Etcd* etcd_;
  EtcdRegisters registers_{etcd_->Options(Prefix())};
};

Etcd* EtcdRegistersTest::etcd_ = nullptr;

TEST_F(EtcdRegistersTest, HeldAgain_StoodAllTheTime) {
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), false);
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), true);
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), true);
  EXPECT_EQ(ReadNow(0)->holders, std::set{kHome});
}

TEST_F(EtcdRegistersTest, HeldByANewProcess_TheOldOneHearsOfIt) {
  EtcdRegisters restarted(etcd_->Options(Prefix()));
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), false);
  EXPECT_EQ(Hold(restarted, kHome, "two").value(), false);
  EXPECT_EQ(Hold(restarted, kHome, "two").value(), true);
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), false);
}

TEST_F(EtcdRegistersTest, NotHeldAnyMore_TheLeaseRunsOut) {
  EXPECT_EQ(Hold(registers_, kHome, "one", seconds(2)).value(), false);
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (ReadNow(0)->holders.contains(kHome) && std::chrono::steady_clock::now() < limit) {
  }
  EXPECT_TRUE(ReadNow(0)->holders.empty());
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), false);
}

TEST_F(EtcdRegistersTest, ItRanOutAndARenewalWhoseAnswerWasLostFilledTheGap_ItDidNotStandAllTheTime) {
  EXPECT_EQ(Hold(registers_, kHome, "one", seconds(2)).value(), false);
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (ReadNow(0)->holders.contains(kHome) && std::chrono::steady_clock::now() < limit) {
  }
  // As the renewal would have done.
  EtcdRegisters same_process(etcd_->Options(Prefix()));
  EXPECT_EQ(Hold(same_process, kHome, "one").value(), false);
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), false);
  EXPECT_EQ(Hold(registers_, kHome, "one").value(), true);
}

TEST_F(EtcdRegistersTest, Swap_OnlyWhenAllIsAsExpected) {
  const RegisterSwap first{.pool = kPool, .expected = 0, .value = Owned(kHome, 1), .self = kHome, .session = "one"};
  EXPECT_EQ(Swap(first).value(), std::nullopt);  // no lease
  ASSERT_TRUE(Hold(registers_, kHome, "one"));
  RegisterSwap other_session = first;
  other_session.session = "two";
  EXPECT_EQ(Swap(other_session).value(), std::nullopt);
  const auto made = Swap(first);
  ASSERT_TRUE(made && *made);
  EXPECT_EQ(Swap(first).value(), std::nullopt);  // it is there already

  ASSERT_TRUE(Hold(registers_, kAway, "away"));
  RegisterSwap taken{.pool = kPool,
                     .expected = **made,
                     .expected_octets = first.value.SerializeAsString(),
                     .value = Owned(kAway, 2),
                     .gone = kHome,
                     .self = kAway,
                     .session = "away"};
  EXPECT_EQ(Swap(taken).value(), std::nullopt);  // the lease of kHome stands
  taken.gone.reset();
  // As after a setback: another change has brought it to this revision.
  taken.expected_octets = Owned(kHome, 7).SerializeAsString();
  EXPECT_EQ(Swap(taken).value(), std::nullopt);
  taken.expected_octets = first.value.SerializeAsString();
  const auto swapped = Swap(taken);
  ASSERT_TRUE(swapped && *swapped);
  EXPECT_GT(**swapped, **made);

  const auto news = ReadNow(0);
  ASSERT_EQ(news->changed.size(), 1);
  EXPECT_EQ(news->changed[0].pool, kPool);
  EXPECT_EQ(news->changed[0].revision, **swapped);
  EXPECT_EQ(news->changed[0].value.epoch().counter(), 2);
  EXPECT_EQ(news->changed[0].value.epoch().incarnation(), kAway.incarnation);
  EXPECT_EQ(news->changed[0].octets, taken.value.SerializeAsString());
}

TEST_F(EtcdRegistersTest, ReadSince_HasWhatChangedAfterwards) {
  ASSERT_TRUE(Hold(registers_, kHome, "one"));
  RegisterSwap swap{.pool = kPool, .expected = 0, .value = Owned(kHome, 1), .self = kHome, .session = "one"};
  ASSERT_TRUE(Swap(swap).value());
  const auto before = ReadNow(0);
  EXPECT_EQ(before->changed.size(), 1);
  swap.pool = kOther;
  ASSERT_TRUE(Swap(swap).value());
  const auto after = ReadNow(before->revision);
  ASSERT_EQ(after->changed.size(), 1);
  EXPECT_EQ(after->changed[0].pool, kOther);
  EXPECT_EQ(after->cluster, before->cluster);
  EXPECT_TRUE(ReadNow(after->revision)->changed.empty());
}

TEST_F(EtcdRegistersTest, AForeignKeyLiesAmongTheRegisters_TheOthersAreReadAllTheSame) {
  ASSERT_TRUE(Hold(registers_, kHome, "one"));
  ASSERT_TRUE(Swap({.pool = kPool, .expected = 0, .value = Owned(kHome, 1), .self = kHome, .session = "one"}).value());
  // Its holder's key is PREFIX/pools/holders/...
  EtcdRegisters foreign(etcd_->Options(Prefix() + "/pools"));
  ASSERT_TRUE(Hold(foreign, kHome, "\xff"));
  const auto news = ReadNow(0);
  ASSERT_TRUE(news) << news.error().detail;
  ASSERT_EQ(news->changed.size(), 2);
  EXPECT_EQ(news->changed[0].pool, kPool);
  EXPECT_FALSE(news->changed[0].unreadable);
  EXPECT_EQ(news->changed[0].value.epoch().counter(), 1);
  EXPECT_TRUE(news->changed[1].unreadable);
  EXPECT_FALSE(news->changed[1].value.has_epoch());
}

TEST_F(EtcdRegistersTest, AMemberThatDoesNotAnswer_TheNextIsAsked) {
  EtcdOptions options = etcd_->Options(Prefix());
  options.endpoints.insert(options.endpoints.begin(), fmt::format("127.0.0.1:{}", FreePort()));
  EtcdRegisters registers(options);
  EXPECT_FALSE(Hold(registers, kHome, "one"));
  EXPECT_EQ(Hold(registers, kHome, "one").value(), false);
}

TEST_F(EtcdRegistersTest, WithoutACertificateThatIsKnown_NothingIsAnswered) {
  EtcdOptions options = etcd_->Options(Prefix());
  options.certificate_pem.clear();
  options.key_pem.clear();
  options.call_limit = seconds(1);
  EtcdRegisters registers(options);
  EXPECT_FALSE(Hold(registers, kHome, "one"));
}

TEST_F(EtcdRegistersTest, Stopped_EverybodyIsTold) {
  registers_.Stop();
  EXPECT_EQ(Hold(registers_, kHome, "one").error().detail, "stopping");
}

}  // namespace
}  // namespace symbolon::replication::etcd
