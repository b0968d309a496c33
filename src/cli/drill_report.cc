#include "cli/drill_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <set>

namespace symbolon::cli {
namespace {

namespace json = boost::json;
using Kind = DrillAttempt::Kind;
using Outcome = DrillAttempt::Outcome;

double Seconds(DrillTime time) { return std::chrono::duration<double>(time).count(); }

std::vector<DrillTime> Successes(const Drill& drill, Kind kind, const std::string* region = nullptr) {
  std::vector<DrillTime> times;
  for (const DrillAttempt& attempt : drill.attempts) {
    const bool counts = attempt.kind == kind && attempt.outcome == Outcome::kDone;
    if (counts && (region == nullptr || attempt.region == *region)) times.push_back(attempt.ended);
  }
  std::ranges::sort(times);
  return times;
}

// All three in one way of looking.
DrillGaps GapsWith(const Drill& drill, const std::function<DrillTime(std::vector<DrillTime>)>& gap) {
  DrillGaps gaps;
  gaps.writes = gap(Successes(drill, Kind::kWrite));
  gaps.sign_ins = gap(Successes(drill, Kind::kSignIn));
  for (const std::string& region : drill.regions) {
    gaps.sign_ins_by_region.push_back(gap(Successes(drill, Kind::kSignIn, &region)));
  }
  return gaps;
}

json::object JsonOf(const Drill& drill, const DrillGaps& gaps) {
  json::object by_region;
  for (std::size_t i = 0; i < drill.regions.size(); ++i) {
    by_region[drill.regions[i]] = Seconds(gaps.sign_ins_by_region[i]);
  }
  return {{"SecondsWithoutWrites", Seconds(gaps.writes)},
          {"SecondsWithoutSignIns", Seconds(gaps.sign_ins)},
          {"SecondsWithoutSignInsByRegion", std::move(by_region)}};
}

json::array JsonOf(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

std::string TextOf(const Drill& drill, const DrillStep& step) {
  if (!step.problem.empty()) return fmt::format("  {} -> {}: NOT DONE: {}\n", step.from, step.to, step.problem);
  const DrillGaps gaps = GapsOf(drill, step);
  std::string text = fmt::format("  {} -> {}: done in {:.3f} s; epoch {} from position {} on\n", step.from, step.to,
                                 Seconds(step.ended - step.begun), step.epoch, step.first_sequence);
  text += fmt::format("    time without writes    {:7.3f} s\n", Seconds(gaps.writes));
  text += fmt::format("    time without sign-in   {:7.3f} s", Seconds(gaps.sign_ins));
  for (std::size_t i = 0; i < drill.regions.size(); ++i) {
    text += fmt::format("{}{} {:.3f} s", i == 0 ? "  (" : ", ", drill.regions[i], Seconds(gaps.sign_ins_by_region[i]));
  }
  return text + ")\n";
}

std::string FormerPrimary(const Drill& drill) { return drill.steps.empty() ? "its primary" : drill.steps.front().from; }

std::string TextOf(const DrillReadBack& read, std::size_t acknowledged) {
  if (!read.problem.empty()) return fmt::format("    {}: NOT READ: {}\n", read.region, read.problem);
  return fmt::format("    {}: {} of {} found\n", read.region, read.found, acknowledged);
}

}  // namespace

DrillTime LongestGap(std::vector<DrillTime> successes, DrillTime begin, DrillTime end, DrillTime from, DrillTime to) {
  successes.push_back(end);
  DrillTime longest{};
  DrillTime last = begin;
  for (const DrillTime success : successes) {
    if (last <= to && success >= from) longest = std::max(longest, success - last);
    last = std::max(last, success);
  }
  return longest;
}

DrillGaps GapsOf(const Drill& drill, const DrillStep& step) {
  return GapsWith(drill, [&](std::vector<DrillTime> successes) {
    return LongestGap(std::move(successes), DrillTime(), drill.duration, step.begun, step.ended);
  });
}

DrillGaps UsualGapsOf(const Drill& drill) {
  return GapsWith(drill, [&](const std::vector<DrillTime>& successes) {
    DrillTime longest{};
    for (std::size_t i = 1; i < successes.size(); ++i) {
      const bool touched = std::ranges::any_of(drill.steps, [&](const DrillStep& step) {
        return successes[i - 1] <= step.ended && successes[i] >= step.begun;
      });
      if (!touched) longest = std::max(longest, successes[i] - successes[i - 1]);
    }
    return longest;
  });
}

DrillCounts CountsOf(const Drill& drill) {
  DrillCounts counts;
  for (const DrillAttempt& attempt : drill.attempts) {
    if (attempt.kind == Kind::kSignIn) {
      ++counts.sign_ins;
      if (attempt.outcome != Outcome::kDone) ++counts.sign_ins_failed;
      continue;
    }
    switch (attempt.outcome) {
      case Outcome::kDone:
        ++counts.writes_acknowledged;
        break;
      case Outcome::kRefused:
        ++counts.writes_refused;
        break;
      case Outcome::kFailed:
        ++counts.writes_failed;
        break;
      case Outcome::kUnknown:
        ++counts.writes_unknown;
        break;
    }
  }
  return counts;
}

std::vector<std::string> LostWrites(const Drill& drill) {
  std::set<std::string> lost;
  for (const DrillReadBack& read : drill.read_back) lost.insert(read.missing.begin(), read.missing.end());
  return {lost.begin(), lost.end()};
}

bool Passed(const Drill& drill) {
  const bool stepped =
      !drill.steps.empty() && std::ranges::all_of(drill.steps, &std::string::empty, &DrillStep::problem);
  const bool read = drill.read_back.size() == drill.regions.size() &&
                    std::ranges::all_of(drill.read_back, &std::string::empty, &DrillReadBack::problem);
  return drill.problem.empty() && stepped && drill.is_back && read && LostWrites(drill).empty();
}

std::string DrillText(const Drill& drill) {
  const DrillCounts counts = CountsOf(drill);
  std::string text = fmt::format("Drill {} of {}, begun {:%F %T} UTC, {:.1f} s\n", drill.id, drill.pool,
                                 std::chrono::floor<std::chrono::seconds>(drill.started), Seconds(drill.duration));
  for (const DrillStep& step : drill.steps) text += TextOf(drill, step);
  const DrillGaps usual = UsualGapsOf(drill);
  text += fmt::format(
      "  at other times, with a request every {:.0f} ms: without writes at most {:.3f} s, without "
      "sign-in at most {:.3f} s\n",
      1e3 * Seconds(drill.interval), Seconds(usual.writes), Seconds(usual.sign_ins));
  text += fmt::format("  sign-ins: {} in {} Regions, {} failed\n", counts.sign_ins, drill.regions.size(),
                      counts.sign_ins_failed);
  text += fmt::format("  writes: {} acknowledged; {} refused by secondaries, {} failed, {} without a clear answer\n",
                      counts.writes_acknowledged, counts.writes_refused, counts.writes_failed, counts.writes_unknown);
  text += "  acknowledged writes, read back in the end:\n";
  for (const DrillReadBack& read : drill.read_back) text += TextOf(read, counts.writes_acknowledged);
  const std::vector<std::string> lost = LostWrites(drill);
  text += fmt::format("  writes lost: {}\n", lost.size());
  for (const std::string& name : lost) text += "    " + name + "\n";
  if (!drill.is_back) {
    text += fmt::format("  the pool is not led by {} again: see symbolon replication status\n", FormerPrimary(drill));
  }
  if (!drill.problem.empty()) text += "  ended early: " + drill.problem + "\n";
  if (!drill.left_behind.empty()) {
    text += "  could not be removed; please remove by hand:\n";
    for (const std::string& name : drill.left_behind) text += "    " + name + "\n";
  }
  return text + (Passed(drill) ? "PASSED\n" : "FAILED\n");
}

std::string DrillJson(const Drill& drill) {
  const DrillCounts counts = CountsOf(drill);
  json::array steps;
  for (const DrillStep& step : drill.steps) {
    json::object shown{{"From", step.from},
                       {"To", step.to},
                       {"BegunAtSecond", Seconds(step.begun)},
                       {"Seconds", Seconds(step.ended - step.begun)},
                       {"Done", step.problem.empty()}};
    if (!step.problem.empty()) shown["Problem"] = step.problem;
    if (step.problem.empty()) {
      shown["Epoch"] = step.epoch;
      shown["FirstSequence"] = step.first_sequence;
    }
    for (auto& [name, value] : JsonOf(drill, GapsOf(drill, step))) shown[name] = value;
    steps.push_back(std::move(shown));
  }
  json::array read_back;
  for (const DrillReadBack& read : drill.read_back) {
    json::object shown{{"Region", read.region}, {"Found", read.found}, {"Missing", JsonOf(read.missing)}};
    if (!read.problem.empty()) shown["Problem"] = read.problem;
    read_back.push_back(std::move(shown));
  }
  json::object report{
      {"Drill", drill.id},
      {"UserPoolId", drill.pool},
      {"StartedAt", fmt::format("{:%FT%TZ}", std::chrono::floor<std::chrono::milliseconds>(drill.started))},
      {"Seconds", Seconds(drill.duration)},
      {"ProbeIntervalSeconds", Seconds(drill.interval)},
      {"Regions", JsonOf(drill.regions)},
      {"Passed", Passed(drill)},
      {"Promotions", std::move(steps)},
      {"BackAtFormerPrimary", drill.is_back},
      {"Usual", JsonOf(drill, UsualGapsOf(drill))},
      {"SignIns", {{"Attempted", counts.sign_ins}, {"Failed", counts.sign_ins_failed}}},
      {"Writes",
       {{"Acknowledged", counts.writes_acknowledged},
        {"RefusedBySecondaries", counts.writes_refused},
        {"Failed", counts.writes_failed},
        {"WithoutClearAnswer", counts.writes_unknown},
        {"Lost", LostWrites(drill).size()},
        {"LostNames", JsonOf(LostWrites(drill))}}},
      {"ReadBack", std::move(read_back)},
      {"LeftBehind", JsonOf(drill.left_behind)}};
  if (!drill.problem.empty()) report["EndedEarly"] = drill.problem;
  return json::serialize(report);
}

}  // namespace symbolon::cli
