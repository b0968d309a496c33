#include "node/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>

namespace symbolon::node {
namespace {

// In a process of its own, which is changed by it.
TEST(ProcessTest, HiddenProcess_CannotBeDumped) {
  EXPECT_EXIT(
      {
        const bool hidden = HideProcess().has_value();
        rlimit core{};
        ::getrlimit(RLIMIT_CORE, &core);
        const bool closed = ::prctl(PR_GET_DUMPABLE) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
        std::_Exit(hidden && closed ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace symbolon::node
