#include "cli/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "cli/files.h"
#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

using ::testing::HasSubstr;

ControlRequest AcceptOne(ControlServer& server) {
  pollfd source{server.descriptor(), POLLIN, 0};
  poll(&source, 1, -1);
  return std::move(server.Accept()).value();
}

TEST(ControlTest, AnswerReachesWhoAskedAlsoInAFolderWithALongName) {
  const TestFolder folder;
  const std::filesystem::path dir = folder.path() / std::string(200, 'd');
  ASSERT_TRUE(MakeFolder(dir));
  ControlServer server = ControlServer::Open(dir).value();
  std::thread lab([&] {
    ControlRequest good = AcceptOne(server);
    good.Answer(good.text() == "kill eu-central-1", "done");
    AcceptOne(server).Answer(false, "no such Region");
  });
  EXPECT_EQ(AskLab(dir, "kill eu-central-1").value(), "done");
  EXPECT_EQ(AskLab(dir, "kill x").error().message, "no such Region");
  lab.join();
}

TEST(ControlTest, LabThatEndsWithoutAnAnswerIsReported) {
  const TestFolder folder;
  ControlServer server = ControlServer::Open(folder.path()).value();
  std::thread lab([&] { AcceptOne(server); });
  EXPECT_THAT(AskLab(folder.path(), "stop x").error().message, HasSubstr("ended before"));
  lab.join();
}

TEST(ControlTest, OneLabPerFolder) {
  const TestFolder folder;
  EXPECT_THAT(AskLab(folder.path(), "status").error().message, HasSubstr("no lab is running"));
  {
    const ControlServer server = ControlServer::Open(folder.path()).value();
    EXPECT_THAT(ControlServer::Open(folder.path()).error().message, HasSubstr("running in"));
  }
  EXPECT_TRUE(ControlServer::Open(folder.path()));
}

}  // namespace
}  // namespace symbolon::cli
