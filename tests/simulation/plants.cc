#include "plants.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/result.h"
#include "storage/local_store.pb.h"

namespace symbolon::simulation {
namespace {

constexpr PlantedBug kPlantedBugs[] = {
    {Plant::kApplyWithoutPosition, "apply-without-position",
     "records and the position that they belong to become durable one after the other", 60},
    {Plant::kAcknowledgeBeforeDurable, "acknowledge-before-durable",
     "a secondary acknowledges entries that it has only received", 60},
    {Plant::kForgetFactAtRestart, "forget-fact-at-restart", "a restart loses the newest fact, and not its number", 60},
    {Plant::kSkipEntry, "skip-entry", "a supplier's frames lose an entry from their middle", 60},
    {Plant::kAnswerWithoutReplica, "answer-without-replica",
     "a write is answered when it is durable in the primary, whatever the pool's durability asks", 60},
    {Plant::kForgetPromiseAtRestart, "forget-promise-at-restart", "a restart loses what was promised", 1'000},
    {Plant::kPromiseWithoutFence, "promise-without-fence",
     "the store is not told of promises, so that it does not look at the epoch of what is written", 400},
    {Plant::kHandOverWithoutEquality, "hand-over-without-equality",
     "a primary hands over without waiting for what the secondary lacks", 100},
    {Plant::kHandedOverIsRefused, "handed-over-is-refused",
     "who asked for a hand-over, and waited in vain for the next primary, is told that nothing has changed", 100},
    {Plant::kHandedOverIsDone, "handed-over-is-done",
     "who asked for a hand-over, and waited in vain for the next primary, is told that it leads", 100},
    {Plant::kDeafToEpochs, "deaf-to-epochs", "a primary does not hear what peers say of epochs", 400},
    {Plant::kAnswerBeforeSync, "answer-before-sync", "a store answers writes that a crash still takes back", 60},
    {Plant::kOldSnapshot, "old-snapshot", "a Region serves people from what it read up to a second ago", 60},
    {Plant::kHonourTwice, "honour-twice", "a session becomes tokens, and is not marked as used", 60},
    {Plant::kKeepIncarnation, "keep-incarnation", "a store that comes out of a backup keeps its incarnation", 400},
    {Plant::kPlainText, "plain-text", "a password is written to the directory as it is", 20},
    {Plant::kAcknowledgeFactsEarly, "acknowledge-facts-early", "a Region acknowledges a fact that it does not have",
     20},
    {Plant::kPositionBySequence, "position-by-sequence", "a position counts as passed without a look at its epoch",
     400},
    {Plant::kDropUnknownFields, "drop-unknown-fields",
     "a change of the role record drops what a newer version wrote there", 400},
    {Plant::kSpeakAnyVersion, "speak-any-version", "a Region does not look at the versions that its peer speaks", 400},
    {Plant::kLeaseFromAnswer, "lease-from-answer",
     "a lease is counted from the answer to its renewal, not from the sending", 0},
    {Plant::kAnswerWithoutLease, "answer-without-lease", "a write is answered without another look at the lease", 400},
    {Plant::kTakeDespiteLease, "take-despite-lease", "a register is taken while its owner's lease stands", 400},
    {Plant::kFallBackUnregistered, "fall-back-unregistered",
     "writes are answered without a replica though the register's in-sync set was not emptied", 0},
    {Plant::kForwardAgain, "forward-again", "a write that was passed on, and not answered, is passed on again", 100},
    {Plant::kUnknownIsRefused, "unknown-is-refused",
     "the client of a write that was passed on, and not answered, is told that nothing was done", 100},
    {Plant::kAcceptAnyHead, "accept-any-head", "a Region does not look at what a log's signatures say", 100},
    {Plant::kAcceptAnyFact, "accept-any-fact", "a Region takes facts in the name of Regions that did not say them",
     100},
    {Plant::kSendErased, "send-erased",
     "bodies are erased before every member has come past them, and entries are sent without them", 100},
    {Plant::kLeadLocked, "lead-locked", "a Region says that it could lead a pool whose key is withdrawn there", 400},
    {Plant::kServeLocked, "serve-locked", "a Region serves people of a pool whose key is withdrawn there", 20},
    {Plant::kStopAtLock, "stop-at-lock", "a Region takes no entries of a pool whose key is withdrawn there", 20},
    {Plant::kForgottenUntold, "forgotten-untold", "a Region does not hear how far others have forgotten facts", 100},
    {Plant::kReadErrorIsAbsence, "read-error-is-absence", "what a Region cannot read of its store counts as absent",
     100},
    {Plant::kStepUnmarked, "step-unmarked",
     "a step of an authenticator becomes tokens, and its session alone is marked as used", 60},
    {Plant::kEndFirstSeenEarly, "end-first-seen-early",
     "what is said of a first sign-in ends before every member has the record", 100},
};

// Makes positions durable after what belongs to them.
class SplittingEngine final : public storage::Engine {
 public:
  explicit SplittingEngine(std::unique_ptr<storage::Engine> engine) : engine_(std::move(engine)) {}

  std::shared_ptr<const storage::EngineSnapshot> MakeSnapshot() override { return engine_->MakeSnapshot(); }
  storage::StoreResult<std::optional<Bytes>> Get(BytesView key) override { return engine_->Get(key); }
  std::uint64_t EstimateBytes(BytesView begin, BytesView end) override { return engine_->EstimateBytes(begin, end); }
  storage::StoreResult<void> Ingest(BytesView key_prefix, const std::vector<storage::PackedRecords>& pieces) override {
    return engine_->Ingest(key_prefix, pieces);
  }
  void Reclaim(Bytes begin, Bytes end) override { engine_->Reclaim(std::move(begin), std::move(end)); }
  storage::StoreResult<storage::Purged> Purge(const std::vector<storage::KeySpan>& spans) override {
    return engine_->Purge(spans);
  }
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

// Forgets that bodies of the log were erased.
class ForgetfulEngine final : public storage::Engine {
 public:
  explicit ForgetfulEngine(std::unique_ptr<storage::Engine> engine) : engine_(std::move(engine)) {}

  std::shared_ptr<const storage::EngineSnapshot> MakeSnapshot() override {
    return std::make_shared<Snapshot>(engine_->MakeSnapshot());
  }
  storage::StoreResult<std::optional<Bytes>> Get(BytesView key) override { return Forget(key, engine_->Get(key)); }
  std::uint64_t EstimateBytes(BytesView begin, BytesView end) override { return engine_->EstimateBytes(begin, end); }
  storage::StoreResult<void> Ingest(BytesView key_prefix, const std::vector<storage::PackedRecords>& pieces) override {
    return engine_->Ingest(key_prefix, pieces);
  }
  void Reclaim(Bytes begin, Bytes end) override { engine_->Reclaim(std::move(begin), std::move(end)); }
  storage::StoreResult<storage::Purged> Purge(const std::vector<storage::KeySpan>& spans) override {
    return engine_->Purge(spans);
  }
  storage::StoreResult<void> Write(const storage::EngineBatch& batch) override { return engine_->Write(batch); }

 private:
  class Snapshot final : public storage::EngineSnapshot {
   public:
    explicit Snapshot(std::shared_ptr<const storage::EngineSnapshot> snapshot) : snapshot_(std::move(snapshot)) {}
    storage::StoreResult<std::optional<Bytes>> Get(BytesView key) const override {
      return Forget(key, snapshot_->Get(key));
    }
    std::unique_ptr<storage::EngineIterator> Iterate(BytesView begin, BytesView end,
                                                     storage::Caching caching) const override {
      return snapshot_->Iterate(begin, end, caching);
    }

   private:
    const std::shared_ptr<const storage::EngineSnapshot> snapshot_;
  };

  static storage::StoreResult<std::optional<Bytes>> Forget(BytesView key,
                                                           storage::StoreResult<std::optional<Bytes>> stored) {
    storage::pb::PoolState state;
    if (!key.starts_with('p') || !stored || !*stored || !state.ParseFromString(**stored)) return stored;
    state.clear_erased_through();
    return std::optional(state.SerializeAsString());
  }

  const std::unique_ptr<storage::Engine> engine_;
};

}  // namespace

std::span<const PlantedBug> PlantedBugs() { return kPlantedBugs; }

std::optional<Plant> FindPlant(std::string_view name) {
  const auto* found = std::ranges::find(kPlantedBugs, name, &PlantedBug::name);
  return found == std::end(kPlantedBugs) ? std::nullopt : std::optional(found->plant);
}

std::unique_ptr<storage::Engine> MakePlantedEngine(Plant plant, const std::shared_ptr<storage::MemoryDisk>& disk) {
  if (plant == Plant::kAnswerBeforeSync) disk->SetUnsynced(1);
  std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk);
  if (plant == Plant::kSendErased) engine = std::make_unique<ForgetfulEngine>(std::move(engine));
  if (plant == Plant::kApplyWithoutPosition) engine = std::make_unique<SplittingEngine>(std::move(engine));
  return engine;
}

void ForgetNewestFact(const std::shared_ptr<storage::MemoryDisk>& disk) {
  disk->SetFull(false);
  const std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk);
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

void ForgetPromises(const std::shared_ptr<storage::MemoryDisk>& disk) {
  disk->SetFull(false);
  const std::unique_ptr<storage::Engine> engine = storage::MakeMemoryEngine(disk);
  storage::EngineBatch batch;
  batch.DeleteRange("q", "r");
  SYMBOLON_CHECK(engine->Write(batch));
}

}  // namespace symbolon::simulation
