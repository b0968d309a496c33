#include "cli/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace symbolon::cli {
namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kRegionBytesMax = 64;

// Whatever stands in a line of the configuration may not break it.
bool IsPlain(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [also](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           also.find(c) != std::string_view::npos;
  });
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// A server's name: the Region's, counted if it has several nodes.
std::vector<std::string> NamesOf(const std::vector<RouterServer>& servers) {
  std::vector<std::string> names;
  for (const RouterServer& server : servers) {
    const auto same = [&](const RouterServer& other) { return other.region == server.region; };
    const auto all = std::ranges::count_if(servers, same);
    const auto before = std::count_if(servers.data(), &server, same);
    names.push_back(all == 1 ? server.region.value() : fmt::format("{}-{}", server.region.value(), before + 1));
  }
  return names;
}

std::vector<Region> RegionsOf(const std::vector<RouterServer>& servers) {
  std::vector<Region> regions;
  for (const RouterServer& server : servers) {
    if (std::ranges::find(regions, server.region) == regions.end()) regions.push_back(server.region);
  }
  return regions;
}

CliResult<void> Check(const RouterSettings& settings) {
  if (settings.servers.empty()) return Fail("a router needs a node to send requests to");
  if (settings.servers.size() > kRouterServersMax) {
    return Fail(fmt::format("{} nodes are more than {}", settings.servers.size(), kRouterServersMax));
  }
  for (auto server = settings.servers.begin(); server != settings.servers.end(); ++server) {
    if (std::find(settings.servers.begin(), server, *server) != server) {
      return Fail(fmt::format("{}:{} is named twice", server->host, server->api_port));
    }
  }
  if (settings.bind.empty() || !IsPlain(settings.bind, "-._:[]*")) {
    return Fail(fmt::format("\"{}\" is nothing to bind to", settings.bind));
  }
  for (const std::filesystem::path& file : {settings.certificate, settings.server_ca}) {
    if (!IsPlain(file.string(), "-._/+@"))
      return Fail(fmt::format("{}: not a path that HAProxy can read", file.string()));
  }
  return {};
}

}  // namespace

CliResult<RouterServer> ParseRouterServer(std::string_view text) {
  const auto wrong = [text] { return Fail(fmt::format("\"{}\" is no REGION=HOST:API_PORT/OPERATIONS_PORT", text)); };
  const std::size_t equals = text.find('='), slash = text.rfind('/');
  if (equals == std::string_view::npos || slash == std::string_view::npos || slash < equals) return wrong();
  const std::string_view address = text.substr(equals + 1, slash - equals - 1);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  const std::string_view region = text.substr(0, equals), host = address.substr(0, colon);
  const auto api_port = ParsePort(address.substr(colon + 1)), operations_port = ParsePort(text.substr(slash + 1));
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (region.empty() || region.size() > kRegionBytesMax || !IsPlain(region, "-") || host.empty() ||
      host.size() > kHostBytesMax || !IsPlain(host, in_brackets ? ":[]" : "-.") || !api_port || !operations_port) {
    return wrong();
  }
  return RouterServer{.region = Region(std::string(region)),
                      .host = std::string(host),
                      .api_port = *api_port,
                      .operations_port = *operations_port};
}

CliResult<std::string> RouterConfiguration(const RouterSettings& settings, std::string_view origin) {
  SYMBOLON_TRY_VOID(Check(settings));
  const std::vector<std::string> names = NamesOf(settings.servers);
  const std::vector<Region> regions = RegionsOf(settings.servers);
  const auto interval = settings.probe_interval.count();

  // The first request that finds nobody listening marks its node as lost, and is sent again to the next one (after at
  // most "timeout connect"); one that may have been processed is never repeated here, because only the client knows
  // whether it can be. Sessions of a node that is marked down are not cut: it would hit the very request that is about
  // to be sent again.
  std::string text =
      fmt::format(R"(# {}
global
    maxconn 4096
    hard-stop-after 5s

defaults
    mode http
    option redispatch 1
    retries 3
    retry-on conn-failure
    timeout connect 250ms
    timeout client 60s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout check {}ms

frontend router
    bind {}{}
    monitor-uri {}
)",
                  origin, std::max<std::int64_t>(500, interval), settings.bind,
                  settings.certificate.empty() ? "" : " ssl crt " + settings.certificate.string(), kRouterProbePath);
  // The first Region that has a node; without any the preferred one, whose nodes may be back before their probes say
  // so.
  for (const Region& region : regions) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (settings.servers[i].region != region) continue;
      text += fmt::format("    use_backend {} if {{ srv_is_up({}/{}) }}\n", region.value(), region.value(), names[i]);
    }
  }
  text += fmt::format("    default_backend {}\n", regions.front().value());

  // A Region's backend has its nodes, and the others' for requests that are sent again.
  for (const Region& region : regions) {
    text += fmt::format(R"(
backend {}
    option httpchk
    http-check send meth GET uri {} ver HTTP/1.1 hdr Host router hdr Connection close
    http-check expect status 200
    default-server inter {}ms fastinter {}ms downinter {}ms fall {} rise {}
)",
                        region.value(), kReadyPath, interval, std::max<std::int64_t>(1, interval * 2 / 3), interval,
                        settings.fall, settings.rise);
    const std::string tls = settings.server_ca.empty() ? ""
                                                       : fmt::format(" ssl verify required ca-file {} no-check-ssl",
                                                                     settings.server_ca.string());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const RouterServer& server = settings.servers[i];
      if (server.region != region) continue;
      text += fmt::format("    server {} {}:{} check port {} observe layer4 error-limit 1 on-error mark-down{}\n",
                          names[i], server.host, server.api_port, server.operations_port, tls);
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const RouterServer& server = settings.servers[i];
      if (server.region == region) continue;
      text += fmt::format("    server {} {}:{} track {}/{} backup{}\n", names[i], server.host, server.api_port,
                          server.region.value(), names[i], tls);
    }
  }
  return text;
}

}  // namespace symbolon::cli
