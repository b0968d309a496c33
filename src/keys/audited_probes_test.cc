#include "keys/audited_probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "audit/verify.h"
#include "keys/local/test_support.h"

namespace symbolon::keys {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class AuditedProbesTest : public testing::Test {
 protected:
  bool Probe(const EncryptionContext& context = {{"pool", "1"}}) {
    const auto wrapped = local_->GenerateDataKeyWithoutPlaintext(arn_, context);
    return probes_->Decrypt(arn_, context, wrapped ? *wrapped : Bytes("x")).has_value();
  }
  // What was written since it was asked last.
  std::vector<std::string> News() {
    std::vector<std::string> records;
    SYMBOLON_CHECK(audit::ForEachEvent(test_.directory, {}, [&](auto record) { records.emplace_back(record); }));
    std::vector<std::string> news(records.begin() + static_cast<std::ptrdiff_t>(told_), records.end());
    told_ = records.size();
    return news;
  }
  void OpenProbes(std::chrono::nanoseconds interval) {
    probes_.reset();
    probes_.emplace(*local_, audited_, *trail_, test_.clock, interval);
  }

  audit::TestTrail test_;
  TemporaryDirectory folder_;
  std::unique_ptr<audit::Trail> trail_ = test_.Open();
  std::unique_ptr<local::LocalKeyProvider> local_ =
      local::OpenTestProvider(folder_.path(), Region("eu-central-1"), test_.clock).value();
  const std::string arn_ = local_->CreateKey(false, "").value().arn;
  AuditedKeyProvider audited_{*local_, *trail_, test_.clock};
  std::optional<AuditedProbes> probes_{std::in_place, *local_, audited_, *trail_, test_.clock, 60s};
  std::size_t told_ = 0;
};

const auto kFull = AllOf(HasSubstr(R"("eventName":"Decrypt")"), HasSubstr(R"("encryptionContext":{"pool":"1"})"),
                         Not(HasSubstr("additionalEventData")));

auto Counted(int count) {
  return AllOf(HasSubstr(R"("eventName":"Decrypt")"), Not(HasSubstr("errorCode")),
               HasSubstr(R"("additionalEventData":{"count":)" + std::to_string(count) + ","));
}

TEST_F(AuditedProbesTest, FirstSuccessIsWrittenInFullAndTheNextAreCounted) {
  ASSERT_TRUE(Probe());
  EXPECT_THAT(News(), ElementsAre(kFull));
  test_.clock.Advance(2s);
  const std::string first = audit::FormatTime(test_.clock.Now());
  for (int i = 0; i < 29; ++i) {
    ASSERT_TRUE(Probe({{"pool", i % 2 == 0 ? "1" : "2"}}));
    probes_->Tick();
    test_.clock.Advance(2s);
  }
  EXPECT_THAT(News(), IsEmpty());
  const std::string last = audit::FormatTime(test_.clock.Now() - 2s);
  probes_->Tick();
  EXPECT_THAT(News(), ElementsAre(AllOf(Counted(29), HasSubstr(R"("keyId":")" + arn_),
                                        HasSubstr(R"("firstEventTime":")" + first + '"'),
                                        HasSubstr(R"("lastEventTime":")" + last + '"'),
                                        HasSubstr(R"({"count":15,"encryptionContext":{"pool":"1"}})"),
                                        HasSubstr(R"({"count":14,"encryptionContext":{"pool":"2"}})"))));
  EXPECT_TRUE(audit::VerifyTrail(test_.directory, {})->good());
}

TEST_F(AuditedProbesTest, FirstRefusalIsWrittenInFullAfterWhatWasCountedAndTheNextAreCounted) {
  ASSERT_TRUE(Probe());
  ASSERT_TRUE(Probe());
  ASSERT_TRUE(Probe());
  News();
  ASSERT_TRUE(local_->DisableKey(arn_));
  const auto refused = AllOf(HasSubstr(R"("errorCode":"DisabledException")"), Not(HasSubstr("additionalEventData")));
  ASSERT_FALSE(Probe());
  EXPECT_THAT(News(), ElementsAre(Counted(2), refused));
  ASSERT_FALSE(Probe());
  ASSERT_FALSE(Probe({{"pool", "2"}}));
  EXPECT_THAT(News(), IsEmpty());
  test_.clock.Advance(60s);
  probes_->Tick();
  const auto refused_again =
      AllOf(HasSubstr(R"("errorCode":"DisabledException")"), HasSubstr(R"("additionalEventData":{"count":2,)"),
            HasSubstr(R"({"count":1,"encryptionContext":{"pool":"2"}})"));
  EXPECT_THAT(News(), ElementsAre(refused_again));
  ASSERT_FALSE(Probe());
  ASSERT_FALSE(Probe());
  ASSERT_TRUE(local_->EnableKey(arn_));
  ASSERT_TRUE(Probe());
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr("DisabledException"), HasSubstr(R"("count":2,)")), kFull));
}

TEST_F(AuditedProbesTest, RefusalForAnotherReason_IsWrittenInFull) {
  ASSERT_TRUE(local_->DisableKey(arn_));
  ASSERT_FALSE(Probe());
  ASSERT_TRUE(local_->ScheduleDeletion(arn_, 7));
  ASSERT_FALSE(Probe());
  EXPECT_THAT(News(), ElementsAre(HasSubstr("DisabledException"), HasSubstr("KMSInvalidStateException")));
}

TEST_F(AuditedProbesTest, WhatWasCountedIsWrittenAtTheEnd) {
  ASSERT_TRUE(Probe());
  ASSERT_TRUE(Probe());
  News();
  probes_.reset();
  EXPECT_THAT(News(), ElementsAre(Counted(1)));
}

TEST_F(AuditedProbesTest, ManyPoolsAreWrittenInPortions) {
  for (std::size_t i = 0; i < AuditedProbes::kContextsMax; ++i) ASSERT_TRUE(Probe({{"pool", std::to_string(i)}}));
  EXPECT_THAT(News(), SizeIs(1));
  ASSERT_TRUE(Probe({{"pool", "another"}}));
  EXPECT_THAT(News(), ElementsAre(Counted(AuditedProbes::kContextsMax)));
}

TEST_F(AuditedProbesTest, WithoutAnIntervalEachHasItsLine) {
  OpenProbes(0s);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Probe());
  EXPECT_THAT(News(), ElementsAre(kFull, kFull, kFull));
}

TEST_F(AuditedProbesTest, DiskThatTakesNoLines_RefusesUntilItDoesAndLosesNoCount) {
  ASSERT_TRUE(Probe());
  ASSERT_TRUE(Probe());
  News();
  {
    const audit::FullDisk full(1);
    test_.clock.Advance(60s);
    probes_->Tick();
    const auto refused = probes_->Decrypt(arn_, {}, "x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, KeyErrorCode::kUnavailable);
  }
  trail_->Tick();
  EXPECT_TRUE(Probe());
  EXPECT_THAT(News(), ElementsAre(Counted(1)));
}

}  // namespace
}  // namespace symbolon::keys
