#include "base/dead_stack.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include "base/bytes.h"

namespace symbolon {
namespace {

constexpr char kMark = 0x5a;
constexpr std::size_t kLeftBytes = 40'000;

#if defined(__clang__)
#define SYMBOLON_PLAIN_STACK [[gnu::noinline]] [[clang::no_sanitize("address", "thread")]]
#else
#define SYMBOLON_PLAIN_STACK [[gnu::noinline]]
#endif

// Leaves marks on the stack, as a serialiser leaves what it wrote, and notes where.
SYMBOLON_PLAIN_STACK void LeaveMarks(std::uintptr_t& at) {
  volatile char left[kLeftBytes];
  for (std::size_t i = 0; i < kLeftBytes; ++i) left[i] = kMark;
  at = reinterpret_cast<std::uintptr_t>(left);
}

// How many octets are marked, but for those so near to the caller that frames of what it calls lie there, and for the
// few that chance puts into frames.
std::size_t MarksAt(std::uintptr_t at) {
  constexpr std::size_t kFramesBytes = 4'000, kByChanceBytes = 32;
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  memory.seekg(static_cast<std::streamoff>(at));
  Bytes octets(kLeftBytes - kFramesBytes, '\0');
  memory.read(octets.data(), static_cast<std::streamsize>(octets.size()));
  EXPECT_EQ(memory.gcount(), static_cast<std::streamsize>(octets.size()));
  std::size_t marks = 0, run = 0;
  for (const char octet : octets) {
    run = octet == kMark ? run + 1 : 0;
    if (run >= kByChanceBytes) ++marks;
  }
  return marks;
}

void ExpectWiped() {
  std::uintptr_t at = 0;
  LeaveMarks(at);
  EXPECT_GT(MarksAt(at), kLeftBytes / 2);
  WipeDeadStack();
  EXPECT_EQ(MarksAt(at), 0u);
}

TEST(DeadStackTest, WhatCallsLeft_IsWiped_OnTheFirstThreadAndOnOthers) {
  ExpectWiped();
  std::thread(ExpectWiped).join();
}

TEST(DeadStackTest, LockedPages_AreWipedToo) {
  std::thread([] {
    const auto page = static_cast<std::uintptr_t>(::getpagesize());
    std::uintptr_t at = 0;
    LeaveMarks(at);
    if (::mlock(reinterpret_cast<void*>(at / page * page), kLeftBytes / 2) != 0)
      GTEST_SKIP() << "no page may be locked";
    WipeDeadStack();
    EXPECT_EQ(MarksAt(at), 0u);
  }).join();
}

TEST(DeadStackTest, WhatIsInUse_Stays) {
  std::array<char, 20'000> used;
  used.fill(kMark);
  WipeDeadStack();
  EXPECT_EQ(std::ranges::count(used, kMark), 20'000);
}

}  // namespace
}  // namespace symbolon
