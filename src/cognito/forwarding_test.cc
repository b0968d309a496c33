// A secondary that passes on what is the primary's to do: two Regions' pipelines, with the way between them in the
// test's hands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <thread>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "base/manual_clock.h"
#include "cognito/forwarded.h"
#include "cognito/test_region.h"
#include "replication/position.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;
using replication::ControlErrorCode;
using replication::Forwarded;
using replication::ForwardOutcome;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kPrimary = "eu-central-1";
constexpr const char* kSecondary = "us-east-1";
constexpr const char* kPassword = "Correct-Horse-9";

std::string HeaderOf(const http::Headers& headers, std::string_view name) {
  return std::string(headers.Find(name).value_or(""));
}

class ForwardingTest : public testing::Test {
 protected:
  ForwardingTest() {
    there_.forward = [this](const PoolId& pool, const Region& primary, const Bytes& request, const auto& done) {
      ++sent_;
      EXPECT_EQ(primary, Region(kPrimary));
      done(Deliver(pool, request));
    };
    pool_ = here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key_}}}});
    EXPECT_EQ(here_.Call("CreateUserPoolReplica", {{"UserPoolId", pool_.value()}, {"RegionName", kSecondary}}).error(),
              "");
    client_ = here_.CreateClient(pool_, {{"ExplicitAuthFlows", {"ALLOW_USER_PASSWORD_AUTH"}}});
    SetState(replication::pb::ACTIVE);
  }

  void SetState(replication::pb::MemberState state) {
    here_.SetMemberState(pool_, kSecondary, state);
    there_.CopyPool(here_, pool_);
  }
  // As the link would: to the primary, and what it wrote arrives at the secondary before its answer.
  Forwarded Deliver(const PoolId& pool, const Bytes& octets) {
    auto request = ParseForwardedRequest(octets);
    EXPECT_TRUE(request);
    const auto answer = here_.TakeForwarded(Region(kSecondary), pool, *std::move(request));
    EXPECT_TRUE(answer) << answer.error().detail;
    there_.CopyPool(here_, pool_);
    return {.outcome = ForwardOutcome::kAnswered, .region = Region(kPrimary), .answer = EncodeForwarded(*answer)};
  }
  // The way between the Regions ends so.
  void End(ForwardOutcome outcome) {
    there_.forward = [this, outcome](const PoolId&, const Region&, const Bytes&, const auto& done) {
      ++sent_;
      done(Forwarded{.outcome = outcome, .region = Region(kPrimary), .answer = {}, .detail = "why"});
    };
  }
  ApiRegion::Answer SignUp(ApiRegion& region, const std::string& name) {
    return region.CallUnsigned("SignUp", {{"ClientId", client_}, {"Username", name}, {"Password", kPassword}});
  }
  ApiRegion::Answer CreateUser(ApiRegion& region, const std::string& name) {
    return region.Call("AdminCreateUser", {{"UserPoolId", pool_.value()},
                                           {"Username", name},
                                           {"TemporaryPassword", kPassword},
                                           {"MessageAction", "SUPPRESS"}});
  }
  bool HasUser(ApiRegion& region, const std::string& name) {
    return region.Call("AdminGetUser", {{"UserPoolId", pool_.value()}, {"Username", name}}).error().empty();
  }
  // A signed request as a client makes it, in octets as they go over the link.
  http::Request Signed(std::string_view operation, const object& body) {
    http::Request request = there_.Request(operation, boost::json::serialize(body));
    there_.Sign(request);
    request.received = clock_.Now();
    return request;
  }
  replication::ControlErrorCode Refusal(http::Request request, const std::string& from = kSecondary) {
    const auto answer = here_.TakeForwarded(Region(from), pool_, std::move(request));
    EXPECT_FALSE(answer);
    return answer ? ControlErrorCode::kUnavailable : answer.error().code;
  }

  ManualClock clock_;
  ApiRegion here_{kPrimary, clock_}, there_{kSecondary, clock_, /*forward_writes=*/true};
  // As the primary names the pool's key.
  const std::string key_ = here_.CreateSharedKey(there_);
  PoolId pool_;
  std::string client_;
  int sent_ = 0;
};

// ---- the Region that was asked ----

TEST_F(ForwardingTest, Change_IsMadeByThePrimaryAndAnsweredAsItAnswers) {
  const auto answer = CreateUser(there_, "ann");
  EXPECT_EQ(answer.error(), "");
  EXPECT_EQ(answer.text("/User/Username"), "ann");
  EXPECT_TRUE(HasUser(here_, "ann"));
  EXPECT_EQ(HeaderOf(answer.headers, "Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(HeaderOf(answer.headers, "x-amzn-RequestId").size(), 36u);
  const auto position = replication::ParsePosition(HeaderOf(answer.headers, "x-symbolon-position"));
  ASSERT_TRUE(position);
  EXPECT_EQ(position->pool, pool_);
  EXPECT_EQ(there_.outcomes["AdminCreateUser"], "ok");
  EXPECT_THAT(there_.forwarded, ElementsAre(ForwardOutcome::kAnswered));
}

TEST_F(ForwardingTest, EndUserNeedsNoSignature) {
  EXPECT_EQ(SignUp(there_, "bob").error(), "");
  EXPECT_TRUE(HasUser(here_, "bob"));
}

TEST_F(ForwardingTest, PositionThatOnlyThePrimaryHas_IsNotWaitedForHere) {
  const std::string position = HeaderOf(CreateUser(here_, "ann").headers, "x-symbolon-position");
  std::jthread ticker([this](const std::stop_token& stop) {
    for (std::chrono::seconds now(1); !stop.stop_requested(); now += std::chrono::seconds(1)) {
      there_.positions().OnTick({.wall = {}, .since_boot = now});
      std::this_thread::yield();
    }
  });
  const auto send = [&](std::string_view operation, const object& body) {
    http::Request request = there_.Request(operation, boost::json::serialize(body));
    request.headers.Set(replication::kPositionHeader, position);
    there_.Sign(request);
    return there_.Send(std::move(request));
  };
  const object ann{{"UserPoolId", pool_.value()}, {"Username", "ann"}};
  EXPECT_THAT(send("AdminGetUser", ann).error(), StartsWith("ReplicaBehindException: "))
      << "what is served here is waited for";
  EXPECT_EQ(send("AdminDeleteUser", ann).error(), "");
  EXPECT_EQ(sent_, 1);
}

TEST_F(ForwardingTest, FailureOfThePrimary_IsTheAnswer) {
  ASSERT_EQ(SignUp(there_, "bob").error(), "");
  const auto again = SignUp(there_, "bob");
  EXPECT_EQ(again.status, 400);
  EXPECT_THAT(again.error(), StartsWith("UsernameExistsException: "));
  EXPECT_EQ(HeaderOf(again.headers, "x-amzn-ErrorType"), "UsernameExistsException:");
  EXPECT_EQ(there_.outcomes["SignUp"], "UsernameExistsException");
}

TEST_F(ForwardingTest, OperationThatTurnsOutToChangeTheDirectory_IsPassedOn) {
  ASSERT_EQ(CreateUser(there_, "ann").error(), "");
  sent_ = 0;
  const auto challenge =
      there_.CallUnsigned("InitiateAuth", {{"ClientId", client_},
                                           {"AuthFlow", "USER_PASSWORD_AUTH"},
                                           {"AuthParameters", {{"USERNAME", "ann"}, {"PASSWORD", kPassword}}}});
  EXPECT_EQ(challenge.text("/ChallengeName"), "NEW_PASSWORD_REQUIRED");
  EXPECT_EQ(sent_, 0);
  const auto signed_in = there_.CallUnsigned(
      "RespondToAuthChallenge", {{"ClientId", client_},
                                 {"ChallengeName", "NEW_PASSWORD_REQUIRED"},
                                 {"Session", challenge.text("/Session")},
                                 {"ChallengeResponses", {{"USERNAME", "ann"}, {"NEW_PASSWORD", "Another-Horse-8"}}}});
  EXPECT_EQ(signed_in.error(), "");
  EXPECT_EQ(sent_, 1);
  EXPECT_NE(signed_in.text("/AuthenticationResult/AccessToken"), "");
  // With an access token of the primary's, to the secondary, which has it done by the primary.
  const auto changed =
      there_.CallUnsigned("ChangePassword", {{"AccessToken", signed_in.text("/AuthenticationResult/AccessToken")},
                                             {"PreviousPassword", "Another-Horse-8"},
                                             {"ProposedPassword", "Third-Horse-7"}});
  EXPECT_EQ(changed.error(), "");
  EXPECT_EQ(sent_, 2);
}

TEST_F(ForwardingTest, WhatASecondaryMayDo_StaysThere) {
  ASSERT_EQ(CreateUser(here_, "ann").error(), "");
  there_.CopyPool(here_, pool_);
  EXPECT_TRUE(HasUser(there_, "ann"));
  EXPECT_EQ(there_
                .CallUnsigned("InitiateAuth", {{"ClientId", client_},
                                               {"AuthFlow", "USER_PASSWORD_AUTH"},
                                               {"AuthParameters", {{"USERNAME", "ann"}, {"PASSWORD", "wrong"}}}})
                .error(),
            "NotAuthorizedException: Incorrect username or password.");
  EXPECT_EQ(sent_, 0);
}

TEST_F(ForwardingTest, RequestThatIsRefusedAnyway_IsNotPassedOn) {
  EXPECT_EQ(there_.Send(there_.Request("AdminCreateUser", "{}")).status, 403);
  EXPECT_THAT(there_.Call("AdminCreateUser", {{"UserPoolId", pool_.value()}}).error(),
              StartsWith("InvalidParameterException: "));
  EXPECT_THAT(there_.Call("AdminCreateUser", {{"UserPoolId", "eu-central-1_none"}, {"Username", "u"}}).error(),
              StartsWith("ResourceNotFoundException: "));
  SetState(replication::pb::INACTIVE);
  EXPECT_THAT(SignUp(there_, "bob").error(), StartsWith("OperationNotEnabledException: "));
  EXPECT_EQ(sent_, 0);
  EXPECT_EQ(CreateUser(there_, "ann").error(), "");
}

// The answer of the primary would come through it in clear.
TEST_F(ForwardingTest, RegionWhoseKeyIsWithdrawn_PassesNothingOn) {
  const std::string key = "arn:aws:kms:us-east-1" + key_.substr(key_.find(":000000000000:key/"));
  ASSERT_TRUE(there_.key_service().DisableKey(key));
  const std::string locked = "OperationNotEnabledException: The KMS key of the user pool is disabled.";
  EXPECT_EQ(CreateUser(there_, "ann").error(), locked);
  EXPECT_EQ(SignUp(there_, "bob").error(), locked);
  EXPECT_EQ(there_
                .Call("UpdateUserPoolReplica",
                      {{"UserPoolId", pool_.value()}, {"RegionName", kSecondary}, {"Status", "INACTIVE"}})
                .error(),
            locked);
  EXPECT_EQ(sent_, 0);
  ASSERT_TRUE(there_.key_service().EnableKey(key));
  EXPECT_EQ(CreateUser(there_, "ann").error(), "");
  EXPECT_EQ(sent_, 1);
}

TEST_F(ForwardingTest, SettingOff_IsRefusedExceptTheStateOfAReplica) {
  ApiRegion plain(kSecondary, clock_);
  const std::string key = here_.CreateSharedKey(plain);
  const PoolId pool =
      here_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}}});
  const object replica{{"UserPoolId", pool.value()}, {"RegionName", kSecondary}};
  ASSERT_EQ(here_.Call("CreateUserPoolReplica", replica).error(), "");
  here_.SetMemberState(pool, kSecondary, replication::pb::INACTIVE);
  plain.CopyPool(here_, pool);
  plain.forward = [&](const PoolId& about, const Region&, const Bytes& request, const auto& done) {
    const auto answer = here_.TakeForwarded(Region(kSecondary), about, *ParseForwardedRequest(request));
    plain.CopyPool(here_, pool);
    done(Forwarded{.outcome = ForwardOutcome::kAnswered, .region = {}, .answer = EncodeForwarded(*answer)});
  };
  EXPECT_THAT(plain.Call("CreateGroup", {{"UserPoolId", pool.value()}, {"GroupName", "g"}}).error(),
              HasSubstr("The primary Region is eu-central-1."));
  EXPECT_THAT(plain.forwarded, IsEmpty());
  here_.ask_about_keys = [&](const Region&, const Bytes& request) {
    return plain.AnswerAboutKeys(Region(kPrimary), request);
  };
  const auto activated = plain.Call("UpdateUserPoolReplica",
                                    {{"UserPoolId", pool.value()}, {"RegionName", kSecondary}, {"Status", "ACTIVE"}});
  EXPECT_EQ(activated.error(), "");
  EXPECT_EQ(activated.text("/UserPoolReplica/Status"), "ACTIVE");
  EXPECT_EQ(activated.text("/UserPoolReplica/UserPoolArn"),
            "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool.value());
}

TEST_F(ForwardingTest, PrimaryNotReached_NothingWasDoneAndClientsMayTryAgain) {
  End(ForwardOutcome::kNotReached);
  const auto refused = CreateUser(there_, "ann");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(HeaderOf(refused.headers, "Retry-After"), "1");
  EXPECT_THAT(refused.error(), StartsWith("ServiceUnavailableException: Nothing was changed: AdminCreateUser "));
  EXPECT_THAT(refused.error(), HasSubstr(kPrimary));
}

TEST_F(ForwardingTest, PrimaryDoesNotAnswer_OutcomeIsUnknownAndItIsNotSentAgain) {
  End(ForwardOutcome::kUnknown);
  const auto unknown = CreateUser(there_, "ann");
  EXPECT_EQ(unknown.status, 409);
  EXPECT_THAT(unknown.error(), StartsWith("WriteUnconfirmedException: AdminCreateUser was passed on to Region "));
  EXPECT_EQ(HeaderOf(unknown.headers, "Retry-After"), "");
  EXPECT_EQ(sent_, 1);
}

TEST_F(ForwardingTest, PrimaryAnswersWithWhatIsNoAnswer_OutcomeIsUnknownAndItIsNotSentAgain) {
  there_.forward = [this](const PoolId&, const Region&, const Bytes&, const auto& done) {
    ++sent_;
    done(Forwarded{.outcome = ForwardOutcome::kAnswered, .region = Region(kPrimary), .answer = "\xff", .detail = {}});
  };
  const auto unknown = CreateUser(there_, "ann");
  EXPECT_EQ(unknown.status, 409);
  EXPECT_THAT(unknown.error(), StartsWith("WriteUnconfirmedException: AdminCreateUser was passed on to Region "));
  EXPECT_EQ(sent_, 1);
}

TEST_F(ForwardingTest, OtherEnds) {
  End(ForwardOutcome::kBusy);
  EXPECT_EQ(CreateUser(there_, "ann").error(), "TooManyRequestsException: Rate exceeded");
  End(ForwardOutcome::kChanging);
  EXPECT_EQ(CreateUser(there_, "ann").error(),
            "ServiceUnavailableException: The user pool's primary Region is changing.");
  End(ForwardOutcome::kRefused);
  EXPECT_THAT(CreateUser(there_, "ann").error(), HasSubstr("The primary Region is eu-central-1."));
}

TEST_F(ForwardingTest, AnswerWaitsForItsWriteToArrive_ButNotForLong) {
  there_.forward = [this](const PoolId& pool, const Region&, const Bytes& request, const auto& done) {
    const auto answer = here_.TakeForwarded(Region(kSecondary), pool, *ParseForwardedRequest(request));
    done(Forwarded{.outcome = ForwardOutcome::kAnswered, .region = {}, .answer = EncodeForwarded(*answer)});
  };
  std::atomic<bool> answered = false;
  std::jthread ticker([&](const std::stop_token& stop) {
    for (std::chrono::milliseconds now(499); !stop.stop_requested(); std::this_thread::yield()) {
      there_.positions().OnTick({.wall = {}, .since_boot = clock_.SinceBoot() + now});
      if (now.count() == 499) EXPECT_FALSE(answered);
      now = std::chrono::milliseconds(500);
    }
  });
  const auto answer = CreateUser(there_, "ann");
  answered = true;
  EXPECT_EQ(answer.error(), "");
  EXPECT_FALSE(HasUser(there_, "ann"));
}

TEST_F(ForwardingTest, PrimaryHandedOverToThisRegion_TheRequestIsDoneHere) {
  there_.forward = [this](const PoolId&, const Region&, const Bytes&, const auto& done) {
    ++sent_;
    there_.ChangeRole(pool_, [](replication::pb::RoleRecord& role) {
      role = *replication::TakeOver(role, Region(kSecondary), 2, Timestamp());
    });
    done(Forwarded{.outcome = ForwardOutcome::kIsHere, .region = Region(kPrimary), .answer = {}, .detail = {}});
  };
  EXPECT_EQ(CreateUser(there_, "ann").error(), "");
  EXPECT_EQ(sent_, 1);
  EXPECT_TRUE(HasUser(there_, "ann"));
  EXPECT_FALSE(HasUser(here_, "ann"));
}

TEST_F(ForwardingTest, PrimaryKeepsNamingThisRegion_ClientsMayTryAgain) {
  End(ForwardOutcome::kIsHere);
  const auto refused = CreateUser(there_, "ann");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(sent_, 3);
}

TEST_F(ForwardingTest, RegionAboutToBegin_WaitsForItsEpoch) {
  there_.ChangeRole(pool_, [](replication::pb::RoleRecord& role) {
    role = *replication::HandOver(role, Region(kSecondary), Timestamp());
  });
  there_.write_gate().Set(pool_, false);
  std::jthread opener([this] {
    there_.ChangeRole(pool_, [](replication::pb::RoleRecord& role) {
      role = *replication::TakeOver(role, Region(kSecondary), 2, Timestamp());
    });
    there_.write_gate().Set(pool_, true);
  });
  EXPECT_EQ(CreateUser(there_, "ann").error(), "");
  EXPECT_TRUE(HasUser(there_, "ann"));
  EXPECT_EQ(sent_, 0);
}

// ---- what the audit trail of the Region that was asked says ----

class AuditedForwardingTest : public ForwardingTest {
 protected:
  AuditedForwardingTest() { there_.SetAudit(*trail_); }

  std::string Erase(const std::string& name) {
    return there_.Call("SymbolonService.EraseUser", {{"UserPoolId", pool_.value()}, {"Username", name}}).error();
  }
  std::vector<std::string> Records() {
    std::vector<std::string> records;
    SYMBOLON_CHECK(audit::ForEachEvent(test_.directory, {}, [&](auto record) { records.emplace_back(record); }));
    return records;
  }

  audit::TestTrail test_;
  std::unique_ptr<audit::Trail> trail_ = test_.Open();
};

TEST_F(AuditedForwardingTest, RefusalOfThePrimary_IsNoSuccess) {
  EXPECT_THAT(Erase("nobody"), StartsWith("UserNotFoundException: "));
  EXPECT_EQ(sent_, 1);
  EXPECT_THAT(
      Records(),
      ElementsAre(AllOf(HasSubstr(R"("eventName":"EraseUser")"), HasSubstr(R"("errorCode":"UserNotFoundException")"),
                        HasSubstr(R"("errorMessage":"User does not exist.")"), HasSubstr("key/mrk-"))));
}

TEST_F(AuditedForwardingTest, SuccessOfThePrimary_IsOne) {
  ASSERT_EQ(CreateUser(there_, "ann").error(), "");
  EXPECT_EQ(Erase("ann"), "");
  EXPECT_THAT(Records(), ElementsAre(AllOf(HasSubstr(R"("eventName":"EraseUser")"), Not(HasSubstr("errorCode")))));
}

TEST_F(AuditedForwardingTest, PrimaryNotReached_IsNoSuccess) {
  End(ForwardOutcome::kNotReached);
  EXPECT_THAT(Erase("ann"), StartsWith("ServiceUnavailableException: "));
  EXPECT_THAT(Records(), ElementsAre(HasSubstr(R"("errorCode":"ServiceUnavailableException")")));
}

TEST_F(AuditedForwardingTest, AnswerOfThePrimary_IsWithheldWhenItCannotBeAudited) {
  ASSERT_EQ(CreateUser(there_, "ann").error(), "");
  const audit::FullDisk full(1);
  EXPECT_THAT(Erase("ann"), StartsWith("ServiceUnavailableException: The call cannot be audited."));
  EXPECT_EQ(sent_, 2);
}

// ---- the primary ----

TEST_F(ForwardingTest, RequestOfAnotherRegion_IsVerifiedAsAnyOther) {
  const object body{{"UserPoolId", pool_.value()}, {"GroupName", "g"}};
  http::Request request = Signed("CreateGroup", body);
  request.headers.Remove("Authorization");
  const auto unsigned_answer = here_.TakeForwarded(Region(kSecondary), pool_, std::move(request));
  ASSERT_TRUE(unsigned_answer);
  EXPECT_EQ(unsigned_answer->status, 403);
  request = Signed("CreateGroup", body);
  request.body.replace(request.body.find("\"g\""), 3, "\"h\"");
  const auto altered = here_.TakeForwarded(Region(kSecondary), pool_, std::move(request));
  ASSERT_TRUE(altered);
  EXPECT_THAT(altered->body, HasSubstr("InvalidSignatureException"));
}

TEST_F(ForwardingTest, SignatureThatGrewOldOnTheWay_IsAsOldAsItWasAtArrival) {
  http::Request request = Signed("CreateGroup", {{"UserPoolId", pool_.value()}, {"GroupName", "g"}});
  clock_.Advance(std::chrono::minutes(4));
  request.received = clock_.Now();
  clock_.Advance(std::chrono::minutes(4));
  here_.TickKeys();
  const auto answer = here_.TakeForwarded(Region(kSecondary), pool_, request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  // But no Region may say that it came long ago, or tomorrow.
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_EQ(Refusal(request), ControlErrorCode::kRefused);
  request.received = clock_.Now() + std::chrono::minutes(6);
  EXPECT_EQ(Refusal(request), ControlErrorCode::kRefused);
}

TEST_F(ForwardingTest, RegionThatIsNotThePrimary_NamesItAndNeverPassesItOn) {
  there_.ChangeRole(pool_, [](replication::pb::RoleRecord& role) {
    *role.add_members() = role.members(0);
    role.mutable_members(1)->set_region("ap-south-1");
  });
  const auto answer = there_.TakeForwarded(Region("ap-south-1"), pool_,
                                           Signed("CreateGroup", {{"UserPoolId", pool_.value()}, {"GroupName", "g"}}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ControlErrorCode::kNotPrimary);
  EXPECT_EQ(answer.error().detail, kPrimary);
  EXPECT_EQ(sent_, 0);
}

TEST_F(ForwardingTest, RegionThatHearsFromThePrimaryThatItIsPrimary_WaitsForThatEntry) {
  std::jthread replication([this](const std::stop_token& stop) {
    // As soon as the request waits.
    there_.ChangeRole(pool_, [](replication::pb::RoleRecord& role) {
      role = *replication::TakeOver(role, Region(kSecondary), 2, Timestamp());
    });
    while (!stop.stop_requested()) {
      there_.positions().OnHead(pool_, **there_.store().store().MakeSnapshot()->Head(pool_));
      std::this_thread::yield();
    }
  });
  const auto answer = there_.TakeForwarded(Region(kPrimary), pool_,
                                           Signed("CreateGroup", {{"UserPoolId", pool_.value()}, {"GroupName", "g"}}));
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->status, 200) << answer->body;
}

TEST_F(ForwardingTest, RegionWithoutAReplica_IsNoSender) {
  const object body{{"UserPoolId", pool_.value()}, {"GroupName", "g"}};
  EXPECT_EQ(Refusal(Signed("CreateGroup", body), "ap-south-1"), ControlErrorCode::kNotMember);
  here_.SetMemberState(pool_, kSecondary, replication::pb::DELETING);
  EXPECT_EQ(Refusal(Signed("CreateGroup", body)), ControlErrorCode::kNotMember);
}

TEST_F(ForwardingTest, RequestThatIsNotTheKind_IsNotTaken) {
  const PoolId other = here_.CreatePool();
  EXPECT_EQ(Refusal(Signed("CreateGroup", {{"UserPoolId", other.value()}, {"GroupName", "g"}})),
            ControlErrorCode::kRefused);
  EXPECT_EQ(Refusal(Signed("CreateUserPool", {{"PoolName", "p"}})), ControlErrorCode::kRefused);
  EXPECT_EQ(Refusal(Signed("TrentService.CreateKey", {})), ControlErrorCode::kRefused);
  EXPECT_EQ(Refusal(Signed("SymbolonService.PromoteUserPoolReplica",
                           {{"UserPoolId", pool_.value()}, {"RegionName", kSecondary}})),
            ControlErrorCode::kRefused);
  EXPECT_EQ(Refusal(Signed("Nonsense", {})), ControlErrorCode::kRefused);
  http::Request large = Signed("CreateGroup", {{"UserPoolId", pool_.value()}, {"GroupName", "g"}});
  large.body.resize(65'537, ' ');
  EXPECT_EQ(Refusal(std::move(large)), ControlErrorCode::kRefused);
}

// ---- what goes over the link ----

TEST(Forwarded, RequestsAndResponsesComeBackAsTheyWere) {
  const http::Request request{.method = "POST",
                              .target = "/?a=%00",
                              .headers = {{"Host", "a"}, {"x-two", "1"}, {"x-two", "\xff\x01"}},
                              .body = Bytes("\0{\"\xfe\"}", 6),
                              .peer_address = "192.0.2.1",
                              .is_loopback = true};
  const auto there = ParseForwardedRequest(EncodeForwarded(request, FromSeconds(1'800'000'000)));
  ASSERT_TRUE(there);
  EXPECT_EQ(there->method, request.method);
  EXPECT_EQ(there->target, request.target);
  EXPECT_TRUE(std::ranges::equal(there->headers, request.headers));
  EXPECT_EQ(there->body, request.body);
  EXPECT_EQ(there->peer_address, request.peer_address);
  EXPECT_FALSE(there->is_loopback);
  EXPECT_EQ(there->received, FromSeconds(1'800'000'000));

  const http::Response response{.status = 409, .headers = {{"a", "b"}}, .body = "{}"};
  const auto back = ParseForwardedResponse(EncodeForwarded(response));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->status, 409);
  EXPECT_TRUE(std::ranges::equal(back->headers, response.headers));
  EXPECT_EQ(back->body, "{}");
  EXPECT_FALSE(ParseForwardedResponse(""));
  EXPECT_FALSE(ParseForwardedRequest("\xff"));
}

}  // namespace
}  // namespace symbolon::cognito
