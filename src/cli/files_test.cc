#include "cli/files.h"

#include <gtest/gtest.h>

#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

TEST(FilesTest, WrittenFileIsReadBackAndOnlyItsOwnerMayReadIt) {
  const TestFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  ASSERT_TRUE(WriteFile(path, "one"));
  ASSERT_TRUE(WriteFile(path, "two"));
  EXPECT_EQ(ReadFile(path).value(), "two");
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(FilesTest, ErrorsNameTheFile) {
  const TestFolder folder;
  const CliResult<std::string> missing = ReadFile(folder.path() / "missing");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
  EXPECT_FALSE(WriteFile(folder.path() / "no" / "such", ""));
}

TEST(FilesTest, MakeFolderMakesWhatIsMissingAboveIt) {
  const TestFolder folder;
  const std::filesystem::path deep = folder.path() / "x" / "y" / "z";
  ASSERT_TRUE(MakeFolder(deep));
  ASSERT_TRUE(MakeFolder(deep));
  EXPECT_TRUE(std::filesystem::is_directory(deep));
  ASSERT_TRUE(WriteFile(folder.path() / "file", ""));
  EXPECT_FALSE(MakeFolder(folder.path() / "file" / "below"));
}

TEST(FilesTest, LastLinesCountsFromTheEnd) {
  const TestFolder folder;
  const std::filesystem::path path = folder.path() / "log";
  EXPECT_EQ(LastLines(path, 2), "");
  ASSERT_TRUE(WriteFile(path, "one\ntwo\nthree\n"));
  EXPECT_EQ(LastLines(path, 2), "two\nthree");
  EXPECT_EQ(LastLines(path, 3), "one\ntwo\nthree");
  EXPECT_EQ(LastLines(path, 9), "one\ntwo\nthree");
  ASSERT_TRUE(WriteFile(path, "unfinished"));
  EXPECT_EQ(LastLines(path, 2), "unfinished");
}

}  // namespace
}  // namespace symbolon::cli
