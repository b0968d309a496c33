#include "base/dead_stack.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/result.h"

namespace symbolon {
namespace {

// A leaf function may keep locals below the stack pointer (System V ABI: 128 octets), and the one that wipes is a leaf.
constexpr std::uintptr_t kRedZone = 256;

// The lowest address of the thread's stack, on a page's border.
std::uintptr_t BeginOfStack(std::uintptr_t page) {
  pthread_attr_t attributes;
  SYMBOLON_CHECK(::pthread_getattr_np(::pthread_self(), &attributes) == 0);
  void* begin = nullptr;
  std::size_t size = 0;
  SYMBOLON_CHECK(::pthread_attr_getstack(&attributes, &begin, &size) == 0);
  ::pthread_attr_destroy(&attributes);
  return (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
}

// Calls nobody but the kernel, so that nothing lies deeper than its own frame.
#if defined(__clang__)
[[clang::no_sanitize("address", "thread", "undefined")]]
#endif
[[gnu::noinline]] void
WipeBelowHere(std::uintptr_t begin, std::uintptr_t page) {
  volatile char here = 0;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(&here) - kRedZone;
  // On another stack than the thread's own (a sanitizer's, a library's coroutine) nothing is known of what lies below.
  if (end <= begin) return;
  const std::uintptr_t pages_end = std::max(end / page * page, begin);
  for (std::uintptr_t at = pages_end; at < end; ++at) *reinterpret_cast<volatile char*>(at) = 0;
  // Pages that were given back are zero when they are used again. Those that are locked into memory stay. The stack of
  // the first thread is not mapped as far as it may grow.
  if (::madvise(reinterpret_cast<void*>(begin), pages_end - begin, MADV_DONTNEED) == 0 || errno != EINVAL) return;
  for (std::uintptr_t at = begin; at < pages_end; ++at) *reinterpret_cast<volatile char*>(at) = 0;
}

}  // namespace

void WipeDeadStack() {
  static const auto page = static_cast<std::uintptr_t>(::getpagesize());
  static thread_local const std::uintptr_t begin = BeginOfStack(page);
  WipeBelowHere(begin, page);
}

}  // namespace symbolon
