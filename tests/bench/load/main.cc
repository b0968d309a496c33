// symbolon_load: sends one kind of request over and over, and prints what came of it as one line of JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "load/driver.h"

namespace symbolon::bench {
namespace {

struct Flags {
  LoadOptions options;
  RequestTemplate pattern;
  double seconds = 0;
  double rate = 0;
  std::vector<std::string> headers;
  std::string body_file;
  std::string lines_file;
  std::string sign_as;
  std::string record_file;
};

int Complain(std::string_view message) {
  fmt::print(stderr, "symbolon_load: {}\n", message);
  return 1;
}

double Micros(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

double Percentile(const std::vector<std::chrono::nanoseconds>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return Micros(sorted[index]);
}

// A JSON string.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "\"";
}

void Print(LoadResult& result) {
  std::ranges::sort(result.latencies);
  std::string statuses;
  for (const auto& [status, count] : result.by_status) {
    statuses += fmt::format("{}\"{}\":{}", statuses.empty() ? "" : ",", status, count);
  }
  fmt::print(R"({{"sent":{},"answered":{},"statuses":{{{}}},"broken":{},"seconds":{:.6f},"latency_us":)"
             R"({{"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"max":{:.1f}}},"first_failure":{}}})"
             "\n",
             result.sent, result.latencies.size(), statuses, result.broken,
             std::chrono::duration<double>(result.elapsed).count(), Percentile(result.latencies, 0.5),
             Percentile(result.latencies, 0.9), Percentile(result.latencies, 0.99), Percentile(result.latencies, 1),
             Quoted(result.first_failure));
}

Result<std::string, std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Err(fmt::format("cannot read {}", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<void, std::string> Complete(Flags& flags) {
  RequestTemplate& pattern = flags.pattern;
  for (const std::string& header : flags.headers) {
    const std::size_t colon = header.find(": ");
    if (colon == std::string::npos) return Err(fmt::format("--header {}: not \"Name: value\"", header));
    pattern.headers.emplace_back(header.substr(0, colon), header.substr(colon + 2));
  }
  const bool has_host =
      std::ranges::any_of(pattern.headers, [](const HeaderField& field) { return field.first == "Host"; });
  if (!has_host) {
    pattern.headers.emplace_back("Host", fmt::format("{}:{}", flags.options.address, flags.options.port));
  }
  if (!flags.body_file.empty()) {
    SYMBOLON_TRY(pattern.body, ReadFile(flags.body_file));
  }
  if (!flags.lines_file.empty()) {
    std::ifstream file(flags.lines_file);
    for (std::string line; std::getline(file, line);) pattern.lines.push_back(line);
    if (pattern.lines.empty()) return Err(fmt::format("{} has no lines", flags.lines_file));
  }
  if (!flags.sign_as.empty()) {
    const std::vector<std::string> parts = CLI::detail::split(flags.sign_as, ':');

    if (parts.size() != 4) return Err(std::string("--sign-as takes KEY:SECRET:REGION:SERVICE"));
    pattern.sign_as = AwsSigner::Scope{
        .access_key_id = parts[0], .secret_access_key = parts[1], .region = parts[2], .service = parts[3]};
  }
  if (flags.seconds > 0) {
    flags.options.duration =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(flags.seconds));
  }
  if (flags.rate > 0) flags.options.rate_per_second = flags.rate;
  return {};
}

int Main(int argc, char** argv) {
  CLI::App app("Sends one kind of request over keep-alive connections", "symbolon_load");
  Flags flags;
  LoadOptions& options = flags.options;
  RequestTemplate& pattern = flags.pattern;
  app.add_option("--address", options.address, "IPv4 address of the server")->capture_default_str();
  app.add_option("--port", options.port, "Its port")->required();
  app.add_option("--connections", options.connections, "Requests under way at most")->check(CLI::Range(1, 4096));
  app.add_option("--seconds", flags.seconds, "How long to send");
  app.add_option("--requests", options.requests_max, "How many requests to send");
  app.add_option("--rate", flags.rate, "Requests a second, whether the server keeps up or not; 0: as answers come");
  app.add_flag("--busy-poll", options.busy_poll, "Never sleep between answers");
  app.add_option("--first-number", options.first_number, "What {n} is in the first request");
  app.add_option("--method", pattern.method)->capture_default_str();
  app.add_option("--path", pattern.path)->capture_default_str();
  app.add_option("--header", flags.headers, "\"Name: value\"; {n} and {line} are filled in");
  app.add_option("--body-file", flags.body_file, "The body; {n} and {line} are filled in");
  app.add_option("--lines-file", flags.lines_file, "What {line} stands for, in turn");
  app.add_option("--sign-as", flags.sign_as, "KEY:SECRET:REGION:SERVICE of Signature Version 4");
  app.add_option("--record", flags.record_file, "Write lines \"number sent received\" (nanoseconds) to this file");
  app.add_option("--extract", options.extract, "The text before the number in a response that is recorded");
  CLI11_PARSE(app, argc, argv);

  if (const auto completed = Complete(flags); !completed) return Complain(completed.error());
  if (flags.seconds <= 0 && options.requests_max == UINT64_MAX) return Complain("--seconds or --requests must be set");
  if (!flags.record_file.empty()) {
    options.record = std::fopen(flags.record_file.c_str(), "w");
    if (options.record == nullptr) return Complain("cannot write " + flags.record_file);
  }
  RequestMaker requests(std::move(pattern), SystemClock());
  auto result = RunLoad(options, requests);
  if (options.record != nullptr && std::fclose(options.record) != 0) return Complain("cannot write the record");
  if (!result) return Complain(result.error());
  Print(*result);
  return 0;
}

}  // namespace
}  // namespace symbolon::bench

int main(int argc, char** argv) { return symbolon::bench::Main(argc, argv); }
