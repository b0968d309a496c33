#include "cognito/global_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "cognito/pool_settings.h"

namespace symbolon::cognito {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::cognito::UpdateUserPoolRequest;

ApiResult<void> CheckGlobalSettings(const pb::PoolRecord& pool, const UpdateUserPoolRequest& request,
                                    const std::string& key_here) {
  // Left out, it is not asked for; ApplySettings would empty it.
  UpdateUserPoolRequest complete = request;
  if (!complete.AutoVerifiedAttributes) {
    complete.AutoVerifiedAttributes = DescribePool(pool).AutoVerifiedAttributes;
  }
  pb::PoolRecord asked = pool;
  SYMBOLON_TRY_VOID(ApplySettings(asked, complete));
  std::string key_arn = pool.kms_key_arn();
  if (NamesKey(request.KeyConfiguration)) {
    SYMBOLON_TRY(key_arn, KmsKeyArnOf(request.KeyConfiguration));
  }

  const auto same = [](const auto& a, const auto& b) { return a.SerializeAsString() == b.SerializeAsString(); };
  const auto same_lists = [](const auto& a, const auto& b) { return std::ranges::equal(a, b); };
  const auto same_messages = [&](const auto& a, const auto& b) { return std::ranges::equal(a, b, same); };
  const std::pair<std::string_view, bool> settings[] = {
      {"PoolName", asked.name() == pool.name()},
      {"Policies", same(asked.password_policy(), pool.password_policy())},
      {"DeletionProtection", asked.deletion_protection() == pool.deletion_protection()},
      {"AutoVerifiedAttributes", same_lists(asked.auto_verified_attributes(), pool.auto_verified_attributes())},
      {"VerificationMessageTemplate", same(asked.verification_message(), pool.verification_message())},
      {"UserAttributeUpdateSettings", same_lists(asked.verify_before_update(), pool.verify_before_update())},
      {"AdminCreateUserConfig", asked.admin_create_only() == pool.admin_create_only() &&
                                    same(asked.invitation_message(), pool.invitation_message())},
      {"AccountRecoverySetting", same_messages(asked.recovery(), pool.recovery())},
      {"UserPoolTier", asked.tier() == pool.tier()},
      {"KeyConfiguration", key_arn == pool.kms_key_arn() || key_arn == key_here},
      {"IssuerConfiguration", asked.issuer() == pool.issuer()},
  };
  for (const auto& [name, is_same] : settings) {
    if (is_same) continue;
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("{} differs from the user pool's. Only the primary Region can change it; a replica's own "
                            "are EmailConfiguration, SmsConfiguration, LambdaConfig and UserPoolTags.",
                            name));
  }
  return {};
}

}  // namespace symbolon::cognito
