#include "replication/forwarding.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

const Region kHere("us-east-1");
const Region kPrimary("eu-central-1");
const Region kThird("ap-south-1");

ForwardReply Answered(Bytes payload) {
  ForwardReply reply{.sent = true, .answer = pb::ControlAnswer()};
  reply.answer->set_payload(std::move(payload));
  return reply;
}

ForwardReply Refused(pb::ControlErrorCode code, const std::string& detail = {}) {
  ForwardReply reply{.sent = true, .answer = pb::ControlAnswer()};
  reply.answer->mutable_error()->set_code(code);
  reply.answer->mutable_error()->set_detail(detail);
  return reply;
}

ForwardOutcome EndOf(ForwardReply reply) {
  ForwardRoute route(kHere, kPrimary);
  const auto end = route.OnReply(std::move(reply));
  EXPECT_TRUE(end.has_value());
  return end ? end->outcome : ForwardOutcome::kAnswered;
}

TEST(ForwardRoute, TheAnswerOfThePrimaryEndsIt) {
  ForwardRoute route(kHere, kPrimary);
  EXPECT_EQ(route.target(), kPrimary);
  const auto end = route.OnReply(Answered("yes"));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->outcome, ForwardOutcome::kAnswered);
  EXPECT_EQ(end->region, kPrimary);
  EXPECT_EQ(end->answer, "yes");
}

TEST(ForwardRoute, WhatWasNotSentIsToldFromWhatWasNotAnswered) {
  EXPECT_EQ(EndOf({.sent = false, .answer = {}}), ForwardOutcome::kNotReached);
  EXPECT_EQ(EndOf({.sent = true, .answer = {}}), ForwardOutcome::kUnknown);
}

TEST(ForwardRoute, OnlyRefusalsThatDidNothingAreTakenForRefusals) {
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_REFUSED)), ForwardOutcome::kRefused);
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_NOT_MEMBER)), ForwardOutcome::kRefused);
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_WRONG_STATE)), ForwardOutcome::kRefused);
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_UNAVAILABLE)), ForwardOutcome::kUnknown);
  EXPECT_EQ(EndOf(Refused(static_cast<pb::ControlErrorCode>(99))), ForwardOutcome::kUnknown);
}

TEST(ForwardRoute, ARegionThatIsNotThePrimarySendsItOnOnce) {
  ForwardRoute route(kHere, kPrimary);
  EXPECT_FALSE(route.OnReply(Refused(pb::CONTROL_NOT_PRIMARY, kThird.value())));
  EXPECT_EQ(route.target(), kThird);
  // Not back and not further: two Regions that each take the other for the primary would send it for ever.
  const auto end = route.OnReply(Refused(pb::CONTROL_NOT_PRIMARY, kPrimary.value()));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->outcome, ForwardOutcome::kChanging);
  EXPECT_EQ(end->region, kThird);
}

TEST(ForwardRoute, NobodyIsAskedTwiceOrWithoutAName) {
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_NOT_PRIMARY, kPrimary.value())), ForwardOutcome::kChanging);
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_NOT_PRIMARY, "")), ForwardOutcome::kChanging);
}

TEST(ForwardRoute, TheAskingRegionMayBeThePrimaryByNow) {
  EXPECT_EQ(EndOf(Refused(pb::CONTROL_NOT_PRIMARY, kHere.value())), ForwardOutcome::kIsHere);
}

}  // namespace
}  // namespace symbolon::replication
