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

// The same of a call that has a pool made, changed or ended: only which pool, in which Region, with which key.
std::string AuditedPoolParameters(const wire::Shape& shape, const void* object);

// The ARN of the KMS key that such a request chooses; empty: it chooses none.
std::string ChosenKey(const wire::Shape& shape, const void* object);

// The ARNs of the keys that a call of the key service was about, without repetition: `used`, which the service says;
// those that the request names otherwise (an id as the ARN in `arn_prefix`, "arn:aws:kms:<Region>:<account>:key/"); and
// those whose metadata is in the answer, JSON text of the shape `output`: keys that the call made.
std::vector<std::string> AuditedKeys(std::vector<std::string> used, const wire::Shape& shape, const void* object,
                                     const wire::Shape& output, std::string_view answer, std::string_view arn_prefix);

}  // namespace symbolon::cognito
