// What operations wait for before their plans: keys for what is new, a promotion, what was set aside. For operations on
// a pool's key: pipeline_keys.cc.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "cognito/pipeline_exchange.h"
#include "cognito/pool_settings.h"
#include "http/await.h"
#include "keys/pool_keys.h"
#include "model/cognito_shapes.h"
#include "model/own_shapes.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using COp = model::cognito::Operation;
using OwnOp = model::own::Operation;

constexpr std::chrono::seconds kSigningKeyWait{10};
constexpr int kSuffixPageDefault = 100;

}  // namespace

asio::awaitable<ApiResult<void>> Pipeline::Prepare(Exchange& exchange) {
  if (Is(*exchange.operation, OwnOp::kPromoteUserPoolReplica)) co_return co_await Promote(exchange);
  std::function<ApiResult<void>()> work;
  if (Is(*exchange.operation, COp::kCreateUserPool)) {
    work = [&] { return PrepareNewPool(exchange); };
  } else if (Is(*exchange.operation, OwnOp::kListReplicationSuffixes)) {
    work = [&] { return PrepareSuffixes(exchange); };
  } else if (Is(*exchange.operation, OwnOp::kDescribeReplicationSuffix)) {
    work = [&] { return PrepareSuffixPage(exchange); };
  } else if (Is(*exchange.operation, OwnOp::kSetUserPoolSigningAlgorithm)) {
    // Keys are for a pool that may have them.
    Attempt attempt;
    SYMBOLON_CO_TRY_VOID(Open(exchange, attempt));
    work = [&] {
      const auto& request = exchange.request->As<model::own::SetUserPoolSigningAlgorithmRequest>();
      return PrepareSigningKeys(exchange.preparation.signing_keys,
                                request.SigningAlgorithm == model::own::SigningAlgorithmType::kEs256);
    };
  }
  if (!work) {
    auto key_work = KeyWork(exchange);
    if (!key_work) co_return Err(key_work.error());
    work = *std::move(key_work);
  }
  if (!work) co_return ApiResult<void>();
  auto done = co_await http::RunBlocking(services_.blocking, [&] { return work(); });
  if (!done) co_return Fail(ErrorCode::kTooManyRequestsException, "Rate exceeded");
  co_return *std::move(done);
}

asio::awaitable<ApiResult<void>> Pipeline::Promote(Exchange& exchange) {
  const auto& request = exchange.request->As<model::own::PromoteUserPoolReplicaRequest>();
  {
    // Of a pool that exists, and is not locked here.
    Attempt attempt;
    SYMBOLON_CO_TRY_VOID(Open(exchange, attempt));
  }
  PromotionRequest promotion{.pool = exchange.pool,
                             .to = Region(request.RegionName),
                             .force = request.Force.value_or(false),
                             .accept_loss = request.AcceptLoss.value_or(false)};
  if (promotion.accept_loss && !promotion.force) {
    co_return Fail(ErrorCode::kInvalidParameterException, "AcceptLoss goes with Force only.");
  }
  if (promotion.force && promotion.to != services_.region.region) {
    co_return Fail(
        ErrorCode::kInvalidParameterException,
        "A Region takes over by force at its own word: send the request to the Region that RegionName names.");
  }
  if (!services_.promote) {
    co_return Fail(ErrorCode::kResourceNotFoundException,
                   fmt::format("The user pool has no replica in Region {}.", request.RegionName));
  }
  log::Info("{} asks for {} as primary of pool {}{}", exchange.caller.access_key_id.value_or(""), request.RegionName,
            exchange.pool.value(), promotion.force ? ", by force" : "");
  auto promoted = co_await http::AwaitCallback<ApiResult<replication::Promoted>>(
      [&](auto done) { services_.promote(promotion, std::move(done)); });
  if (!promoted) co_return Err(promoted.error());
  exchange.preparation.promoted = *std::move(promoted);
  co_return ApiResult<void>();
}

ApiResult<void> Pipeline::PrepareSuffixes(Exchange& exchange) {
  if (services_.suffixes == nullptr) return {};
  auto files = services_.suffixes->List();
  if (!files) {
    log::Error("suffixes cannot be listed: {}", files.error().detail);
    return Err(Internal());
  }
  std::erase_if(*files, [&](const auto& file) { return file.header.pool() != exchange.pool.value(); });
  exchange.preparation.suffixes = *std::move(files);
  return {};
}

ApiResult<void> Pipeline::PrepareSuffixPage(Exchange& exchange) {
  const auto& request = exchange.request->As<model::own::DescribeReplicationSuffixRequest>();
  SYMBOLON_TRY_VOID(PrepareSuffixes(exchange));
  const auto file =
      std::ranges::find(exchange.preparation.suffixes, request.Name, &replication::SuffixFolder::File::name);
  if (file == exchange.preparation.suffixes.end()) {
    return Fail(ErrorCode::kResourceNotFoundException, "The user pool has no such suffix in this Region.");
  }
  log::Warning("{} opens the suffix {}{}", exchange.caller.access_key_id.value_or(""), request.Name,
               request.IncludeValues.value_or(false) ? ", with values" : "");
  Preparation::SuffixPage page{.file = *file, .own_keys = nullptr, .changes = {}, .next = {}};
  const auto first = static_cast<std::uint64_t>(request.First.value_or(0));
  const auto limit = static_cast<std::uint64_t>(request.MaxResults.value_or(kSuffixPageDefault));
  using Change = Preparation::SuffixPage::Change;
  const auto read = services_.suffixes->ReadFrom(
      request.Name, first, [&](std::uint64_t before, const replication::pb::SuffixItem& item) {
        std::uint64_t index = before;
        const auto add = [&](Change change) {
          if (index >= first && index < first + limit) page.changes.push_back(std::move(change));
          if (index == first + limit) page.next = index;
          ++index;
        };
        for (const storage::pb::LogChange& change : item.entry().changes()) {
          add({.sequence = item.entry().sequence(),
               .commit_time = FromMicros(item.entry().commit_time_micros()),
               .key = change.key(),
               .value = change.has_value() ? std::optional<Bytes>(change.value()) : std::nullopt,
               .erased = !change.has_value() && !change.deleted()});
        }
        if (item.has_record()) {
          add({.commit_time = {}, .key = item.record().key(), .value = item.record().value()});
        }
        return !page.next;
      });
  if (!read) {
    log::Error("a suffix cannot be read: {}", read.error().detail);
    return Err(Internal());
  }
  SYMBOLON_TRY_VOID(OpenSuffixKeys(exchange, page));
  exchange.preparation.suffix_page = std::move(page);
  return {};
}

// The history that was set aside may have had data keys that the pool never got, or the pool may be gone from here.
ApiResult<void> Pipeline::OpenSuffixKeys(Exchange& exchange, Preparation::SuffixPage& page) {
  Attempt attempt;
  SYMBOLON_TRY_VOID(Open(exchange, attempt));
  const bool suffices = std::ranges::all_of(page.changes, [&](const Preparation::SuffixPage::Change& change) {
    const auto generation = change.value ? keys::GenerationOf(*change.value) : std::nullopt;
    return !generation || (attempt.tx->has_keys() && attempt.tx->keys().Holds(*generation));
  });
  if (suffices || !services_.open_wrapped_keys) return {};
  const auto records = services_.suffixes->KeyRecords(page.file.name);
  if (!records) {
    log::Error("a suffix cannot be read: {}", records.error().detail);
    return Err(Internal());
  }
  Bytes pools_keys;
  AppendBigEndian16(pools_keys, static_cast<std::uint16_t>(directory::RecordType::kWrappedKeys));
  const auto record = std::ranges::find(*records, pools_keys, &replication::pb::SuffixItem::Record::key);
  if (record != records->end()) page.own_keys = services_.open_wrapped_keys(exchange.pool, record->value());
  return {};
}

ApiResult<void> Pipeline::PrepareNewPool(Exchange& exchange) {
  const auto& request = exchange.request->As<model::cognito::CreateUserPoolRequest>();
  // Settings that will be refused are worth no keys.
  directory::pb::PoolRecord scratch;
  SYMBOLON_TRY_VOID(ApplySettings(scratch, request));
  SYMBOLON_TRY(const std::string kms_key_arn, KmsKeyArnOf(request.KeyConfiguration));
  if (!kms_key_arn.empty()) SYMBOLON_TRY_VOID(services_.check_key(*exchange.signer, exchange.pool, kms_key_arn));
  auto made = services_.keys.MakeKeys(exchange.pool, kms_key_arn);
  if (!made) return Err(Translate(made.error()));
  Preparation::NewPool& prepared = exchange.preparation.new_pool.emplace();
  SYMBOLON_TRY_VOID(PrepareSigningKeys(prepared.signing_keys, false));
  prepared.wrapped_keys = std::move(made->wrapped);
  exchange.new_pool_keys = std::move(made->opened);
  return {};
}

ApiResult<void> Pipeline::PrepareSigningKeys(std::vector<crypto::SigningKey>& keys, bool es256) {
  const auto deadline = std::chrono::steady_clock::now() + kSigningKeyWait;
  while (keys.size() < 2) {
    auto key =
        es256 ? crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256) : services_.rsa_keys.Take(deadline);
    if (!key) return Fail(ErrorCode::kTooManyRequestsException, "Rate exceeded");
    keys.push_back(*std::move(key));
  }
  return {};
}

}  // namespace symbolon::cognito
