// What this Region keeps of histories that did not survive (replication/suffix_file.h), for people who have to decide
// what becomes of it.
#include "cognito/call.h"
#include "cognito/record_names.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using namespace model::own;

SuffixType Describe(const replication::SuffixFolder::File& file) {
  const replication::pb::SuffixHeader& header = file.header;
  return {.Name = file.name,
          .UserPoolId = header.pool(),
          .Region = header.region(),
          .Epoch = static_cast<std::int64_t>(header.head().epoch().counter()),
          .FirstSequence = static_cast<std::int64_t>(header.fork() + 1),
          .LastSequence = static_cast<std::int64_t>(header.head().sequence()),
          .LastCommitTime = FromMicros(header.head().commit_time_micros()),
          .WholeDirectory = header.whole_directory()};
}

bool IsSealed(std::uint16_t type) {
  using directory::RecordType;
  const auto known = static_cast<RecordType>(type);
  return known != RecordType::kRole && known != RecordType::kWrappedKeys && known != RecordType::kPublic &&
         known != RecordType::kDomain && known != RecordType::kReencryption && known != RecordType::kShreddingOrder &&
         known != RecordType::kErasure;
}

}  // namespace

ApiResult<ListReplicationSuffixesResponse> ListReplicationSuffixes(Call& call, const ListReplicationSuffixesRequest&) {
  ListReplicationSuffixesResponse response;
  for (const replication::SuffixFolder::File& file : call.preparation().suffixes) {
    response.Suffixes.push_back(Describe(file));
  }
  return response;
}

ApiResult<DescribeReplicationSuffixResponse> DescribeReplicationSuffix(
    Call& call, const DescribeReplicationSuffixRequest& request) {
  const Preparation::SuffixPage& page = *call.preparation().suffix_page;
  DescribeReplicationSuffixResponse response;
  response.Suffix = Describe(page.file);
  if (page.next) response.Next = static_cast<std::int64_t>(*page.next);
  for (const Preparation::SuffixPage::Change& change : page.changes) {
    SuffixChangeType& shown = response.Changes.emplace_back();
    const std::uint16_t type = ReadBigEndian16(change.key);
    shown.RecordType = RecordTypeName(type);
    shown.Key = HexEncode(BytesView(change.key).substr(2));
    if (change.sequence > 0) {
      shown.Sequence = static_cast<std::int64_t>(change.sequence);
      shown.CommitTime = change.commit_time;
    }
    if (!change.value) {
      (change.erased ? shown.Erased : shown.Deleted) = true;
      continue;
    }
    Bytes plain = *change.value;
    if (IsSealed(type)) {
      const storage::Key key{storage::Space::kDirectory, call.pool_id(), type, change.key.substr(2)};
      const keys::PoolKeys* const live = call.tx().has_keys() ? &call.tx().keys() : nullptr;
      std::optional<Bytes> opened;
      for (const keys::PoolKeys* keys : {live, page.own_keys.get()}) {
        if (opened || keys == nullptr) continue;
        if (auto plaintext = keys->Open(key, *change.value)) opened = *std::move(plaintext);
      }
      shown.Opens = opened.has_value();
      if (!opened) continue;
      plain = *std::move(opened);
    }
    if (request.IncludeValues.value_or(false)) shown.Value = Base64Encode(plain);
  }
  return response;
}

}  // namespace symbolon::cognito::operations
