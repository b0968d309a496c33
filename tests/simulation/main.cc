// symbolon_sim: replays seeds of the replication simulator.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "simulation.h"

int main(int argc, char** argv) {
  using namespace symbolon::simulation;
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  bool print = false;
  Plant plant = Plant::kNone;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "-v") {
      print = true;
    } else if (argument == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--count" && has_value) {
      count = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--plant" && has_value) {
      plant = static_cast<Plant>(std::strtoull(argv[++i], nullptr, 10));
    } else {
      std::puts(
          "symbolon_sim [--seed N] [--count N] [-v] [--plant BUG]\n"
          "Runs the simulation of seed N (and the following ones); -v prints what happens. BUG 1 to 5 plants a bug\n"
          "that has to be found (tests/simulation/region.h).");
      return argument == "--help" ? 0 : 2;
    }
  }
  std::uint64_t failed = 0;
  for (std::uint64_t end = seed + count; seed < end; ++seed) {
    const Result result = Simulation(seed, plant, print).Run();
    if (!result.violation.empty()) {
      ++failed;
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violation.c_str());
    }
    if (count == 1) std::printf("trace %s\n", result.trace_digest.c_str());
  }
  if (count > 1)
    std::printf("%llu of %llu seeds failed\n", static_cast<unsigned long long>(failed),
                static_cast<unsigned long long>(count));
  return failed == 0 ? 0 : 1;
}
