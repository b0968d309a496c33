#include "crypto/sigv4_signer.h"

#include <gtest/gtest.h>

namespace symbolon::crypto {
namespace {

TEST(SigV4SignerTest, DateAndTime) {
  EXPECT_EQ(SigV4DateTime(FromSeconds(1'440'938'160) + std::chrono::microseconds(999'999)), "20150830T123600Z");
}

// By botocore 1.44 (botocore.auth.SigV4Auth) for the same request.
TEST(SigV4SignerTest, SignsAsBotocoreDoes) {
  const SigV4Request request{.host = "kms.eu-central-1.amazonaws.com",
                             .content_type = "application/x-amz-json-1.1",
                             .target = "TrentService.DescribeKey",
                             .body = R"({"KeyId":"alias/x"})"};
  EXPECT_EQ(SigV4Authorization(request, {.region = "eu-central-1", .service = "kms"}, "AKIDEXAMPLE",
                               Secret::CopyOf("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "20150830T123600Z"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/kms/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
            "Signature=c0843c4ac91982706b130e88fe39c99342adfa92252a4cfa485f096e5f85c7e6");
}

}  // namespace
}  // namespace symbolon::crypto
