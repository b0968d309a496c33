// The key policy that a customer managed key of user pools needs ("Encrypting user pools with customer managed keys",
// Amazon Cognito Developer Guide).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace symbolon::policy {

// As which a user pool uses its key: both have to be allowed.
inline constexpr std::array<std::string_view, 2> kPoolServices = {"cognito-idp.amazonaws.com",
                                                                  "identitystore.amazonaws.com"};
// In the encryption context of a pool's keys: the pool's ARN in the Region in which it was born.
inline constexpr std::string_view kPoolContextKey = "aws:cognito-idp:userpool-arn";

// JSON. The pools' services may use the key for pools that match `pool_arn` (with wildcards; empty: every pool of the
// account), so may everybody in the account through Cognito in one of `regions` (none: in every Region), and the
// account's policies decide on all else.
std::string PoolKeyPolicy(const std::string& account, const std::vector<std::string>& regions = {},
                          const std::string& pool_arn = {});

}  // namespace symbolon::policy
