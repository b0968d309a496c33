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
          "Runs the simulation of seed N (and the following ones); -v prints what happens. BUG 1 to 9 plants a bug\n"
          "that has to be found (tests/simulation/region.h).");
      return argument == "--help" ? 0 : 2;
    }
  }
  std::uint64_t failed = 0;
  std::uint64_t hand_overs = 0;
  std::uint64_t take_overs = 0;
  std::uint64_t suffixes = 0;
  std::uint64_t writes_set_aside = 0;
  for (std::uint64_t end = seed + count; seed < end; ++seed) {
    const Result result = Simulation(seed, plant, print).Run();
    hand_overs += result.hand_overs;
    take_overs += result.counters.take_overs;
    suffixes += result.counters.suffixes_set_aside;
    writes_set_aside += result.writes_set_aside;
    if (!result.violation.empty()) {
      ++failed;
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violation.c_str());
    }
    if (count == 1) std::printf("trace %s\n", result.trace_digest.c_str());
  }
  if (count > 1)
    std::printf(
        "%llu of %llu seeds failed; %llu hand-overs; in processes that lived to the end %llu epochs begun, %llu "
        "suffixes set aside; %llu acknowledged writes among them\n",
        static_cast<unsigned long long>(failed), static_cast<unsigned long long>(count),
        static_cast<unsigned long long>(hand_overs), static_cast<unsigned long long>(take_overs),
        static_cast<unsigned long long>(suffixes), static_cast<unsigned long long>(writes_set_aside));
  return failed == 0 ? 0 : 1;
}
