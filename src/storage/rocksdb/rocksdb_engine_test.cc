// What only an engine on a real disk can show: kills, torn and damaged logs, full disks, opening what cannot be opened.
#include "storage/rocksdb/rocksdb_engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <set>

#include "base/temporary_directory.h"
#include "storage/rocksdb/commit_load.h"
#include "storage/rocksdb/copy_load.h"
#include "storage/store_test_support.h"

namespace symbolon::storage {
namespace {

namespace fs = std::filesystem;

class DirectoryMedium final : public LocalStoreMedium {
 public:
  explicit DirectoryMedium(RocksDbOptions options) : options_(std::move(options)) {}
  explicit DirectoryMedium(const fs::path& directory) { options_.directory = directory; }
  ~DirectoryMedium() override { Close(); }

 private:
  StoreResult<std::unique_ptr<Engine>> OpenEngine() override { return OpenRocksDb(options_); }

  RocksDbOptions options_;
};

const Region kRegion{"eu-central-1"};

std::optional<StoreErrorCode> OpenCode(const fs::path& directory) {
  RocksDbOptions options;
  options.directory = directory;
  return CodeOf(OpenRocksDb(options));
}

// ---- kill -9 ----

// A program that works on a store and prints numbers, killed with the object.
class LoadProcess {
 public:
  // Under commit load.
  LoadProcess(const fs::path& directory, std::uint64_t first, std::size_t headroom_bytes = 0)
      : LoadProcess({SYMBOLON_COMMIT_LOAD, directory, std::to_string(first), std::to_string(headroom_bytes)}) {}
  explicit LoadProcess(std::vector<std::string> command) {
    int ends[2];
    SYMBOLON_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    SYMBOLON_CHECK(posix_spawn(&pid_, command[0].c_str(), &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~LoadProcess() {
    Kill();
    fclose(output_);
  }

  // The next number that was answered; nullopt when the process is gone and all is read.
  std::optional<std::uint64_t> Next() {
    std::uint64_t number = 0;
    char end = 0;
    if (fscanf(output_, "%lu%c", &number, &end) != 2 || end != '\n') return std::nullopt;
    return number;
  }
  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

// Everything that was answered is there, and log, records and facts are of one piece, answered or not. Answers a number
// above all that may be there.
std::uint64_t ExpectAllThere(const fs::path& directory, const std::set<std::uint64_t>& answered) {
  DirectoryMedium medium(directory);
  medium.Open(kRegion);
  if (testing::Test::HasFatalFailure()) return 0;
  const auto snapshot = medium.store().MakeSnapshot();
  for (const std::uint64_t number : answered) {
    const std::string text = std::to_string(number);
    EXPECT_EQ(*snapshot->Get(LoadDirectoryKey(number)), text + Bytes(number % 3000, '.'));
    EXPECT_EQ(*snapshot->Get(LoadRegionalKey(number)), text);
    pb::FactValue fact;
    EXPECT_TRUE(fact.ParseFromString((*snapshot->Get(LoadFactKey(number))).value_or("\xff")));
    EXPECT_GE(fact.maximum(), number);
  }
  const std::size_t entries = ReadVerifiedLog(medium.store(), kLoadPool).size();
  EXPECT_GE(entries, answered.size());
  EXPECT_EQ(ReadAll(*snapshot, {Space::kDirectory, kLoadPool, 1, ""}, 1000).size(), entries);
  EXPECT_EQ(ReadAll(*snapshot, {Space::kRegional, kLoadPool, 2, ""}, 1000).size(), entries);
  EXPECT_EQ(snapshot->Facts(kLoadPool)->progress(0).number(), entries);
  return *answered.rbegin() + 1000;
}

TEST(RocksDbKill, EveryAnsweredCommitIsThereAfterKillsInTheMiddleOfLoad) {
  const TemporaryDirectory directory;
  std::mt19937 random(1);
  std::uint64_t first = 0;
  std::set<std::uint64_t> answered;
  for (int round = 0; round < 6; ++round) {
    LoadProcess process(directory.path() / "store", first);
    const std::size_t kill_after = 1 + random() % 1500;
    std::size_t count = 0;
    while (const std::optional<std::uint64_t> number = process.Next()) {
      EXPECT_TRUE(answered.insert(*number).second);
      if (++count == kill_after) process.Kill();
    }
    ASSERT_GE(count, kill_after) << "it ended by itself";
    first = ExpectAllThere(directory.path() / "store", answered);
  }
}

TEST(RocksDbKill, ACopyThatIsKilledInTheMiddleOfItsPiecesGoesOnFromWhatWasAnswered) {
  const TemporaryDirectory directory;
  const fs::path store = directory.path() / "store";
  std::mt19937 random(1);
  std::uint64_t answered = 0;
  int kills = 0;
  while (answered < kCopyRecords) {
    {
      LoadProcess process({SYMBOLON_COPY_LOAD, store});
      const std::size_t kill_after = 1 + random() % 4;
      std::size_t count = 0;
      while (const std::optional<std::uint64_t> records = process.Next()) {
        EXPECT_GT(*records, answered);
        answered = *records;
        if (++count == kill_after && answered < kCopyRecords) process.Kill();
      }
      // One that was killed between its last write and telling of it leaves nothing to do.
      if (count > 0 && answered < kCopyRecords) ++kills;
    }
    DirectoryMedium medium(store);
    medium.Open(kRegion);
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    const auto staging = *medium.store().FindStaging(kCopyPool);
    ASSERT_TRUE(staging);
    ASSERT_GE(staging->records, answered);
    if (staging->records == kCopyRecords) answered = kCopyRecords;
    ASSERT_EQ(staging->cursor, CopyRecordNumber(staging->records - 1).id);
    EXPECT_TRUE(fs::is_empty(store / "ingest")) << "what a kill left over is gone";
  }
  EXPECT_GT(kills, 3);
  DirectoryMedium medium(store);
  medium.Open(kRegion);
  ASSERT_TRUE(medium.store().FlipStaging(kCopyPool));
  const auto records = ReadAll(*medium.store().MakeSnapshot(), {Space::kDirectory, kCopyPool, 1, ""}, 1000);
  ASSERT_EQ(records.size(), kCopyRecords);
  for (std::uint64_t number = 0; number < kCopyRecords; ++number) {
    const Record expected = CopyRecordNumber(number);
    ASSERT_EQ(records[number].first, expected.id.substr(2));
    ASSERT_EQ(records[number].second, expected.value);
  }
}

// ---- damage ----

class RocksDbDamage : public testing::Test {
 protected:
  RocksDbDamage() {
    DirectoryMedium medium(original());
    medium.Open(kRegion);
    for (std::uint64_t number = 0; number < kCommits; ++number) {
      EXPECT_TRUE(SubmitAndWait(medium.store(), MakeLoadCommit(number, number == 0)));
    }
  }

  fs::path original() const { return directory_.path() / "original"; }
  // A copy of the store, and RocksDB's log in it, which holds all its commits.
  fs::path Copy() {
    const fs::path copy = directory_.path() / "copy";
    fs::remove_all(copy);
    fs::copy(original(), copy);
    return copy;
  }
  static fs::path LogOf(const fs::path& store) {
    fs::path log;
    for (const auto& file : fs::directory_iterator(store)) {
      if (file.path().extension() == ".log" && (log.empty() || file.path() > log)) log = file.path();
    }
    return log;
  }

  static constexpr std::uint64_t kCommits = 60;
  TemporaryDirectory directory_;
};

TEST_F(RocksDbDamage, ATornLogOpensWithTheCommitsBeforeTheTear) {
  const std::uint64_t whole_bytes = fs::file_size(LogOf(original()));
  std::mt19937 random(1);
  for (int round = 0; round < 12; ++round) {
    const fs::path copy = Copy();
    // The first commits stay, so that there is a store.
    const std::uint64_t kept_bytes = whole_bytes - random() % (whole_bytes / 2);
    fs::resize_file(LogOf(copy), kept_bytes);
    DirectoryMedium medium(copy);
    medium.Open(kRegion);
    ASSERT_FALSE(HasFatalFailure()) << kept_bytes << " of " << whole_bytes;
    const std::size_t entries = ReadVerifiedLog(medium.store(), kLoadPool).size();
    EXPECT_GT(entries, 0u);
    EXPECT_LE(entries, kCommits);
    const auto snapshot = medium.store().MakeSnapshot();
    for (std::uint64_t number = 0; number < kCommits; ++number) {
      EXPECT_EQ(snapshot->Get(LoadDirectoryKey(number))->has_value(), number < entries);
      EXPECT_EQ(snapshot->Get(LoadRegionalKey(number))->has_value(), number < entries);
    }
  }
}

TEST_F(RocksDbDamage, AHoleInTheLogIsSaidAndNotSteppedOver) {
  const fs::path copy = Copy();
  const fs::path log = LogOf(copy);
  {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(log) / 2);
    file.seekg(middle);
    const int octet = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(octet ^ 0x40));
  }
  EXPECT_EQ(OpenCode(copy), StoreErrorCode::kCorrupt);
}

TEST_F(RocksDbDamage, FilesWithoutTheOneThatNamesThemAreNotStartedOver) {
  const fs::path copy = Copy();
  fs::remove(copy / "CURRENT");
  EXPECT_EQ(OpenCode(copy), StoreErrorCode::kCorrupt);
  EXPECT_TRUE(fs::exists(LogOf(copy)));
}

// ---- opening ----

TEST(RocksDbOpen, WhatIsInUseIsRefusedWithTheReason) {
  const TemporaryDirectory directory;
  RocksDbOptions options;
  options.directory = directory.path() / "a" / "store";
  auto first = OpenRocksDb(options);
  ASSERT_TRUE(first) << first.error().detail;
  const auto second = OpenRocksDb(options);
  ASSERT_EQ(CodeOf(second), StoreErrorCode::kUnavailable);
  EXPECT_NE(second.error().detail.find("in use by another process"), std::string::npos) << second.error().detail;
  struct stat made = {};
  ASSERT_EQ(stat(options.directory.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0700u);
  first->reset();
  EXPECT_TRUE(OpenRocksDb(options));
}

TEST(RocksDbOpen, AFileInTheWayIsRefused) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  EXPECT_EQ(OpenCode(directory.path() / "file"), StoreErrorCode::kUnavailable);
  EXPECT_EQ(OpenCode(directory.path() / "file" / "store"), StoreErrorCode::kUnavailable);
}

// ---- small and read-only file systems ----

constexpr std::size_t kMiB = 1 << 20;

class RocksDbSmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(mount_point());
    if (mount("tmpfs", mount_point().c_str(), "tmpfs", 0, "size=64m") != 0) {
      GTEST_SKIP() << "mounting a small file system needs privileges that this process does not have";
    }
    mounted_ = true;
  }
  ~RocksDbSmallDisk() override {
    medium_.reset();
    if (mounted_) umount2(mount_point().c_str(), MNT_DETACH);
  }

  fs::path mount_point() const { return directory_.path() / "disk"; }
  void Open(std::size_t headroom_bytes) {
    RocksDbOptions options;
    options.directory = mount_point() / "store";
    options.memory_bytes = 8 * kMiB;
    options.headroom_bytes = headroom_bytes;
    medium_.reset();
    medium_ = std::make_unique<DirectoryMedium>(options);
    medium_->Open(kRegion);
  }
  Store& store() { return medium_->store(); }

  // Takes the room that is left, but for `left_bytes`.
  void FillUp(std::size_t left_bytes) {
    std::ofstream ballast(mount_point() / "ballast", std::ios::binary);
    const std::size_t free_bytes = fs::space(mount_point()).available;
    const Bytes zeros(4096, '\0');
    for (std::size_t written = 0; written + left_bytes < free_bytes; written += zeros.size()) ballast << zeros;
  }
  void MakeRoom() { fs::remove(mount_point() / "ballast"); }

  // Commits until one is refused. Answers the number of that one.
  std::uint64_t CommitUntilRefused(std::uint64_t first, StoreErrorCode expected) {
    for (std::uint64_t number = first;; ++number) {
      const StoreResult<Committed> result = SubmitAndWait(store(), Large(number));
      if (result) continue;
      EXPECT_EQ(result.error().code, expected) << result.error().detail;
      return number;
    }
  }
  static Commit Large(std::uint64_t number) {
    Commit commit = MakeLoadCommit(number, number == 0);
    commit.directory[0].value = std::to_string(number) + Bytes(20'000, '.');
    return commit;
  }
  // Of the numbers below `end` all are there but `missing`.
  void ExpectExactly(const std::set<std::uint64_t>& missing, std::uint64_t end) {
    const auto snapshot = store().MakeSnapshot();
    for (std::uint64_t number = 0; number < end; ++number) {
      const auto value = snapshot->Get(LoadDirectoryKey(number));
      ASSERT_TRUE(value) << value.error().detail;
      EXPECT_EQ(value->has_value(), !missing.contains(number)) << number;
    }
    EXPECT_EQ(ReadVerifiedLog(store(), kLoadPool).size(), end - missing.size());
  }

  bool mounted_ = false;
  TemporaryDirectory directory_;
  std::unique_ptr<DirectoryMedium> medium_;
};

TEST_F(RocksDbSmallDisk, WritesAreRefusedWhileTheHeadroomIsTouchedAndResume) {
  Open(/*headroom_bytes=*/20 * kMiB);
  ASSERT_FALSE(HasFatalFailure());
  FillUp(/*left_bytes=*/22 * kMiB);
  const std::uint64_t refused = CommitUntilRefused(0, StoreErrorCode::kFull);
  ASSERT_GT(refused, 0u);
  // A flush in the background may have given some room back in the meantime.
  FillUp(/*left_bytes=*/10 * kMiB);
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), Large(refused + 1))), StoreErrorCode::kFull);
  ExpectExactly({refused, refused + 1}, refused + 2);
  MakeRoom();
  EXPECT_TRUE(SubmitAndWait(store(), Large(refused + 2)));
  ExpectExactly({refused, refused + 1}, refused + 3);
  Open(20 * kMiB);
  ExpectExactly({refused, refused + 1}, refused + 3);
}

// RocksDB itself does not always survive this (see RocksDbOptions::headroom_bytes); what was answered does.
TEST_F(RocksDbSmallDisk, WhatWasAnsweredSurvivesADiskThatIsFilledUnderLoad) {
  std::set<std::uint64_t> answered;
  std::uint64_t first = 0;
  for (int round = 0; round < 3; ++round) {
    {
      LoadProcess process(mount_point() / "store", first, /*headroom_bytes=*/0);
      int count = 0;
      while (const std::optional<std::uint64_t> number = process.Next()) {
        answered.insert(*number);
        if (++count == 300) FillUp(/*left_bytes=*/kMiB);
      }
    }
    MakeRoom();
    first = ExpectAllThere(mount_point() / "store", answered);
  }
}

TEST_F(RocksDbSmallDisk, ACopyInBulkThatFindsNoRoomIsRefusedAndGoesOnWhenThereIsRoom) {
  Open(/*headroom_bytes=*/0);
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(store().BeginStaging(kCopyPool, CopyHead(), CopyHistory()));
  std::vector<Record> piece;
  for (std::uint64_t number = 0; number < 2'000; ++number) piece.push_back(CopyRecordNumber(number));
  FillUp(/*left_bytes=*/kMiB);
  EXPECT_EQ(CodeOf(store().WriteStaging(kCopyPool, piece)), StoreErrorCode::kFull);
  EXPECT_TRUE(fs::is_empty(mount_point() / "store" / "ingest"));
  MakeRoom();
  ASSERT_TRUE(store().WriteStaging(kCopyPool, piece));
  ASSERT_TRUE(store().FlipStaging(kCopyPool));
  EXPECT_EQ(ReadAll(*store().MakeSnapshot(), {Space::kDirectory, kCopyPool, 1, ""}, 1000).size(), piece.size());
}

TEST_F(RocksDbSmallDisk, AFullDiskWhenOpeningIsSaid) {
  FillUp(0);
  RocksDbOptions options;
  options.directory = mount_point() / "store";
  const auto engine = OpenRocksDb(options);
  ASSERT_EQ(CodeOf(engine), StoreErrorCode::kFull);
  EXPECT_NE(engine.error().detail.find(options.directory), std::string::npos);
}

TEST_F(RocksDbSmallDisk, AReadOnlyDiskIsRefusedWithTheReason) {
  Open(0);
  ASSERT_TRUE(SubmitAndWait(store(), Large(0)));
  medium_.reset();
  ASSERT_EQ(mount("tmpfs", mount_point().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64m"), 0);
  RocksDbOptions options;
  options.directory = mount_point() / "store";
  const auto engine = OpenRocksDb(options);
  ASSERT_EQ(CodeOf(engine), StoreErrorCode::kUnavailable);
  EXPECT_NE(engine.error().detail.find("Read-only file system"), std::string::npos) << engine.error().detail;
}

}  // namespace
}  // namespace symbolon::storage
