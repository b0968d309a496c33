#include "policy/pool_key_policy.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace symbolon::policy {
namespace {

namespace json = boost::json;

json::object AccountStatement(const std::string& account) {
  return {{"Sid", "Enable IAM User Permissions"},
          {"Effect", "Allow"},
          {"Principal", {{"AWS", fmt::format("arn:aws:iam::{}:root", account)}}},
          {"Action", "kms:*"},
          {"Resource", "*"}};
}

json::object Statement(std::string_view sid, const json::object& principal, const json::value& action,
                       json::object condition) {
  return {{"Sid", sid},       {"Effect", "Allow"}, {"Principal", principal},
          {"Action", action}, {"Resource", "*"},   {"Condition", std::move(condition)}};
}

}  // namespace

std::string PoolKeyPolicy(const std::string& account, const std::vector<std::string>& regions,
                          const std::string& pool_arn) {
  const std::string pools = pool_arn.empty() ? fmt::format("arn:aws:cognito-idp:*:{}:userpool/*", account) : pool_arn;
  const json::array uses{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKeyWithoutPlaintext"};
  const json::object services{{"Service", {kPoolServices[0], kPoolServices[1]}}};
  const json::object everybody{{"AWS", "*"}};
  const json::object of_pools{{fmt::format("kms:EncryptionContext:{}", kPoolContextKey), pools}};
  const json::object from_pools{{"aws:SourceArn", pools}};
  const json::object from_account{{"aws:SourceAccount", account}};

  json::array through;
  for (const std::string& region : regions) through.emplace_back(fmt::format("cognito-idp.{}.amazonaws.com", region));
  if (regions.empty()) through.emplace_back("cognito-idp.*.amazonaws.com");
  const json::object through_service{{"kms:ViaService", through}};
  json::object through_service_of_pools = through_service;
  through_service_of_pools.insert(of_pools.begin(), of_pools.end());
  const json::object by_account{{"kms:CallerAccount", account}};

  json::array statements;
  statements.push_back(Statement("Pools use the key", services, uses,
                                 {{"ArnLike", from_pools}, {"StringEquals", from_account}, {"StringLike", of_pools}}));
  statements.push_back(Statement("Pools look at the key", services, "kms:DescribeKey",
                                 {{"ArnLike", from_pools}, {"StringEquals", from_account}}));
  statements.push_back(Statement("People look at the key through Cognito", everybody, "kms:DescribeKey",
                                 {{"StringEquals", by_account}, {"StringLike", through_service}}));
  statements.push_back(Statement("People use the key through Cognito", everybody, uses,
                                 {{"StringEquals", by_account}, {"StringLike", through_service_of_pools}}));
  statements.push_back(AccountStatement(account));
  return json::serialize(
      json::object{{"Version", "2012-10-17"}, {"Id", "user-pools"}, {"Statement", std::move(statements)}});
}

}  // namespace symbolon::policy
