// Crashes of a store at every one of its writes, on the memory engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "storage/keys.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::storage {
namespace {

const Region kRegion{"eu-central-1"};
using Contents = std::map<Bytes, Bytes>;

// Everything on a disk, octet for octet.
Contents ReadDisk(const std::shared_ptr<MemoryDisk>& disk) {
  Contents contents;
  const auto engine = MakeMemoryEngine(disk);
  const auto snapshot = engine->MakeSnapshot();
  for (auto record = snapshot->Iterate(BytesView("\0", 1), "\xff"); record->Valid(); record->Next()) {
    contents[Bytes(record->key())] = Bytes(record->value());
  }
  return contents;
}

// What a process does to its store, from the start; every step makes exactly one write.
class Script {
 public:
  // Runs the script on `disk` until a step fails. Answers how many succeeded. `after_step` runs after each.
  std::size_t Run(const std::shared_ptr<MemoryDisk>& disk, const std::function<void()>& after_step = [] {}) {
    ManualClock clock;
    SeededRandom random(1);
    LocalStore::Options options;
    options.region = kRegion;
    options.clock = &clock;
    options.random = &random;
    auto opened = LocalStore::Open(MakeMemoryEngine(disk), options);
    if (!opened) return 0;
    LocalStore& store = **opened;
    std::size_t succeeded = 1;
    after_step();
    for (const auto& step : Steps(store)) {
      if (!step()) return succeeded;
      ++succeeded;
      after_step();
    }
    return succeeded;
  }

 private:
  static bool Step(LocalStore& store, std::vector<Commit> commits) {
    bool all = true;
    for (Commit& commit : commits) {
      store.Submit(std::move(commit), [&](StoreResult<Committed> result) { all = all && result; });
    }
    store.Step();
    return all;
  }

  static std::vector<std::function<bool()>> Steps(LocalStore& store) {
    const PoolId copied{"us-east-1_Copied0001"};
    pb::Head head;
    head.mutable_epoch()->set_counter(3);
    head.mutable_epoch()->set_region("us-east-1");
    head.mutable_epoch()->set_incarnation("theirs");
    head.set_sequence(9);
    head.set_digest(ValueDigest("theirs"));
    pb::History history;
    *history.add_epochs()->mutable_epoch() = head.epoch();
    pb::LogEntry next;
    *next.mutable_epoch() = head.epoch();
    next.set_sequence(10);
    next.set_previous_digest(head.digest());
    pb::LogChange* change = next.add_changes();
    change->set_key(Bytes("\0\1u1", 4));
    change->set_deleted(true);
    pb::FactEntry fact;
    fact.set_region("us-east-1");
    fact.set_incarnation("theirs");
    fact.set_number(1);
    fact.set_key(Bytes("\0\3f", 3));
    *fact.mutable_value() = Elements({"theirs"}, 50);

    Commit mixed = DirectoryCommit({{DirectoryKey("b"), "2"}, {DirectoryKey("a"), std::nullopt}});
    mixed.regional = {{RegionalKey("r"), "1"}};
    mixed.facts = {{FactKey("f"), Elements({"x"}, 40)}};
    return {
        [&store] { return Step(store, {FirstCommit({{DirectoryKey("a"), "1"}})}); },
        [&store, mixed] { return Step(store, {mixed, FactCommit("g", Elements({"y"}, 60))}); },
        [&store, mixed] { return Step(store, {mixed, DirectoryCommit({{DirectoryKey("c"), "3"}}), mixed}); },
        [&store] { return store.TrimLog(kTestPool, 3).has_value(); },
        [&store, copied, head, history] { return store.BeginStaging(copied, head, history).has_value(); },
        [&store, copied] { return store.WriteStaging(copied, {{Bytes("\0\1u1", 4), "v"}}).has_value(); },
        [&store, copied] { return store.WriteStaging(copied, {{Bytes("\0\1u2", 4), "v"}}).has_value(); },
        [&store, copied] { return store.FlipStaging(copied).has_value(); },
        [&store, copied, next] {
          bool applied = false;
          store.Apply({copied, {next.SerializeAsString()}},
                      [&](StoreResult<pb::Head> result) { applied = result.has_value(); });
          store.Step();
          return applied;
        },
        [&store, fact] {
          bool merged = false;
          store.MergeFacts(kTestPool, {fact}, [&](StoreResult<void> result) { merged = result.has_value(); });
          store.Step();
          return merged;
        },
        [&store] {
          return store.MakeSnapshot()
              ->Facts(kTestPool)
              .and_then([&](const pb::FactVector& own) { return store.CompactFacts(kTestPool, own, 10); })
              .has_value();
        },
        [&store] { return store.ForgetExpiredFacts(FromMicros(55), 10).has_value(); },
        [&store, copied, head, history] { return store.BeginStaging(copied, head, history).has_value(); },
        [&store, copied] { return store.DropStaging(copied).has_value(); },
        [&store] { return store.DropPool(kTestPool).has_value(); },
        [&store] { return Step(store, {FirstCommit({{DirectoryKey("again"), "1"}})}); },
    };
  }
};

TEST(Crash, AtAnyWriteTheDiskHoldsAllOfItOrNothing) {
  // The states after 0, 1, 2 ... writes.
  auto disk = std::make_shared<MemoryDisk>();
  std::vector<Contents> states = {ReadDisk(disk)};
  std::vector<std::uint64_t> writes;
  const std::size_t steps = Script().Run(disk, [&] { writes.push_back(disk->write_count()); });
  ASSERT_EQ(steps, 17u);
  for (std::size_t i = 0; i < writes.size(); ++i) ASSERT_EQ(writes[i], i + 1) << "one write for each step";
  for (std::size_t done = 1; done <= steps; ++done) {
    disk = std::make_shared<MemoryDisk>();
    disk->PlanFault(WriteFault::kCrashBeforeDurable, done);
    Script().Run(disk);
    states.push_back(ReadDisk(disk));
    ASSERT_NE(states[done], states[done - 1]) << "step " << done << " changed nothing";
  }
  struct Case {
    WriteFault fault;
    std::size_t survives;
  };
  for (std::size_t write = 0; write < steps; ++write) {
    for (const Case& crash :
         {Case{WriteFault::kCrashBeforeDurable, 0}, Case{WriteFault::kCrashAfterDurable, 1},
          Case{WriteFault::kSyncFailsLost, 0}, Case{WriteFault::kSyncFailsKept, 1}, Case{WriteFault::kFull, 0}}) {
      disk = std::make_shared<MemoryDisk>();
      disk->PlanFault(crash.fault, write);
      EXPECT_EQ(Script().Run(disk), write) << "the step whose write failed must not succeed";
      EXPECT_EQ(ReadDisk(disk), states[write + crash.survives])
          << "write " << write << ", fault " << static_cast<int>(crash.fault);
    }
  }
}

TEST(Crash, AfterAnyCrashTheStoreOpensAndGoesOn) {
  const std::size_t steps = Script().Run(std::make_shared<MemoryDisk>());
  for (std::size_t write = 0; write < steps; ++write) {
    for (const WriteFault fault : {WriteFault::kCrashBeforeDurable, WriteFault::kCrashAfterDurable}) {
      auto disk = std::make_shared<MemoryDisk>();
      disk->PlanFault(fault, write);
      Script().Run(disk);
      ManualClock clock;
      SeededRandom random(2);
      LocalStore::Options options;
      options.region = kRegion;
      options.clock = &clock;
      options.random = &random;
      auto store = LocalStore::Open(MakeMemoryEngine(disk), options);
      ASSERT_TRUE(store) << store.error().detail;
      const auto head = *(*store)->MakeSnapshot()->Head(kTestPool);
      Commit commit = DirectoryCommit({{DirectoryKey("after"), "1"}});
      if (!head) commit.start_epoch_counter = 1;
      std::optional<StoreResult<Committed>> answer;
      (*store)->Submit(std::move(commit), [&](StoreResult<Committed> result) { answer = std::move(result); });
      (*store)->Step();
      ASSERT_TRUE(answer && *answer) << write;
      EXPECT_EQ((*answer)->position->sequence(), (head ? head->sequence() : 0) + 1);
      const auto readable = (*store)->ReadLog(kTestPool, (*answer)->position->sequence(), 1000);
      ASSERT_TRUE(readable);
      EXPECT_EQ(readable->front().previous_digest(), head ? head->digest() : ZeroDigest());
    }
  }
}

// ---- copies in bulk ----

// Receives a copy in pieces, each of them in bulk: records first, the cursor after them.
class BulkCopy {
 public:
  static constexpr int kRecords = 7;
  static constexpr std::size_t kRecordsOfAPiece = 2;

  explicit BulkCopy(const std::shared_ptr<MemoryDisk>& disk) {
    LocalStore::Options options;
    options.region = kRegion;
    options.clock = &clock_;
    options.random = &random_;
    options.ingest_bytes_min = 0;
    store_ = *LocalStore::Open(MakeMemoryEngine(disk), options);
  }
  LocalStore& store() { return *store_; }

  static std::vector<Record> All() {
    std::vector<Record> records;
    for (int i = 0; i < kRecords; ++i) {
      records.push_back({keys::TypeAndId(1, "user" + std::to_string(i)), "value " + std::to_string(i)});
    }
    return records;
  }

  // From the staging's cursor on, or from the start, to the flip; false: a write failed.
  bool Run() {
    pb::Head head;
    head.mutable_epoch()->set_counter(3);
    head.mutable_epoch()->set_region("us-east-1");
    head.mutable_epoch()->set_incarnation("theirs");
    head.set_sequence(9);
    head.set_digest(ValueDigest("theirs"));
    pb::History history;
    *history.add_epochs()->mutable_epoch() = head.epoch();
    if (!store_->BeginStaging(kTestPool, head, history)) return false;
    const Bytes cursor = (*store_->FindStaging(kTestPool))->cursor;
    std::vector<Record> rest = All();
    std::erase_if(rest, [&](const Record& record) { return record.id <= cursor; });
    for (std::size_t first = 0; first < rest.size(); first += kRecordsOfAPiece) {
      const auto begin = rest.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = rest.begin() + static_cast<std::ptrdiff_t>(std::min(rest.size(), first + kRecordsOfAPiece));
      if (!store_->WriteStaging(kTestPool, {begin, end})) return false;
      answered = std::prev(end)->id;
    }
    return store_->FlipStaging(kTestPool).has_value();
  }

  // The last record that WriteStaging answered.
  Bytes answered;

 private:
  ManualClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<LocalStore> store_;
};

TEST(Crash, AtAnyWriteOfACopyInBulkTheCursorCoversWhatIsThereAndTheCopyGoesOn) {
  const auto undisturbed = std::make_shared<MemoryDisk>();
  ASSERT_TRUE(BulkCopy(undisturbed).Run());
  const std::uint64_t writes = undisturbed->write_count();
  ASSERT_EQ(writes, 1u + 1u + 2u * 4u + 1u) << "the store, the staging, records and cursor of each piece, the flip";
  for (std::uint64_t write = 2; write < writes; ++write) {
    for (const WriteFault fault : {WriteFault::kCrashBeforeDurable, WriteFault::kCrashAfterDurable,
                                   WriteFault::kSyncFailsLost, WriteFault::kSyncFailsKept, WriteFault::kFull}) {
      SCOPED_TRACE(testing::Message() << "write " << write << ", fault " << static_cast<int>(fault));
      const auto disk = std::make_shared<MemoryDisk>();
      disk->PlanFault(fault, write);
      Bytes answered;
      {
        BulkCopy before(disk);
        EXPECT_FALSE(before.Run());
        answered = before.answered;
      }
      // Whoever reads the disk takes it from the store that has it.
      const auto on_disk = ReadDisk(disk);
      BulkCopy after(disk);
      if (const auto staging = *after.store().FindStaging(kTestPool)) {
        EXPECT_GE(staging->cursor, answered);
        std::uint64_t covered = 0;
        for (const Record& record : BulkCopy::All()) {
          if (record.id > staging->cursor) break;
          ++covered;
          EXPECT_TRUE(on_disk.contains(keys::Record(kTestPool, 2, record.id)));
        }
        EXPECT_EQ(staging->records, covered);
      } else {
        ASSERT_EQ(write, writes - 1) << "only the flip ends the staging";
      }
      if (*after.store().FindStaging(kTestPool)) ASSERT_TRUE(after.Run());
      std::size_t count = 0;
      for (const Record& record : BulkCopy::All()) {
        const Key key{Space::kDirectory, kTestPool, 1, record.id.substr(2)};
        EXPECT_EQ(*after.store().MakeSnapshot()->Get(key), record.value);
        ++count;
      }
      EXPECT_EQ(ReadAll(*after.store().MakeSnapshot(), {Space::kDirectory, kTestPool, 1, ""}).size(), count);
    }
  }
}

}  // namespace
}  // namespace symbolon::storage
