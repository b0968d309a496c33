// What the errors of the AWS KMS API mean here. Pure.
#pragma once

#include <string_view>

#include "keys/provider.h"

namespace symbolon::keys::aws_kms {

struct KmsFailure {
  KeyError error;
  // Whether the same request may be answered in a moment.
  bool transient = false;
  // Whether nothing was heard of the key service itself, so that other calls will not fare better.
  bool out_of_reach = false;
};

// `type`: "NotFoundException", also in the forms "com.amazonaws.kms#NotFoundException" and
// "NotFoundException:http://…"; empty if the answer named none. What is not a word about the key is kUnavailable.
KmsFailure TranslateKmsError(int status, std::string_view type, std::string_view message);

}  // namespace symbolon::keys::aws_kms
