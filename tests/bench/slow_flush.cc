// A disk that takes its time, for processes that are started with this library in LD_PRELOAD: each flush of a file
// takes SYMBOLON_BENCH_FLUSH_MICROSECONDS longer. What a virtual machine's disk calls durable is often in its host's
// memory.
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace {

using Flush = int (*)(int);

Flush Real(const char* name) { return reinterpret_cast<Flush>(::dlsym(RTLD_NEXT, name)); }

void Wait() {
  const char* text = std::getenv("SYMBOLON_BENCH_FLUSH_MICROSECONDS");
  const long microseconds = text == nullptr ? 0 : std::atol(text);
  timespec left{.tv_sec = microseconds / 1'000'000, .tv_nsec = microseconds % 1'000'000 * 1'000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace

extern "C" {

int fdatasync(int file) {
  static const Flush real = Real("fdatasync");
  Wait();
  return real(file);
}

int fsync(int file) {
  static const Flush real = Real("fsync");
  Wait();
  return real(file);
}
}
