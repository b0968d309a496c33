#include "certificate/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace symbolon::certificate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Region kHere{"eu-central-1"};
const Region kThere{"us-east-1"};

class CertificateTest : public testing::Test {
 protected:
  static Order MakeOrder() {
    return {.kind = Kind::kUserPoolShredded,
            .id = "00112233445566778899aabbccddeeff",
            .pool = PoolId("eu-central-1_Shred0001"),
            .user_sub = {},
            .data_keys = {{.generation = Bytes(16, '\x11'), .wrapped_sha256 = Bytes(32, '\x22')}},
            .kms_key_arns = {"arn:aws:kms:eu-central-1:000000000000:key/mrk-1"},
            .asked_by = "arn:aws:iam::000000000000:user/\"ann\"\n",
            .asked_in = kHere,
            .asked_at = FromSeconds(1'800'000'000),
            .regions = {kHere, kThere}};
  }
  static Statement MakeStatement(const Region& region) {
    return {.region = region,
            .at = FromSeconds(1'800'000'060),
            .position = "1.eu-central-1.0011/17",
            .done = {{"setAsideFiles", 2}, {"storeFiles", 0}},
            .remains = {"Copies of its data_dir, made before."}};
  }
  std::string Final() const {
    return Issue({.order_text = order_,
                  .statements = {SignStatement(order_, MakeStatement(kHere), here_),
                                 SignStatement(order_, MakeStatement(kThere), there_)},
                  .pending = {},
                  .issued_by = kHere,
                  .issued_at = FromSeconds(1'800'000'120)},
                 here_);
  }
  std::string WithRemoved(std::vector<Unconfirmed> pending) const {
    return Issue({.order_text = order_,
                  .statements = {SignStatement(order_, MakeStatement(kHere), here_)},
                  .pending = std::move(pending),
                  .removed = {{.region = kThere, .reason = "gone"}},
                  .issued_by = kHere,
                  .issued_at = FromSeconds(1'800'000'120)},
                 here_);
  }
  void ExpectAlterationsFound(const std::string& text) const {
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string altered = text;
      // A digit into another one, a letter into its other case, as they come.
      altered[i] = static_cast<char>(altered[i] ^ (i % 2 == 0 ? 0x01 : 0x20));
      EXPECT_THAT(ProblemsOf(altered), testing::Not(IsEmpty())) << "octet " << i << ": " << altered;
    }
  }
  std::vector<std::string> ProblemsOf(const std::string& text, const std::vector<Bytes>& known = {}) const {
    const auto verified = Verify(text, known);
    return verified ? verified->problems : std::vector<std::string>{verified.error().detail};
  }

  const crypto::Ed25519Key here_ = crypto::Ed25519Key::Generate();
  const crypto::Ed25519Key there_ = crypto::Ed25519Key::Generate();
  const std::string order_ = FormatOrder(MakeOrder());
};

TEST_F(CertificateTest, SaysWhatItWasGiven) {
  const auto verified = Verify(Final(), {here_.PublicKey(), there_.PublicKey()});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_THAT(verified->problems, IsEmpty());
  EXPECT_TRUE(verified->final);
  EXPECT_EQ(FormatOrder(verified->order), order_);
  EXPECT_EQ(verified->order.asked_by, MakeOrder().asked_by);
  EXPECT_EQ(verified->issued_by, kHere);
  EXPECT_EQ(verified->issued_at, FromSeconds(1'800'000'120));
  ASSERT_EQ(verified->statements.size(), 2u);
  const Statement& there = verified->statements[1].statement;
  EXPECT_EQ(there.region, kThere);
  EXPECT_EQ(there.position, "1.eu-central-1.0011/17");
  EXPECT_EQ(there.done, MakeStatement(kThere).done);
  EXPECT_EQ(there.remains, MakeStatement(kThere).remains);
  EXPECT_EQ(verified->statements[1].public_key, there_.PublicKey());
}

TEST_F(CertificateTest, AnErasedUserIsNamedBySub) {
  Order order = MakeOrder();
  order.kind = Kind::kUserErased;
  order.user_sub = "a7e2f1c0-0000-4000-8000-000000000001";
  const auto parsed = ParseOrder(FormatOrder(order));
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->kind, Kind::kUserErased);
  EXPECT_EQ(parsed->user_sub, order.user_sub);
}

TEST_F(CertificateTest, ADataKeyThatEveryRegionHasWrappedForItself) {
  Order order = MakeOrder();
  order.data_keys.push_back({.generation = Bytes(16, '\x33'), .wrapped_sha256 = {}});
  const auto parsed = ParseOrder(FormatOrder(order));
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->data_keys[1].generation, Bytes(16, '\x33'));
  EXPECT_EQ(parsed->data_keys[1].wrapped_sha256, "");
}

TEST_F(CertificateTest, OneRegionMissing_IsPendingAndNamesIt) {
  const std::string text = Issue({.order_text = order_,
                                  .statements = {SignStatement(order_, MakeStatement(kHere), here_)},
                                  .pending = {{.region = kThere, .reason = "not in reach"}},
                                  .issued_by = kHere,
                                  .issued_at = FromSeconds(1'800'000'120)},
                                 here_);
  const auto verified = Verify(text, {});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_THAT(verified->problems, IsEmpty());
  EXPECT_FALSE(verified->final);
  ASSERT_EQ(verified->pending.size(), 1u);
  EXPECT_EQ(verified->pending[0].region, kThere);
  EXPECT_EQ(verified->pending[0].reason, "not in reach");
}

TEST_F(CertificateTest, NobodyHasConfirmedYet_IsACertificateAllTheSame) {
  const std::string text = Issue({.order_text = order_,
                                  .statements = {},
                                  .pending = {{.region = kHere, .reason = "a"}, {.region = kThere, .reason = "b"}},
                                  .issued_by = kHere,
                                  .issued_at = FromSeconds(1'800'000'120)},
                                 here_);
  EXPECT_THAT(ProblemsOf(text), IsEmpty());
}

TEST_F(CertificateTest, OneRegionRemovedForGood_IsFinalAndSaysThatItHasNotConfirmed) {
  const std::string text = WithRemoved({});
  const auto verified = Verify(text, {here_.PublicKey()});
  ASSERT_TRUE(verified) << verified.error().detail;
  EXPECT_THAT(verified->problems, IsEmpty());
  EXPECT_TRUE(verified->final);
  ASSERT_EQ(verified->removed.size(), 1u);
  EXPECT_EQ(verified->removed[0].region, kThere);
  EXPECT_EQ(verified->removed[0].reason, "gone");
  EXPECT_THAT(text, HasSubstr(R"("state":"FINAL_EXCEPT_REMOVED")"));
  EXPECT_THAT(Final(), testing::Not(HasSubstr("removed")));

  const auto pending = Verify(WithRemoved({{.region = kHere, .reason = "busy"}}), {});
  ASSERT_TRUE(pending) << pending.error().detail;
  EXPECT_THAT(pending->problems, ElementsAre("Region eu-central-1 is not there once."));
  EXPECT_FALSE(pending->final);
}

TEST_F(CertificateTest, AnyOctetAltered_IsFound) {
  for (const std::string& text : {Final(), WithRemoved({})}) ExpectAlterationsFound(text);
}

// What only a certificate without the Region could say.
TEST_F(CertificateTest, ARemovedRegionThatIsTakenOut_IsFound) {
  std::string text = WithRemoved({});
  const std::size_t begin = text.find(",\"removed\""), end = text.find(",\"state\"");
  text.erase(begin, end - begin);
  EXPECT_THAT(ProblemsOf(text), testing::Not(IsEmpty()));
  text.replace(text.find("FINAL_EXCEPT_REMOVED"), 20, "FINAL");
  EXPECT_THAT(ProblemsOf(text), testing::Contains(HasSubstr("It was altered")));
}

TEST_F(CertificateTest, AnyOctetMissingOrAdded_IsFound) {
  const std::string text = Final();
  for (std::size_t i = 0; i < text.size(); i += 7) {
    EXPECT_THAT(ProblemsOf(text.substr(0, i)), testing::Not(IsEmpty())) << i;
    EXPECT_THAT(ProblemsOf(std::string(text).erase(i, 1)), testing::Not(IsEmpty())) << i;
    EXPECT_THAT(ProblemsOf(std::string(text).insert(i, 1, ' ')), testing::Not(IsEmpty())) << i;
  }
  EXPECT_THAT(ProblemsOf(text + " "), testing::Not(IsEmpty()));
}

// By somebody who has one Region's key.
TEST_F(CertificateTest, AStatementOfAnotherOrder_IsFound) {
  Order other = MakeOrder();
  other.id = "ffffffffffffffffffffffffffffffff";
  const std::string text = Issue({.order_text = order_,
                                  .statements = {SignStatement(order_, MakeStatement(kHere), here_),
                                                 SignStatement(FormatOrder(other), MakeStatement(kThere), there_)},
                                  .pending = {},
                                  .issued_by = kHere,
                                  .issued_at = FromSeconds(1'800'000'120)},
                                 here_);
  EXPECT_THAT(ProblemsOf(text), testing::Contains(HasSubstr("about something else")));
}

TEST_F(CertificateTest, RegionsMissingTwiceOrNotAsked_AreFound) {
  const auto with = [&](std::vector<std::string> statements) {
    return ProblemsOf(Issue({.order_text = order_,
                             .statements = std::move(statements),
                             .pending = {},
                             .issued_by = kHere,
                             .issued_at = FromSeconds(1'800'000'120)},
                            here_));
  };
  const std::string here = SignStatement(order_, MakeStatement(kHere), here_);
  const std::string there = SignStatement(order_, MakeStatement(kThere), there_);
  const std::string stranger = SignStatement(order_, MakeStatement(Region("sa-east-1")), there_);
  EXPECT_THAT(with({here, there}), IsEmpty());
  EXPECT_THAT(with({here}), ElementsAre("Region us-east-1 is not there once."));
  EXPECT_THAT(with({here, there, there}), ElementsAre("Region us-east-1 is not there once."));
  EXPECT_THAT(with({here, there, stranger}), ElementsAre("Region sa-east-1 was not asked."));
}

TEST_F(CertificateTest, SignedByAnotherKeyThanTheKnownOnes_IsFound) {
  EXPECT_THAT(ProblemsOf(Final(), {here_.PublicKey(), there_.PublicKey()}), IsEmpty());
  EXPECT_THAT(ProblemsOf(Final(), {here_.PublicKey()}),
              ElementsAre(HasSubstr("The statement of Region us-east-1 is signed by")));
  EXPECT_THAT(ProblemsOf(Final(), {crypto::Ed25519Key::Generate().PublicKey()}), testing::SizeIs(3));
}

TEST_F(CertificateTest, OtherTextsAreNone) {
  for (const char* text : {"", "\n", "{}\n", "[]\n", "{\"order\":{}}\n"}) {
    EXPECT_FALSE(Verify(text, {})) << text;
    EXPECT_FALSE(ParseOrder(text)) << text;
    EXPECT_FALSE(OpenStatement(order_, text)) << text;
  }
  EXPECT_FALSE(ParseOrder(order_ + " "));
}

}  // namespace
}  // namespace symbolon::certificate
