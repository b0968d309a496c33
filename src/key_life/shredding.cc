#include "key_life/shredding.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <future>

#include "base/log.h"
#include "crypto/hash.h"
#include "key_life/link.pb.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"
#include "replication/position.h"

namespace symbolon::key_life {
namespace {

using certificate::Order;
using directory::RecordType;
using directory::ShreddingKind;
using directory::pb::ShreddingRecord;
using replication::ControlError;
using replication::ControlErrorCode;
using std::chrono::nanoseconds;

constexpr std::size_t kPoolsAtOnce = 100;
constexpr std::size_t kRecordsAtOnce = 1'000;
constexpr std::size_t kOrderIdBytes = 16;

storage::Key RecordKey(const Bytes& id) {
  return {.space = storage::Space::kRegional,
          .pool = {},
          .type = static_cast<std::uint16_t>(RecordType::kShreddingRecord),
          .id = id};
}
storage::Key OrderKey(const PoolId& pool) {
  return {.space = storage::Space::kDirectory,
          .pool = pool,
          .type = static_cast<std::uint16_t>(RecordType::kShreddingOrder),
          .id = {}};
}
// One pool may have several: an order that a forced promotion has lost, and the one that followed.
Bytes IdPrefix(const PoolId& pool) { return pool.value() + "/"; }
Bytes IdOf(const Order& order) { return IdPrefix(order.pool) + order.id; }

std::string PositionText(const PoolId& pool, const storage::pb::Head& head) {
  storage::pb::Position position;
  *position.mutable_epoch() = head.epoch();
  position.set_sequence(head.sequence());
  return replication::FormatPosition(pool, position);
}

// Equal for equal records: plain serialisation does not promise an order of the map.
std::string OctetsOf(const ShreddingRecord& record) {
  std::string octets;
  {
    google::protobuf::io::StringOutputStream stream(&octets);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    SYMBOLON_CHECK(record.SerializeToCodedStream(&output));
  }
  return octets;
}

}  // namespace

Order BeginShredding(directory::Transaction& tx, const replication::pb::RoleRecord& role,
                     const ShreddingRequest& request, const Region& here, Timestamp now) {
  Order order{.kind = certificate::Kind::kUserPoolShredded,
              .id = HexEncode(tx.random().Octets(kOrderIdBytes)),
              .pool = tx.pool(),
              .user_sub = {},
              .data_keys = {},
              .kms_key_arns = {},
              .asked_by = request.asked_by,
              .asked_in = here,
              .asked_at = std::chrono::floor<std::chrono::seconds>(now),
              .regions = request.regions};
  // A record that is damaged is destroyed all the same.
  const auto contents = keys::ContentsOfPoolKeys(tx.GetClear(RecordType::kWrappedKeys, "").value_or(""));
  if (contents) {
    for (const auto& generation : contents->generations) {
      order.data_keys.push_back({.generation = generation.name, .wrapped_sha256 = generation.wrapped_sha256});
    }
    order.kms_key_arns.push_back(contents->cmk_arn);
    if (contents->offered_at && contents->offered_cmk_arn != contents->cmk_arn) {
      order.kms_key_arns.push_back(contents->offered_cmk_arn);
    }
  }
  order.regions.push_back(here);
  for (const auto& member : role.members()) order.regions.emplace_back(member.region());
  std::ranges::sort(order.regions);
  order.regions.erase(std::ranges::unique(order.regions).begin(), order.regions.end());

  for (const Region& region : order.regions) {
    const auto own = keys::ParseRegionKey(tx.GetClear(RecordType::kRegionKey, region.value()).value_or(""));
    if (own && !own->empty()) order.kms_key_arns.push_back(*own);
  }
  // Copies from before a change open with them.
  for (const std::string& arn : contents ? contents->former_cmk_arns : std::vector<std::string>()) {
    if (std::ranges::find(order.kms_key_arns, arn) == order.kms_key_arns.end()) order.kms_key_arns.push_back(arn);
  }

  const std::string text = certificate::FormatOrder(order);
  tx.PutClear(RecordType::kRole, "", replication::SerializeRole(replication::MarkDeleted(role)));
  tx.DeleteClear(RecordType::kWrappedKeys, "");
  tx.PutClear(RecordType::kShreddingOrder, "", text);
  ShreddingRecord record;
  record.set_order(text);
  tx.Put<ShreddingKind>(IdOf(order), record);
  return order;
}

// The work of one order, as far as it is not in its record.
struct Shredding::Job {
  nanoseconds due{};
  nanoseconds ask_due{};
};

Shredding::Shredding(Services services, crypto::Ed25519Key key, audit::Trail* trail, Options options)
    : services_(std::move(services)), key_(std::move(key)), trail_(trail), options_(std::move(options)) {
  subscription_ = services_.store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
}

Shredding::~Shredding() = default;

// ---- what the store tells ----

// An order is read at once: replication may drop the pool as soon as it has the entry.
void Shredding::OnNotice(const storage::Notice& notice) {
  News news;
  const auto is = [](const storage::Key& key, RecordType type, storage::Space space) {
    return key.space == space && key.type == static_cast<std::uint16_t>(type);
  };
  std::set<Bytes> records;
  bool has_order = notice.everything;
  for (const storage::Key& key : notice.keys) {
    has_order = has_order || is(key, RecordType::kShreddingOrder, storage::Space::kDirectory);
    if (is(key, RecordType::kShreddingRecord, storage::Space::kRegional)) records.insert(key.id);
  }
  if (!has_order && records.empty()) return;
  if (has_order && !notice.pool.empty()) {
    const auto stored = services_.store.MakeSnapshot()->Get(OrderKey(notice.pool));
    if (!stored) {
      log::Error("pool {}: an order to shred it may be there and cannot be read: {}", notice.pool.value(),
                 stored.error().detail);
    }
    news.unread = !stored;
    if (stored && *stored) news.order = **stored;
    if (notice.head) news.position = PositionText(notice.pool, *notice.head);
  }
  {
    std::lock_guard lock(mutex_);
    changed_records_.merge(records);
    if (has_order && !notice.pool.empty()) {
      News& known = news_[notice.pool];
      known.unread = known.unread || news.unread;
      if (news.order) known = std::move(news);
    }
    woken_ = true;
  }
  wake_.notify_all();
}

// What was under way when the process ended, and what could not be read since.
void Shredding::FindWork() {
  if (std::exchange(looked_, true)) return;
  const auto snapshot = services_.store.MakeSnapshot();
  const storage::KeyRange range{.space = storage::Space::kRegional,
                                .pool = {},
                                .type = static_cast<std::uint16_t>(RecordType::kShreddingRecord),
                                .id_prefix = {}};
  std::optional<Bytes> after;
  do {
    const auto page = snapshot->Scan(range, after, kRecordsAtOnce);
    if (!page) {
      log::Error("records of shredding cannot be read: {}", page.error().detail);
      looked_ = false;
      break;
    }
    for (const storage::Record& record : page->records) jobs_.try_emplace(record.id, std::make_unique<Job>());
    after = page->next;
  } while (after);
  // An entry whose record a crash prevented.
  std::optional<PoolId> last;
  while (true) {
    const auto pools = snapshot->Pools(last, kPoolsAtOnce);
    if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
    looked_ = looked_ && pools.has_value();
    if (!pools || pools->empty()) return;
    for (const PoolId& pool : *pools) {
      const auto order = snapshot->Get(OrderKey(pool));
      const auto head = snapshot->Head(pool);
      if (order && *order && head && *head) BeginHere(pool, **order, PositionText(pool, **head));
      looked_ = looked_ && order && head;
    }
    last = pools->back();
  }
}

void Shredding::TakeNews() {
  std::map<PoolId, News> news;
  std::set<Bytes> changed;
  {
    std::lock_guard lock(mutex_);
    news.swap(news_);
    changed.swap(changed_records_);
    woken_ = false;
  }
  for (const Bytes& id : changed) jobs_.try_emplace(id, std::make_unique<Job>());
  for (const auto& [pool, of_pool] : news) {
    looked_ = looked_ && !of_pool.unread;
    if (of_pool.order) BeginHere(pool, *of_pool.order, of_pool.position);
    // It may have been dropped.
    for (const auto& [id, job] : jobs_) {
      if (id.starts_with(IdPrefix(pool))) job->due = {};
    }
  }
}

void Shredding::BeginHere(const PoolId& pool, const std::string& order_text, const std::string& position) {
  const auto order = certificate::ParseOrder(order_text);
  if (!order || order->pool != pool) {
    log::Error("pool {} has an order to be shredded that this version does not understand", pool.value());
    return;
  }
  const Bytes id = IdOf(*order);
  const auto stored = Load(id);
  if (stored && !stored->record.order().empty()) return;
  ShreddingRecord record;
  record.set_order(order_text);
  record.set_position(position);
  if (stored && Save(id, stored->version, record)) {
    jobs_.try_emplace(id, std::make_unique<Job>());
  } else {
    looked_ = false;
  }
}

std::optional<std::string> Shredding::PositionOf(const PoolId& pool) const {
  const auto head = services_.store.MakeSnapshot()->Head(pool);
  if (!head) return std::nullopt;
  return *head ? PositionText(pool, **head) : std::string();
}

// ---- records ----

// An empty one if there is none; nullopt: the store fails.
std::optional<Shredding::Stored> Shredding::Load(const Bytes& id) const {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto stored = snapshot->Get(RecordKey(id));
  Stored loaded{.record = {}, .version = snapshot->version()};
  if (!stored || (*stored && !loaded.record.ParseFromString(**stored))) {
    log::Error("the record of shredding {} cannot be read", id);
    return std::nullopt;
  }
  return loaded;
}

std::vector<std::pair<Bytes, ShreddingRecord>> Shredding::RecordsOf(const PoolId& pool) const {
  storage::KeyRange range{.space = storage::Space::kRegional,
                          .pool = {},
                          .type = static_cast<std::uint16_t>(RecordType::kShreddingRecord),
                          .id_prefix = IdPrefix(pool)};
  std::vector<std::pair<Bytes, ShreddingRecord>> records;
  const auto page = services_.store.MakeSnapshot()->Scan(range, std::nullopt, kRecordsAtOnce);
  if (!page) log::Error("records of shredding cannot be read: {}", page.error().detail);
  if (!page) return records;
  for (const storage::Record& stored : page->records) {
    ShreddingRecord record;
    if (record.ParseFromString(stored.value)) records.emplace_back(stored.id, std::move(record));
  }
  return records;
}

bool Shredding::Save(const Bytes& id, std::uint64_t version, const ShreddingRecord& record) {
  storage::Commit commit;
  commit.pool = PoolId(id.substr(0, id.find('/')));
  commit.snapshot_version = version;
  commit.reads = {RecordKey(id)};
  commit.regional.push_back({.key = RecordKey(id), .value = record.SerializeAsString()});
  std::promise<storage::StoreResult<storage::Committed>> done;
  services_.store.Submit(std::move(commit), [&](auto result) { done.set_value(std::move(result)); });
  const auto committed = done.get_future().get();
  if (committed) return true;
  log::Warning("the record of shredding {} is not stored: {}", id, committed.error().detail);
  return false;
}

// ---- the work ----

std::optional<nanoseconds> Shredding::RunDue() {
  FindWork();
  TakeNews();
  std::optional<nanoseconds> next;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    if (job->second->due <= services_.clock.SinceBoot()) {
      const auto wait = Step(job->first, *job->second);
      if (!wait) {
        std::lock_guard lock(mutex_);
        waiting_.erase(job->first);
        job = jobs_.erase(job);
        continue;
      }
      job->second->due = services_.clock.SinceBoot() + *wait;
    }
    next = std::min(next.value_or(job->second->due), job->second->due);
    ++job;
  }
  if (looked_) return next;
  const nanoseconds again = services_.clock.SinceBoot() + options_.retry;
  return std::min(next.value_or(again), again);
}

void Shredding::WaitUntil(const std::stop_token& stop, std::optional<nanoseconds> due) {
  std::unique_lock lock(mutex_);
  const auto woken = [this] { return woken_; };
  if (!due) {
    wake_.wait(lock, stop, woken);
    return;
  }
  const nanoseconds wait = *due - services_.clock.SinceBoot();
  if (wait.count() > 0) wake_.wait_for(lock, stop, wait, woken);
}

std::optional<nanoseconds> Shredding::Step(const Bytes& id, Job& job) {
  auto stored = Load(id);
  if (!stored) return options_.retry;
  ShreddingRecord& record = stored->record;
  if (record.order().empty() || record.state() == ShreddingRecord::FINAL) return std::nullopt;
  const auto order = certificate::ParseOrder(record.order());
  if (!order) {
    log::Error("the order of shredding {} is not understood by this version", id);
    return std::nullopt;
  }
  const std::string before = OctetsOf(record);
  // As of now: whoever drops a pool is in conflict with all that was read before.
  const auto save = [&] {
    const auto now = Load(id);
    return now && OctetsOf(now->record) == before && Save(id, now->version, record);
  };
  WaitingOf waiting = WaitingFor(id);
  const auto note = [&] {
    std::lock_guard lock(mutex_);
    waiting_[id] = waiting;
  };

  // 1. What is to be done here, and durable before anything follows from it.
  const auto state = record.state();
  std::string problem;
  if (state == ShreddingRecord::DESTROYING_KEYS) problem = DestroyKeys(*order, record);
  if (state == ShreddingRecord::REMOVING_RECORDS) problem = RemoveRecords(*order, record);
  if (record.state() != state) {
    waiting.erase(services_.here);
    note();
    return save() ? nanoseconds(0) : options_.retry;
  }
  if (!problem.empty()) {
    waiting[services_.here] = {.reason = problem, .keys_destroyed = state > ShreddingRecord::DESTROYING_KEYS};
    note();
  }

  // 2. What others have to say.
  if (job.ask_due <= services_.clock.SinceBoot()) {
    const auto known = record.statements_size();
    AskOthers(*order, record, waiting);
    note();
    job.ask_due = services_.clock.SinceBoot() + options_.ask_again;
    if (record.statements_size() != known) return save() ? nanoseconds(0) : options_.retry;
  }
  if (state != ShreddingRecord::COLLECTING) return options_.retry;
  if (record.statements_size() + RemovedOf(*order, record).size() < order->regions.size()) {
    return job.ask_due - services_.clock.SinceBoot();
  }

  // 3. The certificate.
  if (!Finish(*order, record).empty()) return options_.retry;
  return save() ? nanoseconds(0) : options_.retry;
}

void Shredding::AskOthers(const Order& order, ShreddingRecord& record, WaitingOf& waiting) {
  for (const Region& region : order.regions) {
    if (region == services_.here || record.statements().contains(region.value())) continue;
    if (std::ranges::find(options_.gone, region) != options_.gone.end()) continue;
    Waiting& why = waiting[region];
    why.reason = "The Region is not in reach.";
    if (!services_.ask) continue;
    pb::KeyRequest request;
    request.set_pool(order.pool.value());
    request.set_shred(record.order());
    const auto answered = services_.ask(region, request.SerializeAsString());
    pb::KeyAnswer answer;
    if (!answered) {
      if (answered.error().code != ControlErrorCode::kUnavailable) why.reason = answered.error().detail;
      continue;
    }
    if (!answer.ParseFromString(*answered)) continue;
    why = {.reason = answer.reason(), .keys_destroyed = answer.keys_destroyed()};
    if (answer.outcome() != pb::KeyAnswer::OK) continue;
    const auto opened = certificate::OpenStatement(record.order(), answer.statement());
    if (!opened || opened->statement.region != region) {
      why.reason = "Its statement is not good.";
      log::Error("pool {}: the statement of Region {} is not good", order.pool.value(), region.value());
      continue;
    }
    (*record.mutable_statements())[region.value()] = answer.statement();
    waiting.erase(region);
  }
}

Shredding::WaitingOf Shredding::WaitingFor(const Bytes& id) const {
  std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  return found == waiting_.end() ? WaitingOf() : found->second;
}

// ---- what others see ----

std::optional<ShreddingView> Shredding::Describe(const PoolId& pool) const {
  const ShreddingRecord* latest = nullptr;
  const auto records = RecordsOf(pool);
  std::optional<Order> order;
  Bytes id;
  for (const auto& [record_id, record] : records) {
    auto parsed = certificate::ParseOrder(record.order());
    if (!parsed || (order && order->asked_at > parsed->asked_at)) continue;
    latest = &record;
    order = *std::move(parsed);
    id = record_id;
  }
  if (latest == nullptr) return std::nullopt;
  ShreddingView view{
      .order = *order, .final = latest->state() == ShreddingRecord::FINAL, .regions = {}, .certificate = {}};
  const WaitingOf waiting = WaitingFor(id);
  certificate::Contents contents{.order_text = latest->order(),
                                 .statements = {},
                                 .pending = {},
                                 .issued_by = services_.here,
                                 .issued_at = std::chrono::floor<std::chrono::seconds>(services_.clock.Now())};
  contents.removed = RemovedOf(*order, *latest);
  if (view.final) {
    // As it was then.
    if (const auto issued = certificate::Verify(latest->certificate(), {})) contents.removed = issued->removed;
  }
  for (const Region& region : order->regions) {
    RegionShredding& shown = view.regions.emplace_back();
    shown.region = region;
    if (const auto found = latest->statements().find(region.value()); found != latest->statements().end()) {
      const auto opened = certificate::OpenStatement(latest->order(), found->second);
      shown.state = RegionShredding::State::kDone;
      if (opened) shown.at = opened->statement.at;
      contents.statements.push_back(found->second);
      continue;
    }
    const auto removed = std::ranges::find(contents.removed, region, &certificate::Unconfirmed::region);
    if (removed != contents.removed.end()) {
      shown.state = RegionShredding::State::kRemoved;
      shown.reason = removed->reason;
      continue;
    }
    const auto why = waiting.find(region);
    const bool here_destroyed = region == services_.here && latest->state() > ShreddingRecord::DESTROYING_KEYS;
    if (here_destroyed || (why != waiting.end() && why->second.keys_destroyed)) {
      shown.state = RegionShredding::State::kKeysDestroyed;
    }
    shown.reason = why == waiting.end() || why->second.reason.empty() ? "It has begun." : why->second.reason;
    contents.pending.push_back({.region = region, .reason = shown.reason});
  }
  // All have confirmed, and the certificate is being stored: it is not final yet.
  const bool complete = contents.pending.empty() && !view.final;
  if (!complete) view.certificate = view.final ? latest->certificate() : certificate::Issue(contents, key_);
  return view;
}

replication::ControlResult<Bytes> Shredding::Answer(const Region& from, const PoolId& pool, const Bytes& order_text) {
  const auto order = certificate::ParseOrder(order_text);
  const auto concerns = [&](const Region& region) {
    return std::ranges::find(order->regions, region) != order->regions.end();
  };
  if (!order || order->kind != certificate::Kind::kUserPoolShredded || order->pool != pool || !concerns(from) ||
      !concerns(services_.here)) {
    return Err(ControlError{ControlErrorCode::kRefused, "not an order that concerns this Region"});
  }
  pb::KeyAnswer answer;
  answer.set_outcome(pb::KeyAnswer::NOT_YET);
  const Bytes id = IdOf(*order);
  const auto stored = Load(id);
  if (!stored) return Err(ControlError{ControlErrorCode::kUnavailable, "the store fails"});
  const ShreddingRecord& known = stored->record;
  if (known.order() == order_text) {
    answer.set_keys_destroyed(known.state() > ShreddingRecord::DESTROYING_KEYS);
    const auto statement = known.statements().find(services_.here.value());
    if (statement != known.statements().end()) {
      answer.set_outcome(pb::KeyAnswer::OK);
      answer.set_statement(statement->second);
      return answer.SerializeAsString();
    }
    const WaitingOf waiting = WaitingFor(id);
    const auto why = waiting.find(services_.here);
    answer.set_reason(why == waiting.end() ? "It has begun." : why->second.reason);
    return answer.SerializeAsString();
  }
  // Only what is not here may be removed at another Region's word: a pool that is, goes as its log says.
  if (auto why = WhyHere(pool); !why.empty()) {
    answer.set_reason(std::move(why));
    return answer.SerializeAsString();
  }
  ShreddingRecord record;
  record.set_order(order_text);
  Save(id, stored->version, record);
  answer.set_reason("It has begun.");
  return answer.SerializeAsString();
}

}  // namespace symbolon::key_life
