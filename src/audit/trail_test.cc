#include "audit/trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "audit/verify.h"

namespace symbolon::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class TrailTest : public testing::Test {
 protected:
  Verification Verify() {
    auto found = VerifyTrail(test_.directory, {.public_key = test_.key.PublicKey()});
    EXPECT_TRUE(found);
    return found.value_or(Verification());
  }
  std::vector<std::string> Names(const Filter& filter = {}) {
    std::vector<std::string> names;
    EXPECT_TRUE(ForEachEvent(test_.directory, filter, [&](std::string_view record) {
      const auto at = record.find("\"eventName\":\"") + 13;
      names.emplace_back(record.substr(at, record.find('"', at) - at));
    }));
    return names;
  }
  std::vector<std::string> Files() { return ListFiles(test_.directory).value(); }
  std::filesystem::path LastFile() { return test_.directory / Files().back(); }

  TestTrail test_;
};

TEST_F(TrailTest, RecordedEvents_AreThereInOrderAndVerify) {
  {
    const auto trail = test_.Open();
    for (const char* name : {"Encrypt", "Decrypt", "DescribeKey"}) ASSERT_TRUE(trail->Record(test_.Use(name)));
    EXPECT_EQ(trail->counters().lines, 5U);  // with the file's own and the checkpoint at the start
  }
  EXPECT_THAT(Names(), ElementsAre("Encrypt", "Decrypt", "DescribeKey"));
  const Verification found = Verify();
  EXPECT_THAT(found.problems, IsEmpty());
  EXPECT_EQ(found.events, 3U);
  EXPECT_EQ(found.lines, 6U);
  EXPECT_EQ(found.signed_sequence, found.end.sequence);
  EXPECT_EQ(found.region, "eu-central-1");
}

TEST_F(TrailTest, OpenedAgain_GoesOnInTheSameChain) {
  for (const char* name : {"Encrypt", "Decrypt"}) ASSERT_TRUE(test_.Open()->Record(test_.Use(name)));
  EXPECT_THAT(Names(), ElementsAre("Encrypt", "Decrypt"));
  EXPECT_THAT(Verify().problems, IsEmpty());
  EXPECT_THAT(Files(), SizeIs(1));
}

TEST_F(TrailTest, EventsOfManyThreads_AreAllThereOnce) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  {
    const auto trail = test_.Open();
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kEach; ++i) {
          EXPECT_TRUE(trail->Record(test_.Use("E" + std::to_string(thread) + "-" + std::to_string(i))));
        }
      });
    }
  }
  const auto names = Names();
  EXPECT_EQ(names.size(), kThreads * kEach);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_THAT(Verify().problems, IsEmpty());
}

TEST_F(TrailTest, LargeFileOrNextDay_ANewFileGoesOnInTheChain) {
  test_.options.file_bytes_max = 2'000;
  const auto trail = test_.Open();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(trail->Record(test_.Use("Decrypt")));
  const std::size_t files = Files().size();
  EXPECT_GE(files, 3U);
  test_.clock.Advance(std::chrono::hours(24));
  ASSERT_TRUE(trail->Record(test_.Use("Encrypt")));
  EXPECT_EQ(Files().size(), files + 1);
  EXPECT_THAT(Verify().problems, IsEmpty());
  EXPECT_THAT(Names(), SizeIs(7));
}

TEST_F(TrailTest, Checkpoints_ComeEverySoManyLinesAndSeconds) {
  test_.options.checkpoint_lines = 3;
  const auto trail = test_.Open();
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(trail->Record(test_.Use("Decrypt")));
  EXPECT_EQ(Verify().checkpoints, 3U);
  EXPECT_THAT(Verify().notes, Contains(HasSubstr("1 lines after the last checkpoint")));
  trail->Tick();
  EXPECT_EQ(Verify().checkpoints, 3U) << "too early";
  test_.clock.Advance(std::chrono::minutes(1));
  trail->Tick();
  EXPECT_EQ(Verify().checkpoints, 4U);
  test_.clock.Advance(std::chrono::minutes(1));
  trail->Tick();
  EXPECT_EQ(Verify().checkpoints, 4U) << "nothing new to sign";
  EXPECT_THAT(Verify().notes, Not(Contains(HasSubstr("after the last checkpoint"))));
}

TEST_F(TrailTest, TornLastLine_IsKeptAsideAndNoted) {
  test_.Open().reset();
  const std::string whole = ReadAll(LastFile());
  const std::string torn = whole + R"({"sequence":4,"previous":"00)";
  WriteAll(LastFile(), torn);
  EXPECT_TRUE(Verify().good()) << "as while it is written";
  const std::string file = Files().back();
  ASSERT_TRUE(test_.Open()->Record(test_.Use("Decrypt")));
  EXPECT_EQ(ReadAll(test_.directory / (file + ".torn-3")), torn.substr(whole.size()));
  EXPECT_THAT(Verify().problems, IsEmpty());
  EXPECT_THAT(Verify().notes, Contains(HasSubstr("a crash had left 28 octets without a line end")));
  EXPECT_THAT(Names(), ElementsAre("Decrypt"));
}

TEST_F(TrailTest, CrashWhileAFileWasBegun_GoesOnInTheOneBefore) {
  test_.Open().reset();
  WriteAll(test_.directory / FileName(4), R"({"sequence":4,"prev)");
  ASSERT_TRUE(test_.Open()->Record(test_.Use("Decrypt")));
  EXPECT_THAT(Verify().problems, IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(test_.directory / (FileName(4) + ".torn")));
}

TEST_F(TrailTest, EndThatIsMissingOrAltered_IsNotGoneOnWith) {
  ASSERT_TRUE(test_.Open()->Record(test_.Use("Decrypt")));
  const std::string whole = ReadAll(LastFile());
  WriteAll(LastFile(), whole.substr(0, whole.rfind("{\"sequence\"")));
  const auto cut = test_.TryOpen();
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().detail, HasSubstr("ends at line 3, and line 4 was signed"));
  std::string altered = whole;
  altered[altered.find("Decrypt")] = 'd';
  WriteAll(LastFile(), altered);
  EXPECT_FALSE(test_.TryOpen());
  std::filesystem::remove(LastFile());
  EXPECT_FALSE(test_.TryOpen());
}

// Whoever alters the trail's folder alone puts an earlier trail there, whole, with the head that it had.
class EarlierTrailTest : public TrailTest {
 protected:
  EarlierTrailTest() {
    test_.options.outside_file = test_.folder.path() / "outside";
    SYMBOLON_CHECK(test_.Open()->Record(test_.Use("Encrypt")));
    std::filesystem::copy(test_.directory, earlier_);
    SYMBOLON_CHECK(test_.Open()->Record(test_.Use("Decrypt")));
  }
  void PutBack() {
    std::filesystem::remove_all(test_.directory);
    std::filesystem::copy(earlier_, test_.directory);
  }
  Verification VerifyWithOutside() {
    return VerifyTrail(test_.directory,
                       {.public_key = test_.key.PublicKey(), .outside_file = test_.options.outside_file})
        .value();
  }

  const std::filesystem::path earlier_ = test_.folder.path() / "earlier";
};

TEST_F(EarlierTrailTest, Untouched_GoesOn) {
  EXPECT_TRUE(VerifyWithOutside().good());
  ASSERT_TRUE(test_.Open()->Record(test_.Use("Decrypt")));
  EXPECT_TRUE(VerifyWithOutside().good());
}

TEST_F(EarlierTrailTest, InItsPlace_IsNotGoneOnWithAndDoesNotVerify) {
  PutBack();
  EXPECT_TRUE(Verify().good()) << "by itself it is a good trail";
  EXPECT_THAT(VerifyWithOutside().problems, ElementsAre(HasSubstr("its end is missing")));
  const auto opened = test_.TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().detail, HasSubstr("or an earlier one: line 7 was signed"));
}

TEST_F(EarlierTrailTest, InItsPlaceAndMadeLongerWithoutTheKey_IsNotGoneOnWith) {
  PutBack();
  std::string lines = ReadAll(LastFile());
  std::string last = lines.substr(lines.rfind("{\"sequence\""));
  last.pop_back();
  ChainEnd end = EndWith(*ParseLine(last), last);
  for (int i = 0; i < 5; ++i) lines += FormatLine(end, LineKind::kEvent, "{}") + "\n";
  WriteAll(LastFile(), lines);
  EXPECT_FALSE(test_.TryOpen());
  EXPECT_THAT(VerifyWithOutside().problems, ElementsAre(HasSubstr("is another one than the newest checkpoint")));
  // The line that was signed is in a file before the last one.
  const FileHeader header{.chain = "c",
                          .region = "eu-central-1",
                          .account = "000000000000",
                          .name = FileName(end.sequence + 1),
                          .previous_file = FileName(1),
                          .public_key = test_.key.PublicKey(),
                          .time = ""};
  WriteAll(test_.directory / header.name, FormatLine(end, LineKind::kFile, header.Body()) + "\n");
  EXPECT_FALSE(test_.TryOpen());
}

TEST_F(EarlierTrailTest, NoneInItsPlace_IsNotBegunAnewUntilTheOperatorSaysSo) {
  std::filesystem::remove_all(test_.directory);
  EXPECT_FALSE(test_.TryOpen());
  std::filesystem::remove(test_.options.outside_file);
  EXPECT_TRUE(test_.TryOpen());
}

TEST_F(EarlierTrailTest, RestoredFromABackup_GoesOnFromThere) {
  PutBack();
  test_.options.may_be_earlier = true;
  ASSERT_TRUE(test_.Open()->Record(test_.Use("DescribeKey")));
  test_.options.may_be_earlier = false;
  EXPECT_TRUE(test_.TryOpen());
  EXPECT_TRUE(VerifyWithOutside().good());
}

TEST_F(EarlierTrailTest, EarlierFilesKeptElsewhere_TheRestGoesOn) {
  test_.clock.Advance(std::chrono::hours(24));
  test_.Open().reset();
  ASSERT_THAT(Files(), SizeIs(2));
  std::filesystem::remove(test_.directory / Files().front());
  EXPECT_TRUE(test_.TryOpen());
}

TEST_F(TrailTest, OtherKeyRegionOrProcess_IsRefused) {
  const auto trail = test_.Open();
  EXPECT_THAT(test_.TryOpen().error().detail, HasSubstr("in use by another process"));
  TestTrail other;
  other.Open().reset();
  other.options.region = Region("us-east-1");
  EXPECT_THAT(other.TryOpen().error().detail, HasSubstr("Region eu-central-1"));
  other.options.region = Region("eu-central-1");
  other.key = crypto::Ed25519Key::Generate();
  EXPECT_FALSE(other.TryOpen());
}

TEST_F(TrailTest, DiskThatTakesNoLines_StopsUseUntilItDoes) {
  const auto trail = test_.Open();
  ASSERT_TRUE(trail->Record(test_.Use("Encrypt")));
  const auto size = std::filesystem::file_size(LastFile());
  {
    const FullDisk full(size + 100);
    const auto refused = trail->Record(test_.Use("Decrypt"));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().detail, HasSubstr("cannot write"));
    EXPECT_FALSE(trail->Ready());
    EXPECT_FALSE(trail->Record(test_.Use("Decrypt")));
    trail->Tick();
    EXPECT_FALSE(trail->Ready()) << "as full as before";
    EXPECT_TRUE(trail->counters().failing);
    EXPECT_EQ(trail->counters().refusals, 2U);
    EXPECT_EQ(std::filesystem::file_size(LastFile()), size + 100) << "a part was written";
  }
  EXPECT_FALSE(trail->Ready()) << "nobody has tried";
  trail->Tick();
  EXPECT_TRUE(trail->Ready());
  EXPECT_FALSE(trail->counters().failing);
  ASSERT_TRUE(trail->Record(test_.Use("DescribeKey")));
  EXPECT_THAT(Names(), ElementsAre("Encrypt", "Decrypt", "Decrypt", "DescribeKey")) << "what took place is there";
  EXPECT_THAT(Verify().problems, IsEmpty());
}

TEST_F(TrailTest, FullDisk_IsNoticedThoughNobodyRecords) {
  const auto trail = test_.Open();
  trail->Tick();
  EXPECT_TRUE(trail->Ready());
  const auto lines = trail->counters().lines;
  {
    // Room for a few lines, and not for more.
    const FullDisk full(std::filesystem::file_size(LastFile()) + 4'000);
    trail->Tick();
    EXPECT_FALSE(trail->Ready());
    EXPECT_EQ(trail->counters().write_failures, 1U);
    trail->Tick();
    EXPECT_FALSE(trail->Ready()) << "no to and fro while there is room for the one line that says so";
    EXPECT_EQ(trail->counters().lines, lines);
  }
  trail->Tick();
  EXPECT_TRUE(trail->Ready());
  EXPECT_TRUE(Verify().good());
}

TEST_F(TrailTest, DiskFullAtRotation_GoesOnWhenThereIsRoom) {
  test_.options.file_bytes_max = 1;  // with each line
  const auto trail = test_.Open();
  {
    const FullDisk full(std::filesystem::file_size(LastFile()));
    ASSERT_FALSE(trail->Record(test_.Use("Decrypt"))) << "the old file cannot be signed";
  }
  trail->Tick();
  ASSERT_TRUE(trail->Ready());
  {
    const FullDisk full(std::filesystem::file_size(LastFile()) + 500);
    const auto refused = trail->Record(test_.Use(std::string(5'000, 'x')));
    ASSERT_FALSE(refused) << "the new file takes its first line and a part of the next";
  }
  trail->Tick();
  ASSERT_TRUE(trail->Record(test_.Use("Encrypt")));
  EXPECT_THAT(Names(), ElementsAre("Decrypt", std::string(5'000, 'x'), "Encrypt"));
  EXPECT_THAT(Verify().problems, IsEmpty());
}

TEST_F(TrailTest, FileRemovedWhileItIsWritten_GoesOnInANewOneAndTheLossShows) {
  const auto trail = test_.Open();
  ASSERT_TRUE(trail->Record(test_.Use("Encrypt")));
  std::filesystem::remove(LastFile());
  ASSERT_TRUE(trail->Record(test_.Use("Decrypt")));
  EXPECT_THAT(Names(), ElementsAre("Decrypt"));
  EXPECT_THAT(Verify().problems, Contains(HasSubstr("what was before is missing")));
}

TEST_F(TrailTest, Filters_LetThroughWhatIsAskedFor) {
  const auto trail = test_.Open();
  ASSERT_TRUE(trail->Record(test_.Use("Encrypt", "arn:aws:kms:eu-central-1:000000000000:key/1")));
  test_.clock.Advance(std::chrono::hours(1));
  ASSERT_TRUE(trail->Record(test_.Use("Decrypt", "arn:aws:kms:eu-central-1:000000000000:key/2")));
  EXPECT_THAT(Names({.key = "arn:aws:kms:eu-central-1:000000000000:key/2"}), ElementsAre("Decrypt"));
  EXPECT_THAT(Names({.key = "1"}), ElementsAre("Encrypt"));
  EXPECT_THAT(Names({.event_name = "Encrypt"}), ElementsAre("Encrypt"));
  EXPECT_THAT(Names({.since = FormatTime(test_.clock.Now())}), ElementsAre("Decrypt"));
  EXPECT_THAT(Names({.until = FormatTime(test_.clock.Now())}), ElementsAre("Encrypt"));
  EXPECT_THAT(Names({.key = "2", .event_name = "Encrypt"}), IsEmpty());
}

TEST_F(TrailTest, OtherRegionsHead_IsWrittenOnceForEachPlace) {
  const auto trail = test_.Open();
  Head head{.chain = "c", .end = {7, Bytes(32, 'h')}, .public_key = Bytes(32, 'k')};
  ASSERT_TRUE(trail->RecordWitness(Region("us-east-1"), head));
  ASSERT_TRUE(trail->RecordWitness(Region("us-east-1"), head));
  head.end.sequence = 8;
  ASSERT_TRUE(trail->RecordWitness(Region("us-east-1"), head));
  const Verification found = Verify();
  ASSERT_THAT(found.witnesses, SizeIs(2));
  EXPECT_EQ(found.witnesses[0].region, "us-east-1");
  EXPECT_EQ(found.witnesses[0].end, (ChainEnd{7, Bytes(32, 'h')}));
}

}  // namespace
}  // namespace symbolon::audit
