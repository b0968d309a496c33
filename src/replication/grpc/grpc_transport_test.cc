// The transport by itself: who may connect to whom, and that frames and calls arrive.
#include "replication/grpc/grpc_transport.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <vector>

#include "replication/grpc/test_certificates.h"

namespace symbolon::replication::grpc_link {
namespace {

using namespace std::chrono_literals;

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const Region kThird("ap-south-1");
// Only a failure waits so long.
constexpr std::chrono::seconds kPatience{60};

// Writes down what happens.
class Recorder final : public Transport::Events {
 public:
  LinkId NewLink() override { return 2; }
  void OnAccepted(LinkId link, const Region& peer) override {
    Note("accepted " + peer.value());
    if (on_accepted) on_accepted(link);
  }
  void OnConnected(LinkId link) override { Note("connected " + std::to_string(link)); }
  void OnClosed(LinkId link) override { Note("closed " + std::to_string(link)); }
  void OnFrame(LinkId link, pb::Frame frame) override {
    Note("frame " + std::to_string(frame.number()) + " on " + std::to_string(link));
  }
  void OnSent(LinkId link) override { Note("sent on " + std::to_string(link)); }
  void OnControl(const Region& from, pb::ControlRequest request,
                 std::function<void(pb::ControlAnswer)> answer) override {
    Note("asked by " + from.value());
    if (request.has_propose_member_state()) return;  // drops it
    pb::ControlAnswer given;
    given.set_payload("answer to " + request.get_transport_key());
    answer(std::move(given));
  }

  // Whether `what` happened so often, or will soon.
  bool Await(const std::string& what, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return std::ranges::count(notes_, what) >= times; });
  }
  bool Happened(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count(notes_, what) > 0;
  }

  // Set before anybody dials.
  std::function<void(LinkId)> on_accepted;

 private:
  void Note(std::string note) {
    {
      const std::lock_guard lock(mutex_);
      notes_.push_back(std::move(note));
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> notes_;
};

class GrpcTransportTest : public testing::Test {
 protected:
  static TransportOptions OptionsOf(const Region& own, const TestAuthority& authority, const Region& named,
                                    const TestAuthority& trusted, int port) {
    TransportOptions options;
    options.listen = "127.0.0.1:" + std::to_string(port);
    for (const Region& region : {kHome, kAway}) {
      if (region != own) options.peers[region] = "";
    }
    const TestAuthority::Issued& issued = authority.Of(named.value());
    options.ca_pem = trusted.ca_pem();
    options.certificate_pem = issued.certificate_pem;
    options.key_pem = issued.key_pem;
    return options;
  }
  // `own` listens, with a certificate that `authority` signed for `named`, and knows the others.
  std::unique_ptr<GrpcTransport> Make(const Region& own, const TestAuthority& authority, const Region& named,
                                      Recorder& events, const TestAuthority& trusted) {
    auto transport = std::make_unique<GrpcTransport>(OptionsOf(own, authority, named, trusted, 0));
    const auto started = transport->Start(events);
    EXPECT_TRUE(started) << started.error().detail;
    return transport;
  }
  std::unique_ptr<GrpcTransport> Make(const Region& own, Recorder& events) {
    return Make(own, authority_, own, events, authority_);
  }
  // nullptr: the port is somebody else's by now.
  std::unique_ptr<GrpcTransport> MakeAt(int port, const Region& own, Recorder& events) {
    auto transport = std::make_unique<GrpcTransport>(OptionsOf(own, authority_, own, authority_, port));
    return transport->Start(events) ? std::move(transport) : nullptr;
  }
  static void PointTo(GrpcTransport& from, const Region& peer, const GrpcTransport& to) {
    from.SetPeerAddress(peer, "127.0.0.1:" + std::to_string(to.port()));
  }

  static std::optional<pb::ControlAnswer> Ask(GrpcTransport& from, const Region& peer,
                                              const pb::ControlRequest& request) {
    std::promise<std::optional<pb::ControlAnswer>> answered;
    from.Control(peer, request, kPatience,
                 [&](std::optional<pb::ControlAnswer> answer) { answered.set_value(std::move(answer)); });
    return answered.get_future().get();
  }

  const TestAuthority authority_;
  Recorder home_events_;
  Recorder away_events_;
};

TEST_F(GrpcTransportTest, FramesGoBothWaysAndWaitForResume) {
  const auto home = Make(kHome, home_events_);
  const auto away = Make(kAway, away_events_);
  PointTo(*home, kAway, *away);
  home->Dial(kAway, 1);
  ASSERT_TRUE(home_events_.Await("connected 1"));
  ASSERT_TRUE(away_events_.Await("accepted eu-central-1"));
  ASSERT_TRUE(away_events_.Await("sent on 2"));
  pb::Frame frame;
  frame.set_number(1);
  home->Send(1, frame);
  ASSERT_TRUE(home_events_.Await("sent on 1"));
  ASSERT_TRUE(away_events_.Await("frame 1 on 2"));
  frame.set_number(2);
  home->Send(1, frame);
  ASSERT_TRUE(home_events_.Await("sent on 1", 2));
  EXPECT_FALSE(away_events_.Happened("frame 2 on 2"));
  away->Resume(2);
  ASSERT_TRUE(away_events_.Await("frame 2 on 2"));
  away->Send(2, frame);
  ASSERT_TRUE(home_events_.Await("frame 2 on 1"));
  // The other end learns of a close, who closed does not.
  home->Resume(1);
  away->Close(2);
  ASSERT_TRUE(home_events_.Await("closed 1"));
  EXPECT_FALSE(away_events_.Happened("closed 2"));
}

TEST_F(GrpcTransportTest, LinkThatIsClosedAsSoonAsItIsAccepted_EndsForThePeer) {
  const auto home = Make(kHome, home_events_);
  const auto away = Make(kAway, away_events_);
  PointTo(*home, kAway, *away);
  away_events_.on_accepted = [&](LinkId link) { away->Close(link); };
  home->Dial(kAway, 1);
  ASSERT_TRUE(home_events_.Await("closed 1"));
  EXPECT_FALSE(away_events_.Happened("closed 2"));
}

TEST_F(GrpcTransportTest, StopEndsTheLinksOfOthers) {
  const auto home = Make(kHome, home_events_);
  const auto away = Make(kAway, away_events_);
  PointTo(*home, kAway, *away);
  home->Dial(kAway, 1);
  ASSERT_TRUE(home_events_.Await("connected 1"));
  away->Stop();
  ASSERT_TRUE(home_events_.Await("closed 1"));
}

TEST_F(GrpcTransportTest, NobodyListensThereIsAClosedLink) {
  const auto home = Make(kHome, home_events_);
  auto away = Make(kAway, away_events_);
  PointTo(*home, kAway, *away);
  away.reset();
  home->Dial(kAway, 1);
  EXPECT_TRUE(home_events_.Await("closed 1"));
}

TEST_F(GrpcTransportTest, CertificateOfAnotherAuthorityIsRefusedByBothSides) {
  const TestAuthority stranger;
  const auto home = Make(kHome, home_events_);
  const auto away = Make(kAway, stranger, kAway, away_events_, authority_);
  PointTo(*home, kAway, *away);
  PointTo(*away, kHome, *home);
  home->Dial(kAway, 1);
  away->Dial(kHome, 1);
  EXPECT_TRUE(home_events_.Await("closed 1"));
  EXPECT_TRUE(away_events_.Await("closed 1"));
  EXPECT_FALSE(home_events_.Happened("accepted us-east-1"));
  EXPECT_FALSE(away_events_.Happened("accepted eu-central-1"));
  EXPECT_FALSE(home_events_.Happened("connected 1"));
}

TEST_F(GrpcTransportTest, CertificateOfAnotherRegionIsRefusedByBothSides) {
  const auto home = Make(kHome, home_events_);
  // It says that it is us-east-1, and can prove to be ap-south-1 only, which the topology does not have.
  const auto away = Make(kAway, authority_, kThird, away_events_, authority_);
  PointTo(*home, kAway, *away);
  PointTo(*away, kHome, *home);
  home->Dial(kAway, 1);
  away->Dial(kHome, 1);
  EXPECT_TRUE(home_events_.Await("closed 1"));
  EXPECT_TRUE(away_events_.Await("closed 1"));
  EXPECT_FALSE(home_events_.Happened("connected 1"));
  EXPECT_FALSE(home_events_.Happened("accepted us-east-1"));
  std::promise<bool> reached;
  away->Control(kHome, {}, kPatience,
                [&](const std::optional<pb::ControlAnswer>& answer) { reached.set_value(answer.has_value()); });
  EXPECT_FALSE(reached.get_future().get());
  EXPECT_FALSE(home_events_.Happened("asked by ap-south-1"));
}

TEST_F(GrpcTransportTest, CallIsAnsweredOrEndsWhenItsAnswerIsDropped) {
  const auto home = Make(kHome, home_events_);
  const auto away = Make(kAway, away_events_);
  PointTo(*home, kAway, *away);
  pb::ControlRequest request;
  request.set_get_transport_key("this");
  const auto answer = Ask(*home, kAway, request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->payload(), "answer to this");
  EXPECT_TRUE(away_events_.Happened("asked by eu-central-1"));
  request.mutable_propose_member_state();
  EXPECT_FALSE(Ask(*home, kAway, request));
}

// A Region that was restarted has come to us before our own connection to it is made anew.
TEST_F(GrpcTransportTest, PeerThatIsBackAndHasDialled_IsReachedByTheNextCall) {
  const auto home = Make(kHome, home_events_);
  std::unique_ptr<GrpcTransport> back;
  for (int round = 0; round < 10 && !back; ++round) {
    auto away = Make(kAway, away_events_);
    PointTo(*home, kAway, *away);
    const int port = away->port();
    away.reset();
    ASSERT_FALSE(Ask(*home, kAway, {}));
    back = MakeAt(port, kAway, away_events_);
  }
  ASSERT_TRUE(back);
  PointTo(*back, kHome, *home);
  back->Dial(kHome, 1);
  ASSERT_TRUE(away_events_.Await("connected 1"));
  EXPECT_TRUE(Ask(*home, kAway, {}));
}

TEST_F(GrpcTransportTest, PortThatIsTakenIsSaid) {
  const auto home = Make(kHome, home_events_);
  TransportOptions options;
  options.listen = "127.0.0.1:" + std::to_string(home->port());
  const TestAuthority::Issued& issued = authority_.Of("us-east-1");
  options.ca_pem = authority_.ca_pem();
  options.certificate_pem = issued.certificate_pem;
  options.key_pem = issued.key_pem;
  GrpcTransport second(std::move(options));
  const auto started = second.Start(away_events_);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().detail.find(std::to_string(home->port())), std::string::npos);
}

}  // namespace
}  // namespace symbolon::replication::grpc_link
