#include "http/sigv4.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "base/manual_clock.h"
#include "http/test_signer.h"

namespace symbolon::http {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 2> kServices = {"cognito-idp", "symbolon"};

class FixedAccessKeys final : public AccessKeys {
 public:
  std::optional<AccessKey> Find(std::string_view id) const override {
    if (id != "AKIDEXAMPLE") return std::nullopt;
    return AccessKey{.secret = Secret::CopyOf(secret), .owner = "ann"};
  }
  std::string secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
};

class SigV4Test : public testing::Test {
 protected:
  // A request as the AWS SDKs send it, signed now.
  Request Signed() {
    Request request{.method = "POST", .target = "/"};
    request.headers.Add("Host", "127.0.0.1:9410");
    request.headers.Add("Content-Type", "application/x-amz-json-1.1");
    request.headers.Add("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser");
    request.body = R"({"UserPoolId":"eu-central-1_AbC123xyz","Username":"ada"})";
    signer_.Sign(request, clock_.Now());
    return request;
  }

  // nullopt: accepted.
  std::optional<SigV4Code> Refusal(const Request& request) {
    auto result = verifier_.Verify(request, kServices);
    return result ? std::nullopt : std::optional(result.error().code);
  }
  std::string Message(const Request& request) {
    auto result = verifier_.Verify(request, kServices);
    return result ? "accepted" : result.error().message;
  }
  static std::string Authorization(const Request& request) {
    return std::string(*request.headers.Find("Authorization"));
  }
  // Replaces a part of the Authorization header.
  static Request Edited(Request request, std::string_view from, std::string_view to) {
    std::string value = Authorization(request);
    value.replace(value.find(from), from.size(), to);
    request.headers.Set("Authorization", value);
    return request;
  }

  FixedAccessKeys access_keys_;
  ManualClock clock_{FromSeconds(1440938160)};  // 2015-08-30T12:36:00Z
  SigV4Verifier verifier_{{"eu-central-1", "us-east-1"}, access_keys_, clock_};
  TestSigner signer_{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1", "cognito-idp"};
};

TEST_F(SigV4Test, VectorsOfAwsTestSuiteAndBotocore_AreAccepted) {
  std::ifstream file(SYMBOLON_HTTP_TESTDATA "/sigv4_vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto vectors = boost::json::parse(text.str()).as_array();
  ASSERT_GE(vectors.size(), 27u);
  for (const auto& vector : vectors) {
    const std::string name(vector.at("name").as_string());
    Request request;
    request.method = vector.at("method").as_string();
    request.target = vector.at("target").as_string();
    request.body = vector.at("body").as_string();
    for (const auto& header : vector.at("headers").as_array()) {
      request.headers.Add(std::string(header.at(0).as_string()), std::string(header.at(1).as_string()));
    }
    const std::string service(vector.at("service").as_string());
    const std::array<std::string_view, 1> services = {service};
    const auto caller = verifier_.Verify(request, services);
    ASSERT_TRUE(caller) << name << ": " << caller.error().message;
    EXPECT_EQ(*caller, (SigV4Caller{"AKIDEXAMPLE", "us-east-1", service, "ann"})) << name;
  }
}

TEST_F(SigV4Test, SdkRequest_IsAcceptedForAnyRegionAndServiceOfTheSet) {
  for (const std::string_view region : {"eu-central-1", "us-east-1"}) {
    for (const std::string_view service : kServices) {
      signer_.region = region;
      signer_.service = service;
      const auto caller = verifier_.Verify(Signed(), kServices);
      ASSERT_TRUE(caller) << caller.error().message;
      EXPECT_EQ(*caller, (SigV4Caller{"AKIDEXAMPLE", std::string(region), std::string(service), "ann"}));
    }
  }
}

TEST_F(SigV4Test, AnyOctetOfWhatIsSignedChanged_IsRefused) {
  Request original = Signed();
  original.target = "/path";
  signer_.Sign(original, clock_.Now());
  ASSERT_EQ(Refusal(original), std::nullopt);
  const auto expect_refused = [&](const char* what, std::string& text, const Request& request) {
    for (char& c : text) {
      const char before = c;
      c = static_cast<char>(c ^ 1);
      EXPECT_NE(Refusal(request), std::nullopt) << what << ": " << text;
      c = before;
    }
    text += 'x';
    EXPECT_NE(Refusal(request), std::nullopt) << what << " longer";
    text.pop_back();
  };
  Request request = original;
  expect_refused("method", request.method, request);
  expect_refused("target", request.target, request);
  expect_refused("body", request.body, request);
  for (const auto& [name, value] : original.headers) {
    for (std::size_t i = 0; i <= value.size(); ++i) {
      std::string changed = value;
      if (i < value.size()) {
        changed[i] = static_cast<char>(changed[i] ^ 1);
      } else {
        changed += 'x';
      }
      Request with_header = original;
      with_header.headers.Set(name, changed);
      EXPECT_NE(Refusal(with_header), std::nullopt) << name << ": " << changed;
    }
    Request without_header = original;
    without_header.headers.Remove(name);
    EXPECT_NE(Refusal(without_header), std::nullopt) << name;
    Request twice = original;
    twice.headers.Add(name, value);
    EXPECT_NE(Refusal(twice), std::nullopt) << name;
  }
}

TEST_F(SigV4Test, RandomRequests_AreAcceptedAsSignedOnly) {
  std::mt19937 random(20150830);
  const auto text = [&](std::size_t longest) {
    std::string out(random() % longest, '\0');
    for (char& c : out) c = static_cast<char>('!' + random() % 94);
    return out;
  };
  for (int i = 0; i < 300; ++i) {
    Request request{.method = i % 2 ? "POST" : "PUT", .target = "/a/b~c"};
    request.headers.Add("hOsT", "h" + text(20));
    for (int h = 0; h < 5; ++h) request.headers.Add("X-Header-" + std::to_string((h * 7 + i) % 5), "v" + text(50));
    request.body = text(2000);
    clock_.Advance(seconds(random() % 10'000));
    signer_.Sign(request, clock_.Now());
    EXPECT_EQ(Refusal(request), std::nullopt) << i;
    request.body += 'x';
    EXPECT_EQ(Refusal(request), SigV4Code::kInvalidSignature) << i;
  }
}

TEST_F(SigV4Test, Unsigned_IsMissing) {
  Request request = Signed();
  request.headers.Set("Authorization", "Bearer abc");
  EXPECT_EQ(Refusal(request), SigV4Code::kMissing);
  request.headers.Remove("Authorization");
  EXPECT_EQ(Refusal(request), SigV4Code::kMissing);
  EXPECT_EQ(Message(request), "Missing Authentication Token");
}

TEST_F(SigV4Test, MalformedAuthorization_IsIncomplete) {
  const Request request = Signed();
  for (const auto& [from, to] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"Credential=", "Credentials="},
           {"SignedHeaders=", "Signature="},
           {", Signature=", ", Signature=00, Signature="},
           {"AKIDEXAMPLE/", ""},
           {"AKIDEXAMPLE/", "a/b/"},
           {"AKIDEXAMPLE/", "/"},
           {"content-type;host", "host;content-type"},
           {"content-type;host", "content-type;content-type;host"},
           {"content-type;host", "content-type;HOST"},
           {"content-type;", ";"},
       }) {
    EXPECT_EQ(Refusal(Edited(request, from, to)), SigV4Code::kIncomplete) << from << " -> " << to;
  }
  Request only_algorithm = request;
  only_algorithm.headers.Set("Authorization", "AWS4-HMAC-SHA256 ");
  EXPECT_EQ(Refusal(only_algorithm), SigV4Code::kIncomplete);
  Request no_date = request;
  no_date.headers.Remove("X-Amz-Date");
  EXPECT_EQ(Refusal(no_date), SigV4Code::kIncomplete);
  for (const char* date : {"", "yesterday", "20150830T123600", "20151330T123600Z", "2015-08-30T12:36:00Z"}) {
    Request bad_date = request;
    bad_date.headers.Set("X-Amz-Date", date);
    EXPECT_EQ(Refusal(bad_date), SigV4Code::kIncomplete) << date;
  }
}

TEST_F(SigV4Test, WhatMustBeSignedIsNot_IsRefused) {
  // Signed without the header, which is put in afterwards.
  for (const std::string_view name : {"Host", "X-Amz-Target"}) {
    Request request = Signed();
    const std::string value(*request.headers.Find(name));
    request.headers.Remove(name);
    signer_.Sign(request, clock_.Now());
    request.headers.Add(std::string(name), value);
    EXPECT_EQ(Refusal(request), SigV4Code::kInvalidSignature);
    EXPECT_NE(Message(request).find("must be a 'SignedHeader'"), std::string::npos);
  }
  // A date that is not the one that was signed takes no precedence.
  Request request = Signed();
  request.headers.Add("Date", "Sun, 30 Aug 2015 12:36:00 GMT");
  EXPECT_EQ(Refusal(request), std::nullopt);
}

TEST_F(SigV4Test, ContentHashThatIsNotTheBodys_IsRefused) {
  for (const char* hash : {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}) {
    Request request = Signed();
    request.headers.Add("X-Amz-Content-Sha256", hash);
    signer_.Sign(request, clock_.Now());
    EXPECT_EQ(Refusal(request), SigV4Code::kInvalidSignature) << hash;
  }
}

TEST_F(SigV4Test, Window_IsFiveMinutesEitherWay) {
  const Request request = Signed();
  clock_.Advance(minutes(5));
  EXPECT_EQ(Refusal(request), std::nullopt);
  clock_.Advance(seconds(1));
  EXPECT_EQ(Refusal(request), SigV4Code::kExpired);
  EXPECT_EQ(Message(request),
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)");
  clock_.SetNow(FromSeconds(1440938160) - minutes(5));
  EXPECT_EQ(Refusal(request), std::nullopt);
  clock_.Advance(-seconds(1));
  EXPECT_EQ(Refusal(request), SigV4Code::kExpired);
  EXPECT_EQ(Message(request),
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 "
            "min.)");
}

TEST_F(SigV4Test, DateHeaderInsteadOfAmzDate_IsAccepted) {
  // botocore never signs so; the signature was made by hand with Python's hmac.
  Request request{.method = "GET", .target = "/"};
  request.headers.Add("Host", "example.amazonaws.com");
  request.headers.Add("Date", "Sun, 30 Aug 2015 12:36:00 GMT");
  request.headers.Add(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/symbolon/aws4_request,"
      "SignedHeaders=date;host,Signature=6bbe898c6a4eb2d78bd36ee63fbc003c7d4e087f31f140aed52105e73916c098");
  EXPECT_EQ(Refusal(request), std::nullopt) << Message(request);
}

TEST_F(SigV4Test, ForeignScope_IsRefusedEvenIfWellSigned) {
  TestSigner other = signer_;
  other.region = "mars-north-1";
  Request request = Signed();
  other.Sign(request, clock_.Now());
  EXPECT_EQ(Refusal(request), SigV4Code::kBadScope);
  other = signer_;
  other.service = "kms";
  other.Sign(request, clock_.Now());
  EXPECT_EQ(Refusal(request), SigV4Code::kBadScope);
  EXPECT_EQ(Message(request), "Credential should be scoped to correct service: 'cognito-idp'.");
  EXPECT_EQ(Refusal(Edited(Signed(), "aws4_request", "aws5_request")), SigV4Code::kBadScope);
  EXPECT_EQ(Refusal(Edited(Signed(), "20150830", "20150829")), SigV4Code::kBadScope);
}

TEST_F(SigV4Test, UnknownKeyOrWrongSecretOrSessionToken_IsRefused) {
  Request request = Signed();
  request.headers.Add("X-Amz-Security-Token", "anything");
  signer_.Sign(request, clock_.Now());
  EXPECT_EQ(Refusal(request), SigV4Code::kUnknownKey);
  signer_.access_key_id = "AKIDOTHER";
  EXPECT_EQ(Refusal(Signed()), SigV4Code::kUnknownKey);
  signer_.access_key_id = "AKIDEXAMPLE";
  signer_.secret = "wrong";
  EXPECT_EQ(Refusal(Signed()), SigV4Code::kInvalidSignature);
}

TEST_F(SigV4Test, SecretReplaced_TheOldOneSignsNoLonger) {
  EXPECT_EQ(Refusal(Signed()), std::nullopt);
  access_keys_.secret = "new secret";
  EXPECT_EQ(Refusal(Signed()), SigV4Code::kInvalidSignature);
  signer_.secret = "new secret";
  EXPECT_EQ(Refusal(Signed()), std::nullopt);
}

}  // namespace
}  // namespace symbolon::http
