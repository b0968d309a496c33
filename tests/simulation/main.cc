// symbolon-sim: runs seeds of the replication simulator, replays one, or goes on until it is stopped.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "crypto/random.h"
#include "simulation.h"

namespace symbolon::simulation {
namespace {

std::atomic<bool> stopped = false;

struct Settings {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  bool verbose = false;
  bool soak = false;
  unsigned jobs = 1;
  Plant plant = Plant::kNone;
  std::string plant_name;
};

void Print(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string ReplayCommand(const Settings& settings, std::uint64_t seed) {
  return fmt::format("symbolon-sim --seed {} --verbose{}", seed,
                     settings.plant == Plant::kNone ? "" : " --plant " + settings.plant_name);
}

// Runs seeds on as many threads as asked for, until `next` has no more or somebody stops the program.
class Runner {
 public:
  Runner(const Settings& settings, std::function<bool(std::uint64_t& seed)> next)
      : settings_(settings), next_(std::move(next)) {}

  // The number of seeds that failed.
  std::uint64_t Run() {
    {
      std::vector<std::jthread> threads;
      for (unsigned job = 0; job < settings_.jobs; ++job) threads.emplace_back([this] { Work(); });
    }
    return failed_;
  }
  std::uint64_t runs() const { return runs_; }
  const Result& sum() const { return sum_; }

 private:
  void Work() {
    std::uint64_t seed = 0;
    while (!stopped && Next(seed)) {
      const Result result = Simulation(seed, settings_.plant, settings_.verbose).Run();
      std::lock_guard lock(mutex_);
      ++runs_;
      sum_.Add(result);
      if (settings_.count == 1 && !settings_.soak) Print("trace " + result.trace_digest);
      if (result.violation.empty()) {
        if (settings_.soak && runs_ % 1'000 == 0) Print(fmt::format("{} seeds, the last one {}", runs_, seed));
        continue;
      }
      ++failed_;
      Print(fmt::format("seed {}: {}\n  {}", seed, result.violation, ReplayCommand(settings_, seed)));
      if (settings_.soak) stopped = true;
    }
  }
  bool Next(std::uint64_t& seed) {
    std::lock_guard lock(mutex_);
    return next_(seed);
  }

  const Settings& settings_;
  std::mutex mutex_;
  // guarded by mutex_
  std::function<bool(std::uint64_t& seed)> next_;
  std::uint64_t runs_ = 0;
  std::uint64_t failed_ = 0;
  Result sum_;
};

int RunSeeds(const Settings& settings) {
  std::uint64_t seed = settings.seed;
  std::uint64_t left = settings.count;
  const auto in_turn = [&](std::uint64_t& next) {
    if (left == 0) return false;
    --left;
    next = seed++;
    return true;
  };
  const auto at_random = [](std::uint64_t& next) {
    next = ReadBigEndian64(crypto::SystemRandom().Octets(8)) >> 16;
    return true;
  };
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });
  Runner runner(settings, settings.soak ? std::function<bool(std::uint64_t&)>(at_random)
                                        : std::function<bool(std::uint64_t&)>(in_turn));
  const std::uint64_t failed = runner.Run();
  if (settings.count > 1 || settings.soak) {
    Print(fmt::format("{} of {} seeds failed", failed, runner.runs()));
    Print(Describe(runner.sum()));
  }
  return failed == 0 ? 0 : 1;
}

int ListPlants() {
  for (const PlantedBug& bug : PlantedBugs()) fmt::print("{:<28} {}\n", bug.name, bug.what);
  return 0;
}

int Main(int argc, char** argv) {
  Settings settings;
  bool list_plants = false;
  CLI::App app("symbolon-sim: several Regions in one process, with faults, from a seed (docs/simulator.md)",
               "symbolon-sim");
  app.add_option("--seed", settings.seed, "Replay this seed")->type_name("N")->capture_default_str();
  app.add_option("--count", settings.count, "So many seeds, from --seed on")->type_name("N")->capture_default_str();
  app.add_flag("-v,--verbose", settings.verbose, "Print everything that happens, with the Regions' own logs");
  auto* plant = app.add_option("--plant", settings.plant_name, "Plant a bug (see --list-plants)")->type_name("NAME");
  plant->check([](const std::string& name) {
    return FindPlant(name) ? std::string() : "no such bug: " + name + " (see --list-plants)";
  });
  app.add_flag("--list-plants", list_plants, "List the bugs that can be planted");
  app.add_flag("--soak", settings.soak, "Random seeds until one fails or Ctrl-C");
  app.add_option("-j,--jobs", settings.jobs, "Threads")
      ->check(CLI::Range(1, 256))
      ->type_name("N")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (list_plants) return ListPlants();
  if (!settings.plant_name.empty()) settings.plant = *FindPlant(settings.plant_name);
  // What is printed of one run is in order on one thread only.
  if (settings.verbose) settings.jobs = 1;
  if (!settings.verbose) log::SetLevel(log::Level::kOff);
  return RunSeeds(settings);
}

}  // namespace
}  // namespace symbolon::simulation

int main(int argc, char** argv) { return symbolon::simulation::Main(argc, argv); }
