#include "link.h"

#include <gtest/gtest.h>

#include <set>

namespace symbolon::delay_link {
namespace {

using std::chrono::milliseconds;

constexpr Path kFar{.delay = milliseconds(40), .jitter = milliseconds(10), .loss = 0};
const Time kStart{};

Link Between(std::size_t places, Path path, bool keep_order = false) {
  return Link(places, std::nullopt, path, /*seed=*/7, keep_order);
}

TEST(DelayLinkTest, EveryPacketTakesTheDelayMoreOrLessTheJitter) {
  Link link = Between(2, kFar);
  std::set<std::chrono::nanoseconds> delays;
  for (int i = 0; i < 1000; ++i) {
    link.Send(0, 1, "packet", kStart);
    const Time due = link.NextDue().value();
    EXPECT_GE(due - kStart, milliseconds(30));
    EXPECT_LE(due - kStart, milliseconds(50));
    EXPECT_FALSE(link.Receive(due - std::chrono::nanoseconds(1)));
    const auto delivery = link.Receive(due);
    ASSERT_TRUE(delivery);
    EXPECT_EQ(delivery->to, 1u);
    EXPECT_EQ(delivery->packet, "packet");
    delays.insert(due - kStart);
  }
  EXPECT_LT(*delays.begin(), milliseconds(31) + Time::duration(0));
  EXPECT_GT(*delays.rbegin(), milliseconds(49) + Time::duration(0));
}

std::vector<std::string> ArrivalOf100(Link& link) {
  for (int i = 0; i < 100; ++i) link.Send(0, 1, std::to_string(i), kStart + milliseconds(i));
  std::vector<std::string> arrival;
  while (const auto delivery = link.Receive(kStart + std::chrono::hours(1))) arrival.push_back(delivery->packet);
  return arrival;
}

TEST(DelayLinkTest, PacketsOvertakeEachOtherUnlessTheirOrderIsKept) {
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) sent.push_back(std::to_string(i));
  Link free = Between(2, kFar);
  Link orderly = Between(2, kFar, /*keep_order=*/true);
  EXPECT_NE(ArrivalOf100(free), sent);
  EXPECT_EQ(ArrivalOf100(orderly), sent);
}

TEST(DelayLinkTest, TheAskedShareIsLost) {
  Link link = Between(2, {.delay = milliseconds(0), .jitter = milliseconds(0), .loss = 0.1});
  for (int i = 0; i < 10'000; ++i) {
    link.Send(0, 1, "packet", kStart);
    link.Receive(kStart);
  }
  EXPECT_NEAR(static_cast<double>(link.counters().lost), 1000, 150);
  EXPECT_EQ(link.counters().lost + link.counters().carried, 10'000u);
}

TEST(DelayLinkTest, ACutDropsOneDirectionAndWhatIsUnderWayInIt) {
  Link link = Between(3, kFar);
  const Time late = kStart + std::chrono::seconds(1);
  link.Send(0, 1, "under way", kStart);
  link.Cut(0, 1);
  link.Send(0, 1, "after the cut", kStart);
  EXPECT_FALSE(link.Receive(late));
  EXPECT_EQ(link.counters().cut, 2u);
  link.Send(1, 0, "back", kStart);
  EXPECT_EQ(link.Receive(late).value().packet, "back");
  link.Send(0, 2, "elsewhere", kStart);
  EXPECT_EQ(link.Receive(late).value().packet, "elsewhere");
  link.Heal(0, 1);
  link.Send(0, 1, "healed", kStart);
  EXPECT_EQ(link.Receive(late).value().packet, "healed");
}

TEST(DelayLinkTest, TheNearPlaceIsNeitherFarNorLossyButCanBeCut) {
  Link link(2, /*near=*/1, {.delay = milliseconds(40), .jitter = milliseconds(10), .loss = 1}, 7, false);
  link.Send(0, 1, "to", kStart);
  link.Send(1, 0, "from", kStart);
  EXPECT_EQ(link.Receive(kStart).value().packet, "to");
  EXPECT_EQ(link.Receive(kStart).value().packet, "from");
  link.Cut(1, 0);
  link.Send(1, 0, "cut", kStart);
  EXPECT_FALSE(link.Receive(kStart));
}

TEST(DelayLinkTest, PacketsUnderWayAreBounded) {
  Link link = Between(2, kFar);
  for (std::size_t i = 0; i < Link::kPacketsMax + 5; ++i) link.Send(0, 1, "", kStart);
  EXPECT_EQ(link.counters().overrun, 5u);
}

}  // namespace
}  // namespace symbolon::delay_link
