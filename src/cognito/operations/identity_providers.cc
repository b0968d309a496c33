// Identity providers of a pool: OpenID Connect (docs/federation.md).
#include "directory/identity_providers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "auth/attributes.h"
#include "cognito/call.h"
#include "cognito/page_token.h"
#include "cognito/urls.h"
#include "directory/groups.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::IdentityProviderKind;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

using Details = std::map<std::string, std::string>;

constexpr std::size_t kProvidersMax = 300;
constexpr std::size_t kPageMax = 60;
constexpr std::size_t kUrlBytesMax = 2'048, kValueBytesMax = 2'048;
constexpr std::size_t kMappingsMax = 100;
constexpr std::string_view kOwnUsers = "COGNITO";

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

// https with a host, without what a provider's endpoint never has; http towards this machine, which a node allows or
// not when it asks (CurlFetcher).
bool IsEndpoint(std::string_view url) {
  const std::string_view authority = AuthorityOf(url);
  const bool is_local = url.starts_with("http://") && IsThisMachine(authority);
  return (url.starts_with("https://") || is_local) && url.size() <= kUrlBytesMax && !authority.empty() &&
         authority.find('@') == std::string_view::npos && url.find('#') == std::string_view::npos &&
         std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
}

ApiResult<void> CheckDetailNames(const Details& details) {
  static const std::set<std::string> kKnown = {"client_id",
                                               "client_secret",
                                               "attributes_request_method",
                                               "oidc_issuer",
                                               "authorize_scopes",
                                               "authorize_url",
                                               "token_url",
                                               "attributes_url",
                                               "jwks_uri",
                                               "attributes_url_add_attributes"};
  for (const auto& [name, value] : details) {
    if (!kKnown.contains(name)) return Invalid(fmt::format("Invalid ProviderDetails key {} for OIDC.", name));
    if (value.size() > kValueBytesMax) return Invalid(fmt::format("The value of {} is too long.", name));
  }
  const auto add = details.find("attributes_url_add_attributes");
  if (add != details.end() && add->second != "false")
    return Invalid("attributes_url_add_attributes true is not available yet.");
  return {};
}

// The whole of ProviderDetails, anew.
ApiResult<void> ApplyDetails(pb::IdentityProviderRecord& provider, const Details& details) {
  SYMBOLON_TRY_VOID(CheckDetailNames(details));
  const auto value = [&](const char* name) {
    const auto found = details.find(name);
    return found == details.end() ? std::string() : found->second;
  };
  for (const char* required : {"client_id", "attributes_request_method", "oidc_issuer", "authorize_scopes"}) {
    if (value(required).empty()) return Invalid(fmt::format("{} is required for OIDC in ProviderDetails.", required));
  }
  const std::string method = value("attributes_request_method");
  if (method != "GET" && method != "POST") return Invalid("attributes_request_method has to be GET or POST.");
  const std::string issuer = value("oidc_issuer");
  if (!IsEndpoint(issuer) || issuer.find('?') != std::string::npos)
    return Invalid("oidc_issuer has to be an https URL without a query.");
  for (const char* name : {"authorize_url", "token_url", "attributes_url", "jwks_uri"}) {
    if (!value(name).empty() && !IsEndpoint(value(name)))
      return Invalid(fmt::format("{} has to be an https URL.", name));
  }
  const std::string scopes = value("authorize_scopes");
  if ((" " + scopes + " ").find(" openid ") == std::string::npos)
    return Invalid("authorize_scopes has to contain openid.");
  provider.set_client_id(value("client_id"));
  provider.set_client_secret(value("client_secret"));
  provider.set_attributes_request_method(method);
  provider.set_issuer(issuer);
  provider.set_scopes(scopes);
  provider.set_authorize_url(value("authorize_url"));
  provider.set_token_url(value("token_url"));
  provider.set_attributes_url(value("attributes_url"));
  provider.set_jwks_uri(value("jwks_uri"));
  return {};
}

ApiResult<void> ApplyMapping(Call& call, pb::IdentityProviderRecord& provider, const Details& mapping) {
  if (mapping.size() > kMappingsMax) return Invalid("AttributeMapping is too long.");
  provider.clear_attribute_mapping();
  for (const auto& [attribute, claim] : mapping) {
    if (attribute == "username") {
      if (claim != "sub") return Invalid("username is always mapped from sub.");
      continue;
    }
    const auto& schema = call.pool().schema();
    const auto found = std::ranges::find(schema, attribute, &pb::AttributeSchema::name);
    if (found == schema.end() || attribute == "sub" || attribute == "identities")
      return Invalid(fmt::format("Invalid attribute mapping: {} cannot be mapped.", attribute));
    if (!found->mutable_()) return Invalid(fmt::format("Invalid attribute mapping: {} is not mutable.", attribute));
    if (claim.empty() || claim.size() > kValueBytesMax)
      return Invalid("Invalid attribute mapping: a claim has no name.");
    if (claim == "id_token" || claim == "access_token")
      return Invalid(fmt::format("Mapping of the provider's {} is not available yet.", claim));
    (*provider.mutable_attribute_mapping())[attribute] = claim;
  }
  return {};
}

void DropIdentifiers(Call& call, const pb::IdentityProviderRecord& provider) {
  for (const std::string& identifier : provider.identifiers())
    call.tx().Delete<directory::IdpIdentifierKind>(directory::IdpIdentifierKeyOf(call.tx(), identifier));
}

ApiResult<void> ApplyIdentifiers(Call& call, pb::IdentityProviderRecord& provider,
                                 const std::vector<std::string>& identifiers) {
  DropIdentifiers(call, provider);
  std::vector<std::string> sorted(identifiers);
  std::ranges::sort(sorted);
  provider.clear_identifiers();
  for (const std::string& identifier : sorted) {
    const Bytes place = directory::IdpIdentifierKeyOf(call.tx(), identifier);
    const auto taken = call.tx().Get<directory::IdpIdentifierKind>(place);
    if (taken) {
      return Fail(ErrorCode::kDuplicateProviderException,
                  fmt::format("The identifier {} belongs to provider {}.", identifier, taken->provider()));
    }
    pb::IdpIdentifierRecord entry;
    entry.set_identifier(identifier);
    entry.set_provider(provider.name());
    call.tx().Put<directory::IdpIdentifierKind>(place, entry);
    provider.add_identifiers(identifier);
  }
  return {};
}

ApiResult<void> CheckAcr(const std::optional<std::map<std::string, std::string>>& mapping) {
  if (mapping && !mapping->empty()) return Invalid("AcrMapping is not available yet.");
  return {};
}

// As AWS shows it, the client's secret included: whoever may describe a provider may change it.
IdentityProviderType Describe(Call& call, const pb::IdentityProviderRecord& provider) {
  IdentityProviderType shown;
  shown.UserPoolId = call.pool_id().value();
  shown.ProviderName = provider.name();
  shown.ProviderType = IdentityProviderTypeType::kOidc;
  Details& details = shown.ProviderDetails.emplace();
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) details.emplace(name, value);
  };
  add("client_id", provider.client_id());
  add("client_secret", provider.client_secret());
  add("attributes_request_method", provider.attributes_request_method());
  add("oidc_issuer", provider.issuer());
  add("authorize_scopes", provider.scopes());
  add("authorize_url", provider.authorize_url());
  add("token_url", provider.token_url());
  add("attributes_url", provider.attributes_url());
  add("jwks_uri", provider.jwks_uri());
  add("attributes_url_add_attributes", "false");
  auto& mapping =
      shown.AttributeMapping.emplace(provider.attribute_mapping().begin(), provider.attribute_mapping().end());
  mapping.emplace("username", "sub");
  shown.IdpIdentifiers.emplace(provider.identifiers().begin(), provider.identifiers().end());
  shown.LastModifiedDate = FromMicros(provider.modified_micros());
  shown.CreationDate = FromMicros(provider.created_micros());
  return shown;
}

ApiResult<pb::IdentityProviderRecord> Find(Call& call, const std::string& name) {
  auto provider = directory::GetIdentityProvider(call.tx(), name);
  if (!provider)
    return Fail(ErrorCode::kResourceNotFoundException, fmt::format("Identity provider {} does not exist.", name));
  return *std::move(provider);
}

void Store(Call& call, const pb::IdentityProviderRecord& provider) {
  call.tx().Put<IdentityProviderKind>(directory::IdentityProviderKeyOf(call.tx(), provider.name()), provider);
}

// Clients name the provider, and its users begin in its group.
void MakeGroup(Call& call, const std::string& provider) {
  const std::string name = directory::GroupOfProvider(call.pool_id(), provider);
  if (directory::GetGroup(call.tx(), name)) return;
  pb::GroupRecord group;
  group.set_name(name);
  group.set_description("Autogenerated group for users who sign in using " + provider);
  group.set_created_micros(ToMicros(call.now()));
  group.set_modified_micros(ToMicros(call.now()));
  directory::PutGroup(call.tx(), group);
}

}  // namespace

ApiResult<CreateIdentityProviderResponse> CreateIdentityProvider(Call& call,
                                                                 const CreateIdentityProviderRequest& request) {
  if (request.ProviderType != IdentityProviderTypeType::kOidc)
    return Invalid(fmt::format("Identity providers of type {} are not available yet.", ToString(request.ProviderType)));
  if (request.ProviderName == kOwnUsers) return Invalid("The provider name COGNITO is reserved.");
  SYMBOLON_TRY_VOID(CheckAcr(request.AcrMapping));
  if (directory::GetIdentityProvider(call.tx(), request.ProviderName)) {
    return Fail(ErrorCode::kDuplicateProviderException,
                fmt::format("A provider with name {} already exists.", request.ProviderName));
  }
  if (call.tx().Scan<IdentityProviderKind>("", std::nullopt, kProvidersMax).rows.size() >= kProvidersMax) {
    return Fail(ErrorCode::kLimitExceededException,
                fmt::format("A user pool has at most {} identity providers.", kProvidersMax));
  }
  pb::IdentityProviderRecord provider;
  provider.set_id(NewUuid(call.tx().random()));
  provider.set_name(request.ProviderName);
  provider.set_type(std::string(ToString(request.ProviderType)));
  provider.set_created_micros(ToMicros(call.now()));
  provider.set_modified_micros(ToMicros(call.now()));
  SYMBOLON_TRY_VOID(ApplyDetails(provider, request.ProviderDetails));
  SYMBOLON_TRY_VOID(ApplyMapping(call, provider, request.AttributeMapping.value_or(Details())));
  SYMBOLON_TRY_VOID(ApplyIdentifiers(call, provider, request.IdpIdentifiers.value_or(std::vector<std::string>())));
  MakeGroup(call, provider.name());
  Store(call, provider);
  return CreateIdentityProviderResponse{.IdentityProvider = Describe(call, provider)};
}

ApiResult<DescribeIdentityProviderResponse> DescribeIdentityProvider(Call& call,
                                                                     const DescribeIdentityProviderRequest& request) {
  SYMBOLON_TRY(const pb::IdentityProviderRecord provider, Find(call, request.ProviderName));
  return DescribeIdentityProviderResponse{.IdentityProvider = Describe(call, provider)};
}

ApiResult<UpdateIdentityProviderResponse> UpdateIdentityProvider(Call& call,
                                                                 const UpdateIdentityProviderRequest& request) {
  SYMBOLON_TRY(pb::IdentityProviderRecord provider, Find(call, request.ProviderName));
  SYMBOLON_TRY_VOID(CheckAcr(request.AcrMapping));
  if (request.ProviderDetails) SYMBOLON_TRY_VOID(ApplyDetails(provider, *request.ProviderDetails));
  if (request.AttributeMapping) SYMBOLON_TRY_VOID(ApplyMapping(call, provider, *request.AttributeMapping));
  if (request.IdpIdentifiers) SYMBOLON_TRY_VOID(ApplyIdentifiers(call, provider, *request.IdpIdentifiers));
  provider.set_modified_micros(ToMicros(call.now()));
  Store(call, provider);
  return UpdateIdentityProviderResponse{.IdentityProvider = Describe(call, provider)};
}

ApiResult<DeleteIdentityProviderResponse> DeleteIdentityProvider(Call& call,
                                                                 const DeleteIdentityProviderRequest& request) {
  SYMBOLON_TRY(const pb::IdentityProviderRecord provider, Find(call, request.ProviderName));
  const Bytes place = directory::IdentityProviderKeyOf(call.tx(), provider.name());
  DropIdentifiers(call, provider);
  call.tx().Delete<directory::ProviderKeysKind>(place);
  call.tx().Delete<IdentityProviderKind>(place);
  return DeleteIdentityProviderResponse{};
}

ApiResult<ListIdentityProvidersResponse> ListIdentityProviders(Call& call,
                                                               const ListIdentityProvidersRequest& request) {
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "ListIdentityProviders", request.NextToken));
  const std::size_t limit =
      request.MaxResults.value_or(0) == 0 ? kPageMax : static_cast<std::size_t>(*request.MaxResults);
  const auto page = call.tx().Scan<IdentityProviderKind>("", after, limit);
  ListIdentityProvidersResponse response;
  for (const auto& row : page.rows) {
    response.Providers.push_back({.ProviderName = row.record.name(),
                                  .ProviderType = IdentityProviderTypeType::kOidc,
                                  .LastModifiedDate = FromMicros(row.record.modified_micros()),
                                  .CreationDate = FromMicros(row.record.created_micros())});
  }
  if (page.next) response.NextToken = SealPageToken(call, "ListIdentityProviders", *page.next);
  return response;
}

ApiResult<GetIdentityProviderByIdentifierResponse> GetIdentityProviderByIdentifier(
    Call& call, const GetIdentityProviderByIdentifierRequest& request) {
  const auto provider = directory::FindIdentityProvider(call.tx(), request.IdpIdentifier);
  if (!provider) {
    return Fail(ErrorCode::kResourceNotFoundException,
                fmt::format("No identity provider has the identifier {}.", request.IdpIdentifier));
  }
  return GetIdentityProviderByIdentifierResponse{.IdentityProvider = Describe(call, *provider)};
}

}  // namespace symbolon::cognito::operations
