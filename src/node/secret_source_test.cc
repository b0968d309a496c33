#include "node/secret_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/temporary_directory.h"

namespace symbolon::node {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SecretSourceTest : public testing::Test {
 protected:
  fs::path Write(const std::string& content) {
    const fs::path file = folder_.path() / "secret";
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    return file;
  }
  static int PipeWith(const std::string& content) {
    int ends[2];
    SYMBOLON_CHECK(::pipe(ends) == 0);
    SYMBOLON_CHECK(::write(ends[1], content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    ::close(ends[1]);
    return ends[0];
  }

  TemporaryDirectory folder_;
};

TEST_F(SecretSourceTest, EachPlace_IsRead) {
  EXPECT_EQ(ReadSecret({.file = Write("in a file\r\n")})->view(), "in a file");
  ::setenv("SYMBOLON_TEST_SECRET", "in the environment", 1);
  EXPECT_EQ(ReadSecret({.variable = "SYMBOLON_TEST_SECRET"})->view(), "in the environment");
  EXPECT_EQ(ReadSecret({.descriptor = PipeWith("in a pipe\n")})->view(), "in a pipe");
}

TEST_F(SecretSourceTest, Nothing_IsSaidPlainly) {
  EXPECT_THAT(ReadSecret({.file = folder_.path() / "none"}).error(), HasSubstr("is not there"));
  EXPECT_THAT(ReadSecret({.variable = "NO_SUCH_VARIABLE"}).error(), HasSubstr("NO_SUCH_VARIABLE"));
  EXPECT_THAT(ReadSecret({.descriptor = 1'000'000}).error(), HasSubstr("cannot read file descriptor"));
  EXPECT_THAT(ReadSecret({.file = Write("\n")}).error(), HasSubstr("1 to 1024 octets"));
  EXPECT_THAT(ReadSecret({.descriptor = PipeWith("")}).error(), HasSubstr("1 to 1024 octets"));
  EXPECT_THAT(ReadSecret({.descriptor = PipeWith(std::string(2000, 'x'))}).error(), HasSubstr("1 to 1024 octets"));
  EXPECT_FALSE(ReadSecret({.file = Write(std::string(2000, 'x'))}));
}

TEST_F(SecretSourceTest, FileForOthersToo_IsRefused) {
  const fs::path file = Write("secret");
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(ReadSecret({.file = file}).error(), HasSubstr("chmod 600"));
}

}  // namespace
}  // namespace symbolon::node
