#include "replication/suffix_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_directory.h"
#include "storage/log.h"
#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::replication {
namespace {

constexpr std::uint16_t kKeyRecordType = 2;

class SuffixFileTest : public testing::Test {
 protected:
  SuffixFileTest() {
    store_ = *storage::LocalStore::Open(storage::MakeMemoryEngine(),
                                        {.region = Region("eu-central-1"), .clock = &clock_, .random = &random_});
    committer_ = std::make_unique<storage::CommitterThread>(*store_);
    Commit(storage::FirstCommit({{{storage::Space::kDirectory, storage::kTestPool, kKeyRecordType, ""}, "wrapped"}}));
    for (int i = 0; i < 5; ++i) Commit(storage::DirectoryCommit({{storage::DirectoryKey("a"), std::to_string(i)}}));
  }
  void Commit(storage::Commit commit) { ASSERT_TRUE(storage::SubmitAndWait(*store_, std::move(commit))); }
  // What the only file holds.
  std::vector<pb::SuffixItem> Items() {
    std::vector<pb::SuffixItem> items;
    const auto files = folder_.List();
    EXPECT_TRUE(files && files->size() == 1);
    const auto header = folder_.Read(files->at(0).name, [&](const pb::SuffixItem& item) { items.push_back(item); });
    EXPECT_TRUE(header) << header.error().detail;
    return items;
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<storage::LocalStore> store_;
  std::unique_ptr<storage::CommitterThread> committer_;
  SuffixFolder folder_{directory_.path() / "set_aside", kKeyRecordType};
};

TEST_F(SuffixFileTest, EntriesAfterTheForkAreKeptWithTheKeysThatOpenThem) {
  ASSERT_TRUE(folder_.List()->empty());
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 4));
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 4));  // again, after a restart
  const auto files = folder_.List();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->at(0).header.fork(), 4u);
  EXPECT_EQ(files->at(0).header.head().sequence(), 6u);
  const std::vector<pb::SuffixItem> items = Items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].key_record().value(), "wrapped");
  EXPECT_EQ(items[1].entry().sequence(), 5u);
  EXPECT_EQ(items[2].entry().sequence(), 6u);
}

TEST_F(SuffixFileTest, TheWholeDirectoryIsKeptWhenTheLogIsTooShort) {
  ASSERT_TRUE(store_->TrimLog(storage::kTestPool, 6));
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 2));
  EXPECT_TRUE(folder_.List()->at(0).header.whole_directory());
  const std::vector<pb::SuffixItem> items = Items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[1].record().value(), "4");
}

TEST_F(SuffixFileTest, ErasedBodiesAreInNoFileOfTheFolderAndTheRestStays) {
  Commit(
      storage::DirectoryCommit({{storage::DirectoryKey("user"), "a body to go"}, {storage::DirectoryKey("b"), "1"}}));
  Commit(storage::DirectoryCommit({{storage::DirectoryKey("user"), std::nullopt}}));
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 5));
  const std::string name = folder_.List()->at(0).name;
  const auto of_user = [](BytesView key, BytesView) { return key.substr(2) == "user"; };
  EXPECT_EQ(*folder_.Erase(name, of_user), 1u);
  EXPECT_EQ(*folder_.Erase(name, of_user), 0u);
  const std::vector<pb::SuffixItem> items = Items();
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[0].key_record().value(), "wrapped");
  EXPECT_EQ(items[1].entry().changes(0).value(), "4");
  const storage::pb::LogChange& erased = items[2].entry().changes(0);
  EXPECT_FALSE(erased.has_value() || erased.deleted());
  EXPECT_EQ(erased.value_digest(), storage::ValueDigest("a body to go"));
  EXPECT_EQ(items[2].entry().changes(1).value(), "1");
  EXPECT_TRUE(items[3].entry().changes(0).deleted());
  for (const auto& file : std::filesystem::directory_iterator(directory_.path() / "set_aside")) {
    std::ifstream stream(file.path(), std::ios::binary);
    const Bytes octets{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_EQ(octets.find("a body to go"), Bytes::npos) << file.path();
  }
  EXPECT_FALSE(folder_.Erase("../" + name, of_user));
}

TEST_F(SuffixFileTest, ErasedRecordsOfAWholeDirectoryAreLeftOut) {
  Commit(storage::DirectoryCommit({{storage::DirectoryKey("user"), "a body to go"}}));
  ASSERT_TRUE(store_->TrimLog(storage::kTestPool, 7));
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 2));
  ASSERT_EQ(Items().size(), 4u);
  EXPECT_EQ(
      *folder_.Erase(folder_.List()->at(0).name, [](BytesView key, BytesView) { return key.substr(2) == "user"; }), 1u);
  EXPECT_EQ(Items().size(), 3u);
}

TEST_F(SuffixFileTest, AllOfAPoolIsRemoved_UnfinishedFilesAsWell) {
  EXPECT_EQ(folder_.RemoveAllOf(storage::kTestPool), 0u) << "there is no folder yet";
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 4));
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 3));
  std::ofstream(directory_.path() / "set_aside" / (storage::kTestPool.value() + ".9-9.00aa.suffix.part")) << "a";
  const auto others = directory_.path() / "set_aside" / (storage::kTestPool.value() + "x.1-1.00aa.suffix");
  std::ofstream(others) << "b";
  EXPECT_EQ(folder_.RemoveAllOf(storage::kTestPool), 3u);
  EXPECT_TRUE(folder_.List()->empty());
  EXPECT_TRUE(std::filesystem::exists(others));
  EXPECT_EQ(folder_.RemoveAllOf(storage::kTestPool), 0u);
}

TEST_F(SuffixFileTest, PagesCostWhatTheyHold) {
  for (int i = 0; i < 3'000; ++i) {
    Commit(
        storage::DirectoryCommit({{storage::DirectoryKey("a"), std::to_string(i)}, {storage::DirectoryKey("b"), "1"}}));
  }
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 6));
  const std::string name = folder_.List()->at(0).name;
  const std::uint64_t size_bytes = std::filesystem::file_size(directory_.path() / "set_aside" / name);
  const std::uint64_t before = folder_.octets_read();
  std::uint64_t next = 0;
  for (int pages = 0; pages < 60; ++pages) {
    const std::uint64_t first = next;
    const auto header = folder_.ReadFrom(name, first, [&](std::uint64_t index, const pb::SuffixItem& item) {
      EXPECT_EQ(index, next);
      EXPECT_EQ(item.entry().sequence(), 7 + index / 2);
      next = index + static_cast<std::uint64_t>(item.entry().changes_size());
      return next < first + 100;
    });
    ASSERT_TRUE(header);
    EXPECT_EQ(header->fork(), 6u);
    ASSERT_EQ(next, first + 100);
  }
  EXPECT_EQ(next, 6'000u);
  // Once to verify it, and each page with what lies between it and the last mark.
  EXPECT_LT(folder_.octets_read() - before, 5 * size_bytes);
  int taken = 0;
  EXPECT_TRUE(folder_.ReadFrom(name, next, [&](std::uint64_t, const pb::SuffixItem&) { return ++taken < 0; }));
  EXPECT_EQ(taken, 0) << "there is no more";
  EXPECT_TRUE(folder_.ReadFrom(name, 4'001, [&](std::uint64_t index, const pb::SuffixItem&) {
    EXPECT_EQ(index, 4'000u) << "of the entry in which the change is";
    return ++taken < 0;
  }));
  EXPECT_EQ(taken, 1);
}

TEST_F(SuffixFileTest, AFileThatChangedIsVerifiedAgain) {
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 4));
  const std::string name = folder_.List()->at(0).name;
  const auto sequences = [&] {
    std::vector<std::uint64_t> taken;
    const auto header = folder_.ReadFrom(name, 0, [&](std::uint64_t, const pb::SuffixItem& item) {
      if (item.has_entry()) taken.push_back(item.entry().sequence());
      return true;
    });
    return header ? taken : std::vector<std::uint64_t>();
  };
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{5, 6}));
  ASSERT_EQ(*folder_.Erase(name, [](BytesView, BytesView) { return true; }), 2u);
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{5, 6}));
  const auto file = directory_.path() / "set_aside" / name;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  EXPECT_TRUE(sequences().empty());
  EXPECT_FALSE(folder_.ReadFrom("../" + name, 0, [](std::uint64_t, const pb::SuffixItem&) { return true; }));
}

TEST_F(SuffixFileTest, ADamagedFileIsNotBelieved) {
  ASSERT_TRUE(folder_.Keep(*store_, storage::kTestPool, 4));
  const std::string name = folder_.List()->at(0).name;
  const auto file = directory_.path() / "set_aside" / name;
  const auto taken = [&] {
    int count = 0;
    const auto header = folder_.Read(name, [&](const pb::SuffixItem&) { ++count; });
    return header.has_value() || count > 0;
  };
  ASSERT_TRUE(taken());
  {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(-60, std::ios::end);
    stream.put('\xff');
  }
  EXPECT_FALSE(taken());
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_FALSE(taken());
  EXPECT_FALSE(folder_.Read("../" + name, [](const pb::SuffixItem&) {}));
}

}  // namespace
}  // namespace symbolon::replication
