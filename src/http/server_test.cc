#include "http/server.h"

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "http/await.h"
#include "http/test_client.h"

namespace symbolon::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

std::string Post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

// Requests to /gate wait here until the test opens it.
class Gate {
 public:
  void Arrive(std::function<void(int)> done) {
    {
      std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(done));
    }
    arrived_.release();
  }
  void AwaitArrival() { arrived_.acquire(); }
  void Open() {
    std::lock_guard lock(mutex_);
    for (auto& done : waiting_) done(1);
    waiting_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void(int)>> waiting_;  // guarded by mutex_
  std::counting_semaphore<> arrived_{0};
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options_.thread_count = 2;
    options_.tick = milliseconds(1);
  }
  ~ServerTest() override {
    // A test that failed early must not leave a handler waiting.
    gate_.Open();
  }

  void Start() {
    server_ = std::make_unique<Server>(options_, clock_);
    auto port = server_->Listen(Listener());
    ASSERT_TRUE(port) << port.error().message;
    ASSERT_NE(*port, 0);
    port_ = *port;
    server_->Start();
  }

  ListenerOptions Listener() {
    ListenerOptions listener;
    listener.handler = [this](Request request) { return Answer(std::move(request)); };
    listener.body_limit_bytes = [](const Request& head) -> std::size_t {
      return head.headers.Find("X-Amz-Target") == "Service.Large" ? 100'000 : 100;
    };
    return listener;
  }

  boost::asio::awaitable<Response> Answer(Request request) {
    if (request.path() == "/throw") throw std::runtime_error("on purpose");
    if (request.path() == "/gate") {
      co_await AwaitCallback<int>([this](std::function<void(int)> done) { gate_.Arrive(std::move(done)); });
    }
    if (request.path() == "/split") co_return Response{.headers = {{"X", "a\r\nInjected: 1"}}, .body = "split"};
    if (request.path() == "/empty") co_return Response{.status = 204};
    if (request.path() == "/big") co_return Response{.body = std::string(20'000'000, 'b')};
    Response response;
    response.headers.Add("Content-Type", "text/plain");
    response.headers.Add("Content-Length", "12345");  // the server's to say
    response.body = request.method + " " + request.target + " " + request.body;
    co_return response;
  }

  // Moves the clock until the server has counted `counter` up to `count`.
  void AdvanceUntil(const std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    while (counter.load() < count) {
      clock_.Advance(seconds(1));
      std::this_thread::yield();
    }
  }
  void AwaitCount(const std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    while (counter.load() != count) std::this_thread::yield();
  }

  // From then on the server waits for a body of three octets.
  static void SendHeaderAndAwaitContinue(TestClient& client) {
    client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(client.Receive(true).status, 100);
  }

  const ServerCounters& counters() { return server_->counters(); }

  ManualClock clock_{FromSeconds(784111777)};
  ServerOptions options_;
  Gate gate_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(ServerTest, KeepAlive_ManyRequestsOnOneConnection) {
  Start();
  TestClient client(port_);
  for (int i = 0; i < 3; ++i) {
    client.Send(Post("/a?b=" + std::to_string(i), "body"));
    const ClientResponse response = client.Receive();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST /a?b=" + std::to_string(i) + " body");
    EXPECT_EQ(response.Header("Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(response.Header("Content-Length"), std::to_string(response.body.size()));
    EXPECT_EQ(response.Header("Connection"), "");
    EXPECT_EQ(response.Header("Server"), "");
  }
  EXPECT_EQ(counters().connections_accepted, 1u);
  EXPECT_EQ(counters().requests, 3u);
}

TEST_F(ServerTest, Pipelined_AnsweredInOrder) {
  Start();
  TestClient client(port_);
  client.Send(Post("/1", "a") + std::string(kGet) + Post("/gate", "b") + Post("/3", std::string(50, 'c')));
  EXPECT_EQ(client.Receive().body, "POST /1 a");
  EXPECT_EQ(client.Receive().body, "GET / ");
  gate_.AwaitArrival();
  gate_.Open();
  EXPECT_EQ(client.Receive().body, "POST /gate b");
  EXPECT_EQ(client.Receive().body, "POST /3 " + std::string(50, 'c'));
}

TEST_F(ServerTest, ConnectionClose_IsObeyed) {
  Start();
  TestClient client(port_);
  client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().Header("Connection"), "close");
  EXPECT_EQ(client.ReceiveToEnd(), "");
}

TEST_F(ServerTest, HeadAndNoContent_SendNoBody) {
  Start();
  TestClient client(port_);
  client.Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.Receive(true).Header("Content-Length"), "7");
  client.Send("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
  const ClientResponse empty = client.Receive();
  EXPECT_EQ(empty.status, 204);
  EXPECT_EQ(empty.Header("Content-Length"), "");
  client.Send(kGet);
  EXPECT_EQ(client.Receive().body, "GET / ");
}

TEST_F(ServerTest, ExpectContinue_IsAnsweredBeforeTheBody) {
  Start();
  TestClient client(port_);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.Receive(true).status, 100);
  client.Send("abc");
  EXPECT_EQ(client.Receive().body, "POST / abc");
  // Too large: refused without asking for the body.
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 413);
}

TEST_F(ServerTest, ChunkedBody_ArrivesWhole) {
  Start();
  TestClient client(port_);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.Send("3\r\ndef\r\n0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "POST / abcdef");
}

TEST_F(ServerTest, BodyLimit_IsTheOperations) {
  Start();
  const std::string large(100'000, 'x');
  EXPECT_EQ(Fetch(port_, Post("/", large)).status, 413);
  EXPECT_EQ(Fetch(port_, Post("/", std::string(100, 'x'))).status, 200);
  EXPECT_EQ(Fetch(port_,
                  "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: Service.Large\r\nContent-Length: 100000\r\n\r\n" + large)
                .body,
            "POST / " + large);
  EXPECT_EQ(counters().requests_refused, 1u);
}

TEST_F(ServerTest, Refused_TheConnectionIsClosedAndTheAnswerArrives) {
  Start();
  for (const auto& [request, status] : std::vector<std::pair<std::string, int>>{
           {"rubbish\r\n\r\n" + std::string(50'000, 'x'), 400},
           {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(20'000, 'x'), 431},
           {"GET /" + std::string(20'000, 'x'), 414},
           {Post("/", std::string(200'000, 'x')), 413},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
       }) {
    TestClient client(port_);
    client.Send(request);
    const ClientResponse response = client.Receive();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.Header("Connection"), "close");
    EXPECT_EQ(client.ReceiveToEnd(), "");
  }
  EXPECT_EQ(counters().requests_refused, 5u);
  EXPECT_EQ(counters().requests, 0u);
}

TEST_F(ServerTest, HalfClosed_WholeRequestIsAnsweredAndHalfARequestIs400) {
  Start();
  TestClient whole(port_);
  whole.Send(kGet);
  whole.ShutdownWrite();
  EXPECT_EQ(whole.Receive().status, 200);
  EXPECT_EQ(whole.ReceiveToEnd(), "");
  TestClient half_header(port_);
  half_header.Send("GET / HT");
  half_header.ShutdownWrite();
  EXPECT_EQ(half_header.Receive().status, 400);
  TestClient half_body(port_);
  half_body.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  half_body.ShutdownWrite();
  EXPECT_EQ(half_body.Receive().status, 400);
  TestClient nothing(port_);
  nothing.ShutdownWrite();
  EXPECT_EQ(nothing.ReceiveToEnd(), "");
}

TEST_F(ServerTest, SlowHeaderAndSlowBody_Are408) {
  Start();
  TestClient header(port_);
  // The answer to the first shows that the server has the beginning of the second.
  header.Send(std::string(kGet) + "GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(header.Receive().status, 200);
  AdvanceUntil(counters().timeouts_header, 1);
  EXPECT_EQ(header.Receive().status, 408);
  EXPECT_EQ(header.ReceiveToEnd(), "");
  TestClient body(port_);
  SendHeaderAndAwaitContinue(body);
  body.Send("a");
  AdvanceUntil(counters().timeouts_body, 1);
  EXPECT_EQ(body.Receive().status, 408);
}

TEST_F(ServerTest, Idle_IsClosedWithoutAWord) {
  Start();
  TestClient client(port_);
  client.Send(kGet);
  EXPECT_EQ(client.Receive().status, 200);
  AdvanceUntil(counters().timeouts_idle, 1);
  EXPECT_EQ(client.ReceiveToEnd(), "");
  TestClient silent(port_);
  AdvanceUntil(counters().timeouts_header, 1);
  EXPECT_EQ(silent.ReceiveToEnd(), "");
}

TEST_F(ServerTest, ClientThatDoesNotRead_IsCut) {
  Start();
  TestClient client(port_);
  client.Send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  AwaitCount(counters().requests, 1);
  AdvanceUntil(counters().timeouts_write, 1);
  AwaitCount(counters().connections_open, 0);
}

TEST_F(ServerTest, OverTheConnectionLimit_503AndTheOthersGoOn) {
  options_.connection_limit = 20;
  Start();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<TestClient>(port_));
  AwaitCount(counters().connections_open, 20);
  EXPECT_EQ(TestClient(port_).Receive().status, 503);
  EXPECT_EQ(counters().connections_refused, 1u);
  for (auto& client : clients) {
    client->Send(kGet);
    EXPECT_EQ(client->Receive().status, 200);
  }
  clients.pop_back();
  AwaitCount(counters().connections_open, 19);
  EXPECT_EQ(Fetch(port_, kGet).status, 200);
}

TEST_F(ServerTest, HandlerThrows_500AndClosed) {
  Start();
  TestClient client(port_);
  client.Send(Post("/throw", "") + std::string(kGet));
  const ClientResponse response = client.Receive();
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(client.ReceiveToEnd(), "");
  EXPECT_EQ(counters().handler_exceptions, 1u);
  EXPECT_EQ(Fetch(port_, kGet).status, 200);
}

TEST_F(ServerTest, HeaderThatWouldSplitTheResponse_Is500) {
  Start();
  const ClientResponse response = Fetch(port_, Post("/split", ""));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.Header("Injected"), "");
  EXPECT_EQ(response.body, "");
}

TEST_F(ServerTest, StopWithRequestsUnderWay_TheyAreAnsweredAndIdleOnesClosed) {
  // What one connection shows of the stop then holds for the others.
  options_.thread_count = 1;
  Start();
  TestClient idle(port_), busy(port_), half(port_);
  idle.Send(kGet);
  EXPECT_EQ(idle.Receive().status, 200);
  SendHeaderAndAwaitContinue(half);
  half.Send("a");
  busy.Send(Post("/gate", "x"));
  gate_.AwaitArrival();
  std::thread stopper([this] { server_->Stop(std::chrono::hours(1)); });
  EXPECT_EQ(idle.ReceiveToEnd(), "");
  gate_.Open();
  const ClientResponse response = busy.Receive();
  EXPECT_EQ(response.body, "POST /gate x");
  EXPECT_EQ(response.Header("Connection"), "close");
  half.Send("bc");
  EXPECT_EQ(half.Receive().body, "POST / abc");
  stopper.join();
  EXPECT_EQ(counters().connections_open, 0u);
}

TEST_F(ServerTest, StopWithoutTimeToDrain_CutsButWaitsForTheHandler) {
  // What one connection shows of the stop then holds for the others.
  options_.thread_count = 1;
  Start();
  TestClient busy(port_), half(port_);
  busy.Send(Post("/gate", "x"));
  SendHeaderAndAwaitContinue(half);
  gate_.AwaitArrival();
  std::thread stopper([this] { server_->Stop(milliseconds(0)); });
  EXPECT_EQ(half.ReceiveToEnd(), "");
  AwaitCount(counters().connections_open, 1);
  gate_.Open();
  EXPECT_EQ(busy.ReceiveToEnd(), "");
  stopper.join();
}

TEST_F(ServerTest, DrainDeadlinePasses_ConnectionsAreCut) {
  Start();
  TestClient half(port_);
  half.Send("GET / HT");
  AwaitCount(counters().connections_open, 1);
  std::jthread stopper([this] { server_->Stop(seconds(5)); });
  while (counters().connections_open.load() > 0) clock_.Advance(seconds(1));
  half.ReceiveToEnd();
}

TEST_F(ServerTest, ManyClientsAtOnce_EachGetsItsOwnAnswers) {
  Start();
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this, t, &wrong] {
      TestClient client(port_);
      for (int i = 0; i < 200; ++i) {
        const std::string body = std::to_string(t) + ":" + std::to_string(i);
        client.Send(Post("/", body));
        if (client.Receive().body != "POST / " + body) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(counters().requests, 1600u);
}

TEST_F(ServerTest, PortInUseOrBadAddress_IsAnErrorThatSaysSo) {
  Start();
  Server second(options_, clock_);
  ListenerOptions taken = Listener();
  taken.port = port_;
  const auto in_use = second.Listen(taken);
  ASSERT_FALSE(in_use);
  EXPECT_EQ(in_use.error().message,
            "cannot listen on 127.0.0.1 port " + std::to_string(port_) + ": Address already in use");
  ListenerOptions name = Listener();
  name.address = "localhost";
  EXPECT_EQ(second.Listen(name).error().message, "'localhost' is not an IP address");
  ListenerOptions no_certificate = Listener();
  no_certificate.tls = TlsOptions{.certificate_file = "/nonexistent.pem", .key_file = "/nonexistent.key"};
  EXPECT_EQ(second.Listen(no_certificate).error().message, "/nonexistent.pem: No such file or directory");
}

}  // namespace
}  // namespace symbolon::http
