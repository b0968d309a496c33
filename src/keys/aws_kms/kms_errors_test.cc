#include "keys/aws_kms/kms_errors.h"

#include <gtest/gtest.h>

namespace symbolon::keys::aws_kms {
namespace {

KeyErrorCode CodeOf(int status, std::string_view type, std::string_view message = "") {
  return TranslateKmsError(status, type, message).error.code;
}
bool IsTransient(int status, std::string_view type) { return TranslateKmsError(status, type, "").transient; }

TEST(KmsErrorsTest, WordsAboutTheKey) {
  EXPECT_EQ(CodeOf(400, "NotFoundException"), KeyErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(400, "com.amazonaws.kms#NotFoundException"), KeyErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(400, "NotFoundException:http://internal.amazon.com/"), KeyErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(400, "DisabledException"), KeyErrorCode::kDisabled);
  EXPECT_EQ(CodeOf(400, "KMSInvalidStateException", "arn:aws:kms:r:1:key/k is pending deletion."),
            KeyErrorCode::kPendingDeletion);
  EXPECT_EQ(CodeOf(400, "KMSInvalidStateException", "arn:aws:kms:r:1:key/k is pending import."),
            KeyErrorCode::kDisabled);
  EXPECT_EQ(CodeOf(400, "InvalidCiphertextException"), KeyErrorCode::kInvalidCiphertext);
  EXPECT_EQ(CodeOf(400, "IncorrectKeyException"), KeyErrorCode::kInvalidCiphertext);
  for (const char* type : {"NotFoundException", "DisabledException", "AccessDeniedException"}) {
    EXPECT_FALSE(IsTransient(400, type));
  }
}

TEST(KmsErrorsTest, RefusalsOfUs) {
  for (const char* type : {"AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId",
                           "IncompleteSignature", "MissingAuthenticationToken"}) {
    EXPECT_EQ(CodeOf(400, type), KeyErrorCode::kAccessDenied) << type;
  }
  EXPECT_EQ(CodeOf(403, "InvalidSignatureException", "The request signature we calculated does not match"),
            KeyErrorCode::kAccessDenied);
}

TEST(KmsErrorsTest, ClocksThatDisagree_AreNoRefusal) {
  EXPECT_EQ(CodeOf(403, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2"),
            KeyErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(403, "InvalidSignatureException", "Signature not yet current: 1 is still later than 2"),
            KeyErrorCode::kUnavailable);
}

TEST(KmsErrorsTest, TroubleThatPasses_IsTriedAgain) {
  for (const auto& [status, type] : {std::pair(400, "ThrottlingException"), std::pair(400, "LimitExceededException"),
                                     std::pair(500, "KMSInternalException"), std::pair(500, "KeyUnavailableException"),
                                     std::pair(503, "DependencyTimeoutException"), std::pair(502, ""),
                                     std::pair(503, "WhateverException"), std::pair(429, "")}) {
    EXPECT_EQ(CodeOf(status, type), KeyErrorCode::kUnavailable) << type;
    EXPECT_TRUE(IsTransient(status, type)) << type;
  }
}

TEST(KmsErrorsTest, AnswersThatSayNothingOfTheKey_AreUnavailable) {
  for (const auto& [status, type] : {std::pair(403, ""), std::pair(404, ""), std::pair(301, ""),
                                     std::pair(400, "ValidationException"), std::pair(400, "SomethingNew")}) {
    EXPECT_EQ(CodeOf(status, type), KeyErrorCode::kUnavailable) << type;
    EXPECT_FALSE(IsTransient(status, type)) << type;
  }
}

TEST(KmsErrorsTest, OnlyStrangersSayThatNobodyIsThere) {
  EXPECT_TRUE(TranslateKmsError(502, "", "").out_of_reach);
  EXPECT_FALSE(TranslateKmsError(500, "KMSInternalException", "").out_of_reach);
  EXPECT_FALSE(TranslateKmsError(403, "", "").out_of_reach);
}

TEST(KmsErrorsTest, LongMessages_AreCut) {
  EXPECT_LT(TranslateKmsError(400, "X", std::string(100'000, 'm')).error.detail.size(), 600u);
}

}  // namespace
}  // namespace symbolon::keys::aws_kms
