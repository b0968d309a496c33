#include "region.h"

#include <utility>

#include "storage/log.h"

namespace symbolon::simulation {
namespace {

using replication::LinkId;

constexpr nanoseconds kTick = std::chrono::milliseconds(100);

// Small, so that copies have many pieces, windows close and logs are trimmed under those who lag.
replication::Options SmallOptions() {
  replication::Options options;
  options.frame_limit_bytes = 400;
  options.pool_window_bytes = 1'600;
  options.link_window_bytes = 2'400;
  options.apply_limit_bytes = 800;
  options.heartbeat_interval = std::chrono::milliseconds(400);
  options.silence_limit = std::chrono::milliseconds(2'000);
  options.backoff_initial = std::chrono::milliseconds(50);
  options.backoff_limit = std::chrono::milliseconds(1'000);
  options.copies_max = 2;
  options.copy_pin_limit = std::chrono::seconds(3);
  options.kept_entries_min = 4;
  options.kept_entries_max = 40;
  options.kept_bytes_max = 12'000;
  options.copy_bytes_per_second = 40'000;
  options.copy_window_bytes = 1'600;
  options.staging_bytes = 700;
  options.durability_wait_limit = std::chrono::milliseconds(800);
  options.write_wait_limit = std::chrono::milliseconds(800);
  options.admit_alone_after = std::chrono::milliseconds(1'500);
  options.catch_up_limit = std::chrono::seconds(3);
  options.drain_entries_max = 3;
  options.drain_limit = std::chrono::milliseconds(800);
  options.promise_limit = std::chrono::milliseconds(900);
  options.fetch_limit = std::chrono::milliseconds(2'500);
  options.trim_interval = std::chrono::milliseconds(700);
  return options;
}

// Some of what comes of a copy is more, some less.
constexpr std::size_t kIngestBytesMin = 600;

// Makes positions durable after what belongs to them.
class SplittingEngine final : public storage::Engine {
 public:
  explicit SplittingEngine(std::unique_ptr<storage::Engine> engine) : engine_(std::move(engine)) {}

  std::shared_ptr<const storage::EngineSnapshot> MakeSnapshot() override { return engine_->MakeSnapshot(); }
  storage::StoreResult<std::optional<Bytes>> Get(BytesView key) override { return engine_->Get(key); }
  std::uint64_t EstimateBytes(BytesView begin, BytesView end) override { return engine_->EstimateBytes(begin, end); }
  storage::StoreResult<void> Ingest(BytesView key_prefix, const std::vector<storage::Record>& records) override {
    return engine_->Ingest(key_prefix, records);
  }
  void Reclaim(Bytes begin, Bytes end) override { engine_->Reclaim(std::move(begin), std::move(end)); }
  storage::StoreResult<void> Write(const storage::EngineBatch& batch) override {
    storage::EngineBatch records;
    storage::EngineBatch positions;
    for (const storage::EngineBatch::Operation& operation : batch.operations()) {
      storage::EngineBatch& target = operation.key.starts_with('p') ? positions : records;
      switch (operation.kind) {
        case storage::EngineBatch::Kind::kPut:
          target.Put(operation.key, operation.argument);
          break;
        case storage::EngineBatch::Kind::kDelete:
          target.Delete(operation.key);
          break;
        case storage::EngineBatch::Kind::kDeleteRange:
          target.DeleteRange(operation.key, operation.argument);
          break;
      }
    }
    if (positions.empty() || records.empty()) return engine_->Write(batch);
    SYMBOLON_TRY_VOID(engine_->Write(records));
    return engine_->Write(positions);
  }

 private:
  const std::unique_ptr<storage::Engine> engine_;
};

storage::pb::Head HeadAfter(const storage::pb::LogEntry& entry) {
  storage::pb::Head head;
  *head.mutable_epoch() = entry.epoch();
  head.set_sequence(entry.sequence());
  head.set_digest(storage::EntryDigest(entry));
  head.set_commit_time_micros(entry.commit_time_micros());
  return head;
}

}  // namespace

storage::StoreResult<void> SimArchive::Keep(storage::Store& store, const PoolId& pool, std::uint64_t fork) {
  SYMBOLON_TRY(std::optional<storage::pb::Head> head, store.MakeSnapshot()->Head(pool));
  if (!head) return {};
  // Every entry after the fork is there; or the directory is kept whole.
  const auto entries = store.ReadLog(pool, fork + 1, 1 << 20);
  SYMBOLON_CHECK(!entries || entries->size() == head->sequence() - fork);
  kept[pool].insert(head->digest());
  return {};
}

SimRegion::SimRegion(Region name, std::vector<Region> peers, Scheduler& scheduler, Dice& dice, Network& network,
                     Trace& trace, Plant plant)
    : name_(std::move(name)),
      peers_(std::move(peers)),
      scheduler_(scheduler),
      dice_(dice),
      network_(network),
      trace_(trace),
      plant_(plant),
      disk_(std::make_shared<storage::MemoryDisk>()),
      clock_(scheduler) {
  network_.AddRegion(*this);
}

SimRegion::~SimRegion() {
  ++life_;
  machine_.reset();
  subscription_.reset();
  store_.reset();
}

void SimRegion::Start() {
  SYMBOLON_CHECK(!up());
  fault_at_.reset();
  disk_->PlanFault(storage::WriteFault::kNone);
  if (plant_ == Plant::kForgetFactAtRestart && life_ > 0) ForgetNewestFact();
  if (plant_ == Plant::kForgetPromiseAtRestart) ForgetPromises();
  std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk_);
  if (plant_ == Plant::kApplyWithoutPosition) engine = std::make_unique<SplittingEngine>(std::move(engine));
  auto opened = storage::LocalStore::Open(std::move(engine), {.region = name_,
                                                              .clock = &clock_,
                                                              .random = &dice_.random(),
                                                              .limits = {},
                                                              .ingest_bytes_min = kIngestBytesMin});
  SYMBOLON_CHECK(opened);
  store_ = *std::move(opened);
  ++life_;
  trace_.Say("{} starts", name_.value());
  subscription_ = store_->Subscribe([this](const storage::Notice& notice) {
    if (on_notice) on_notice(notice);
    const bool told = !news_.empty();
    replication::AddTo(news_, notice);
    if (told || news_.empty()) return;
    Post(dice_.Micros(0, 500), [this] { machine_->OnNews(std::exchange(news_, {}), Now()); });
  });
  machine_ = std::make_unique<replication::Machine>(*store_, dice_.random(), peers_, SmallOptions(), *this, archive_);
  commits_.emplace(*store_, &machine_->durability_gate());
  machine_->Start(Now());
  Settle();
  if (up()) Post(kTick, [this] { Tick(); });
}

void SimRegion::Crash() {
  if (!up()) return;
  trace_.Say("{} dies", name_.value());
  ++life_;
  network_.Crashed(*this);
  links_.clear();
  blocking_.clear();
  blocking_busy_ = false;
  step_planned_ = false;
  news_.clear();
  machine_.reset();
  subscription_.reset();
  store_.reset();
  if (on_crash) on_crash();
}

void SimRegion::PlanFault(storage::WriteFault fault, std::uint64_t writes_from_now) {
  if (!up()) return;
  // A fault that has happened already takes effect first.
  Settle();
  if (!up()) return;
  fault_ = fault;
  fault_at_ = disk_->write_count() + writes_from_now;
  disk_->PlanFault(fault, writes_from_now);
}

void SimRegion::Post(nanoseconds delay, std::move_only_function<void()> event) {
  scheduler_.After(delay, [this, life = life_, event = std::move(event)]() mutable {
    if (life != life_ || !up()) return;
    event();
    Settle();
  });
}

void SimRegion::Tick() {
  machine_->OnTick(Now());
  // Writes that were held up may have gone on.
  KickCommitter();
  Post(kTick, [this] { Tick(); });
}

void SimRegion::Settle() {
  for (const LinkId link : std::set<LinkId>(links_)) {
    while (network_.Takes(*this, link)) {
      std::optional<replication::pb::Frame> frame = machine_->NextFrame(link, Now());
      if (!frame) break;
      if (plant_ == Plant::kSkipEntry && frame->has_batch() && frame->batch().entries_size() > 2) {
        frame->mutable_batch()->mutable_entries()->DeleteSubrange(1, 1);
      }
      if (frame->has_promise_answer() && frame->promise_answer().granted() && on_promise) {
        on_promise(frame->promise_answer());
      }
      trace_.Say("{} sends on {}: {} bytes, kind {}", name_.value(), link, frame->ByteSizeLong(),
                 static_cast<int>(frame->body_case()));
      network_.Send(*this, link, *frame);
    }
  }
  if (!fault_at_ || disk_->write_count() <= *fault_at_) return;
  fault_at_.reset();
  switch (fault_) {
    case storage::WriteFault::kCrashBeforeDurable:
    case storage::WriteFault::kCrashAfterDurable:
      Crash();
      break;
    case storage::WriteFault::kSyncFailsLost:
    case storage::WriteFault::kSyncFailsKept:
      // It refuses writes, until somebody restarts it.
      Post(dice_.Micros(10'000, 500'000), [this] { scheduler_.After(nanoseconds(0), [this] { Crash(); }); });
      break;
    case storage::WriteFault::kFull:
    case storage::WriteFault::kNone:
      break;
  }
}

void SimRegion::ForgetNewestFact() {
  const std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk_);
  const auto snapshot = engine->MakeSnapshot();
  const auto entries = snapshot->Iterate("o", "p", storage::Caching::kKeep);
  storage::EngineBatch batch;
  for (; entries->Valid(); entries->Next()) {
    storage::pb::FactEntry entry;
    SYMBOLON_CHECK(entry.ParseFromString(Bytes(entries->value())));
    const Bytes key(entries->key());
    batch = storage::EngineBatch();
    batch.Delete(key);
    batch.Delete("f" + key.substr(1, key.find('\0')) + entry.key());
  }
  if (!batch.empty()) SYMBOLON_CHECK(engine->Write(batch));
}

void SimRegion::ForgetPromises() {
  const std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk_);
  storage::EngineBatch batch;
  batch.DeleteRange("q", "r");
  SYMBOLON_CHECK(engine->Write(batch));
}

void SimRegion::Commit(storage::Commit commit,
                       std::move_only_function<void(storage::StoreResult<storage::Committed>)> done) {
  store_->Submit(std::move(commit), [this, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    Post(dice_.Micros(0, 200),
         [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  });
  KickCommitter();
}

void SimRegion::CommitDurably(storage::Commit commit, const replication::pb::RoleRecord& role,
                              std::move_only_function<void(replication::DurableCommitResult)> done) {
  const auto asked = plant_ == Plant::kAnswerWithoutReplica ? replication::NewRoleRecord(name_) : role;
  commits_->Submit(std::move(commit), asked, [this, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    Post(dice_.Micros(0, 200),
         [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  });
  KickCommitter();
}

// ---- MachineHost ----

void SimRegion::Dial(const Region& peer, LinkId link) {
  links_.insert(link);
  network_.Dial(*this, peer, link);
}

void SimRegion::Close(LinkId link) {
  links_.erase(link);
  network_.Close(*this, link);
}

void SimRegion::Submit(storage::Commit commit, replication::Done<storage::Committed> done) {
  if (plant_ == Plant::kPromiseWithoutFence) commit.promise.reset();
  Commit(std::move(commit), [this, done = std::move(done)](auto result) mutable { done(std::move(result), Now()); });
}

void SimRegion::Apply(storage::AppliedEntries entries, replication::Done<storage::pb::Head> done) {
  if (plant_ == Plant::kAcknowledgeBeforeDurable) {
    Post(dice_.Micros(0, 100), [this, done = std::move(done), head = HeadAfter(entries.entries.back())]() mutable {
      done(std::move(head), Now());
    });
    store_->Apply(std::move(entries), [](auto) {});
    KickCommitter();
    return;
  }
  store_->Apply(std::move(entries), [this, life = life_, done = std::move(done)](auto result) mutable {
    if (life != life_) return;
    Post(dice_.Micros(0, 200),
         [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
  });
  KickCommitter();
}

void SimRegion::MergeFacts(PoolId pool, std::vector<storage::pb::FactEntry> entries, replication::Done<void> done) {
  store_->MergeFacts(
      std::move(pool), std::move(entries), [this, life = life_, done = std::move(done)](auto result) mutable {
        if (life != life_) return;
        Post(dice_.Micros(0, 200),
             [this, done = std::move(done), result = std::move(result)]() mutable { done(std::move(result), Now()); });
      });
  KickCommitter();
}

void SimRegion::KickCommitter() {
  if (std::exchange(step_planned_, true)) return;
  Post(dice_.Micros(50, 3'000), [this] {
    step_planned_ = false;
    if (store_->Step()) KickCommitter();
  });
}

void SimRegion::RunBlocking(std::move_only_function<storage::StoreResult<void>()> work, replication::Done<void> done) {
  blocking_.push_back({std::move(work), std::move(done)});
  StartBlockingWork();
}

void SimRegion::StartBlockingWork() {
  if (blocking_busy_ || blocking_.empty()) return;
  blocking_busy_ = true;
  Post(dice_.Micros(100, 5'000), [this] {
    BlockingWork current = std::move(blocking_.front());
    blocking_.pop_front();
    storage::StoreResult<void> result = current.work();
    Post(dice_.Micros(0, 300), [this, done = std::move(current.done), result = std::move(result)]() mutable {
      blocking_busy_ = false;
      done(std::move(result), Now());
      StartBlockingWork();
    });
  });
}

// ---- from the network ----

void SimRegion::Accept(const Region& peer, LinkId link) {
  links_.insert(link);
  machine_->OnAccepted(link, peer, Now());
  Settle();
}

void SimRegion::Connected(LinkId link) {
  if (!up()) return;
  machine_->OnConnected(link, Now());
  Settle();
}

void SimRegion::Closed(LinkId link) {
  links_.erase(link);
  machine_->OnClosed(link, Now());
  Settle();
}

void SimRegion::Receive(LinkId link, replication::pb::Frame frame) {
  if (plant_ == Plant::kDeafToEpochs && frame.has_pools()) {
    for (auto& state : *frame.mutable_pools()->mutable_pools()) {
      const auto status = machine_->Status(PoolId(state.pool()), Now());
      if (status && status->role.kind == replication::Role::Kind::kPrimary) state.clear_standing();
    }
  }
  machine_->OnFrame(link, std::move(frame), Now());
  Settle();
}

}  // namespace symbolon::simulation
