#include "cli/member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "cli/files.h"
#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

using ::testing::HasSubstr;

Member Shell(const TestFolder& folder, const std::string& script) {
  return Member("shell", {"/bin/sh", {"-c", script}, folder.path() / "log"}, {1, "/"}, folder.path() / "pid");
}

void WaitFor(Member& member) {
  int status = 0;
  ASSERT_EQ(waitpid(member.pid(), &status, 0), member.pid());
  member.Ended(status);
}

TEST(MemberTest, ProgramThatFailsIsDownAndItsLogSaysWhy) {
  const TestFolder folder;
  Member member = Shell(folder, "echo the disk is full >&2; exit 3");
  ASSERT_TRUE(member.Start());
  EXPECT_EQ(ReadFile(folder.path() / "pid").value(), std::to_string(member.pid()) + "\n");
  WaitFor(member);
  EXPECT_EQ(member.state(), Member::State::kDown);
  EXPECT_TRUE(member.failed());
  EXPECT_EQ(member.ended(), "ended with status 3");
  EXPECT_EQ(LastLines(member.log_file(), 1), "the disk is full");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "pid"));
}

TEST(MemberTest, ProgramThatWasToldToEndDidNotFailAndStartsAgain) {
  const TestFolder folder;
  Member sleeper("sleeper", {"/bin/sleep", {"1000"}, folder.path() / "log"}, {1, "/"}, folder.path() / "pid");
  for (const int signal : {SIGTERM, SIGKILL}) {
    ASSERT_TRUE(sleeper.Start());
    sleeper.End(signal);
    EXPECT_EQ(sleeper.state(), Member::State::kStopping);
    WaitFor(sleeper);
    EXPECT_FALSE(sleeper.failed());
  }
  EXPECT_EQ(sleeper.ended(), "was killed by signal 9 (Killed)");
}

TEST(MemberTest, ProgramThatIsMissingSaysSoInItsLog) {
  const TestFolder folder;
  Member member("ghost", {folder.path() / "ghost", {}, folder.path() / "log"}, {1, "/"}, folder.path() / "pid");
  ASSERT_TRUE(member.Start());
  WaitFor(member);
  EXPECT_THAT(LastLines(member.log_file(), 1), HasSubstr("cannot be executed: ENOENT"));
}

TEST(MemberTest, ProgramThatDoesNotListenIsNotReady) {
  const TestFolder folder;
  Member member("sleeper", {"/bin/sleep", {"1000"}, folder.path() / "log"}, {1, "/"}, folder.path() / "pid");
  EXPECT_FALSE(member.ProbeReady());
  ASSERT_TRUE(member.Start());
  EXPECT_FALSE(member.ProbeReady());
  EXPECT_EQ(member.state(), Member::State::kStarting);
  member.End(SIGKILL);
  WaitFor(member);
}

}  // namespace
}  // namespace symbolon::cli
