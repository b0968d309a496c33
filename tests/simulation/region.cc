#include "region.h"

#include <algorithm>
#include <utility>

#include "storage/incarnation.h"

namespace symbolon::simulation {
namespace {

using replication::LinkId;

constexpr nanoseconds kTick = std::chrono::milliseconds(100);

// Some of what comes of a copy is more, some less.
constexpr std::size_t kIngestBytesMin = 600;

// As Forge; but what is older than its Region's first key keeps its proof, which gives the forgery away: without one it
// is taken from others while that Region is not connected (docs/facts.md, "Who said it").
void ForgeIn(storage::Store& store, replication::pb::Frame& frame) {
  const replication::pb::Facts before = frame.facts();
  Forge(frame);
  if (!frame.has_facts()) return;
  const auto stored = store.MakeSnapshot()->Get(
      {storage::Space::kDirectory, PoolId(before.pool()), replication::kRoleRecordType, Bytes()});
  const auto role = stored && *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!role) return;
  for (int i = 0; i < before.entries_size(); ++i) {
    const storage::pb::FactEntry& entry = before.entries(i);
    const bool signs = replication::LogKeyOf(*role, Region(entry.region())) != nullptr;
    if (!entry.has_proof() || !signs || replication::NeedsProof(*role, entry)) continue;
    *frame.mutable_facts()->mutable_entries(i)->mutable_proof() = entry.proof();
  }
}

}  // namespace

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
  options.pause_limit = std::chrono::milliseconds(600);
  options.catch_up_limit = std::chrono::seconds(3);
  options.drain_entries_max = 3;
  options.drain_lag_max = std::chrono::milliseconds(100);
  options.drain_limit = std::chrono::milliseconds(800);
  options.promise_limit = std::chrono::milliseconds(900);
  options.fetch_limit = std::chrono::milliseconds(2'500);
  options.trim_interval = std::chrono::milliseconds(700);
  options.sign_interval = std::chrono::milliseconds(300);
  options.unsigned_limit = std::chrono::milliseconds(2'500);
  options.keep_signatures_interval = std::chrono::milliseconds(600);
  return options;
}

storage::StoreResult<std::optional<storage::pb::Head>> SimArchive::Keep(storage::Store& store, const PoolId& pool,
                                                                        std::uint64_t fork) {
  SYMBOLON_TRY(std::optional<storage::pb::Head> head, store.MakeSnapshot()->Head(pool));
  if (!head) return std::nullopt;
  // Every entry after the fork is there; or the directory is kept whole.
  const auto entries = store.ReadLog(pool, fork + 1, 1 << 20);
  if (!entries && entries.error().code != storage::StoreErrorCode::kGap) return Err(entries.error());
  SYMBOLON_CHECK(!entries || entries->size() == head->sequence() - fork);
  kept[pool].insert(head->digest());
  return head;
}

SimRegion::SimRegion(Region name, std::vector<Region> peers, Scheduler& scheduler, Dice& dice, Network& network,
                     Trace& trace, std::int64_t clock_drift_ppm, Plant plant,
                     const std::optional<SimAuthority>& authority)
    : name_(std::move(name)),
      peers_(std::move(peers)),
      scheduler_(scheduler),
      dice_(dice),
      network_(network),
      trace_(trace),
      plant_(plant),
      authority_(authority),
      clock_(scheduler, clock_drift_ppm),
      signer_(std::make_unique<SimSigner>(dice.random().Octets(replication::kLogKeyBytes), plant)),
      disk_(std::make_shared<storage::MemoryDisk>()),
      bad_reads_(scheduler) {
  network_.AddRegion(*this);
}

SimRegion::~SimRegion() {
  ++life_;
  plans_.reset();
  machine_.reset();
  subscription_.reset();
  reading_store_.reset();
  store_.reset();
}

void SimRegion::Start() {
  SYMBOLON_CHECK(!up());
  fault_at_.reset();
  versions_ = next_versions_;
  hijacked_ = std::exchange(hijack_next_, false);
  disk_->PlanFault(storage::WriteFault::kNone);
  if (plant_ == Plant::kForgetFactAtRestart && life_ > 0) ForgetNewestFact(disk_);
  if (plant_ == Plant::kForgetPromiseAtRestart) ForgetPromises(disk_);
  std::unique_ptr<storage::Engine> engine = MakePlantedEngine(plant_, disk_);
  if (std::exchange(restored_, false) && plant_ != Plant::kKeepIncarnation)
    SYMBOLON_CHECK(storage::RenewIncarnation(*engine, dice_.random()));
  auto opened = storage::LocalStore::Open(std::move(engine), {.region = name_,
                                                              .clock = &clock_,
                                                              .random = &dice_.random(),
                                                              .limits = {},
                                                              .ingest_bytes_min = kIngestBytesMin});
  SYMBOLON_CHECK(opened);
  store_ = *std::move(opened);
  reading_store_ = storage::MakeUnreadableStore(*store_, [this](const storage::Read& read) {
    if (!bad_reads_.Strike(read)) return storage::ReadFault::kNone;
    return plant_ == Plant::kReadErrorIsAbsence ? storage::ReadFault::kReadsAsAbsent : storage::ReadFault::kFails;
  });
  ++life_;
  trace_.Say("{} starts", name_.value());
  subscription_ = store_->Subscribe([this](const storage::Notice& notice) {
    if (on_notice) on_notice(notice);
    const bool told = !news_.empty();
    replication::AddTo(news_, notice);
    if (told || news_.empty()) return;
    Post(dice_.Micros(0, 500), [this] { machine_->OnNews(std::exchange(news_, {}), Now()); });
  });
  StartMachine();
  plans_ = std::make_unique<PlanRunner>(*this, dice_, plant_);
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
  plans_.reset();
  machine_.reset();
  lease_.reset();
  subscription_.reset();
  reading_store_.reset();
  store_.reset();
  disk_->LoseUnsynced();
  paused_until_ = {};
  if (on_crash) on_crash();
}

void SimRegion::Pause(nanoseconds duration) {
  if (!up()) return;
  trace_.Say("{} stands still", name_.value());
  paused_until_ = std::max(paused_until_, scheduler_.now() + duration);
}

void SimRegion::TakeBackup() {
  if (!up()) return;
  trace_.Say("{} is backed up", name_.value());
  backup_ = disk_->Copy();
}

void SimRegion::LoseDiskAndRestore() {
  if (!up() || !backup_) return;
  trace_.Say("{} loses its disk", name_.value());
  // Nobody opens the old one again.
  disk_ = backup_->Copy();
  restored_ = true;
  Crash();
}

void SimRegion::Hijack() {
  if (!up()) return;
  trace_.Say("somebody takes the place of {}", name_.value());
  hijack_next_ = true;
  Crash();
}

void SimRegion::EndHijack() {
  hijack_next_ = false;
  if (hijacked_) Crash();
}

void SimRegion::SetBack() {
  if (!up() || !backup_) return;
  trace_.Say("{} is set back", name_.value());
  disk_ = backup_->Copy();
  Crash();
}

void SimRegion::PlanFault(storage::WriteFault fault, std::uint64_t writes_from_now) {
  if (!up() || paused()) return;
  // A fault that has happened already takes effect first.
  Settle();
  if (!up()) return;
  fault_ = fault;
  fault_at_ = disk_->write_count() + writes_from_now;
  disk_->PlanFault(fault, writes_from_now);
}

void SimRegion::Post(nanoseconds delay, std::move_only_function<void()> event) {
  scheduler_.After(delay,
                   [this, life = life_, event = std::move(event)]() mutable { WhenAwake(life, std::move(event)); });
}

void SimRegion::WhenAwake(std::uint64_t life, std::move_only_function<void()> event) {
  if (life != life_ || !up()) return;
  if (paused()) {
    // In the order in which they came.
    scheduler_.After(paused_until_ - scheduler_.now(),
                     [this, life, event = std::move(event)]() mutable { WhenAwake(life, std::move(event)); });
    return;
  }
  event();
  Settle();
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
      if (plant_ == Plant::kAcknowledgeFactsEarly && frame->has_facts_have()) {
        for (auto& progress : *frame->mutable_facts_have()->mutable_vector()->mutable_progress()) {
          progress.set_number(progress.number() + 1);
        }
      }
      if (hijacked_) ForgeIn(*store_, *frame);
      SendAs(versions_, *frame);
      if (on_send) on_send(*frame);
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

}  // namespace symbolon::simulation
