// What the audit trail keeps of a call: everything but what is secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/shape.h"

namespace symbolon::cognito {

// A JSON object with the members of a request, named as CloudTrail does (keyId for KeyId). Left out are what the model
// calls sensitive, and octets (plaintexts, ciphertexts, key material).
std::string AuditedParameters(const wire::Shape& shape, const void* object);

// The ARNs of the keys that a call of the key service was about, without repetition: as the request names them (an id
// as the ARN in `arn_prefix`, "arn:aws:kms:<Region>:<account>:key/"), and as the answer does, whose text is JSON.
std::vector<std::string> AuditedKeys(const wire::Shape& shape, const void* object, std::string_view answer,
                                     std::string_view arn_prefix);

}  // namespace symbolon::cognito
