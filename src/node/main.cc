// symbolond: one node of one Region.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "node/node.h"
#include "node/process.h"

namespace symbolon::node {
namespace {

// Beside the connections: store, logs, links to other Regions.
constexpr std::size_t kOwnFileDescriptors = 1024;

int Complain(std::string_view message) {
  fmt::print(stderr, "symbolond: {}\n", message);
  return 1;
}

int Run(Config config) {
  log::SetLevel(config.log_level);
  if (auto prepared = PrepareProcess(config.http.connection_limit + kOwnFileDescriptors); !prepared) {
    return Complain(prepared.error());
  }
  HoldSignals();
  auto node = Node::Start(std::move(config), SystemClock(), crypto::SystemRandom());
  if (!node) return Complain(node.error().message);
  int signal = AwaitSignal();
  for (; signal == SIGHUP; signal = AwaitSignal()) (*node)->ReloadUsers();
  log::Info("signal {}: stopping; another one ends the process at once", signal);
  (*node)->Stop();
  log::Info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("symbolond: one node of Symbolon, an identity service that survives the loss of a Region", "symbolond");
  std::string file;
  bool only_check = false;
  bool restored = false;
  app.add_option("--config", file, "The node's settings (TOML); see docs/configuration.md")
      ->required()
      ->type_name("FILE");
  app.add_flag("--check", only_check, "Say what is wrong with the settings, and do not start");
  app.add_flag("--restored", restored,
               "data_dir was restored from a backup: make its store another one, and do not start (docs/promotion.md)");
  bool protect_root_key = false;
  std::string former_passphrase_file;
  auto* const protect = app.add_flag("--protect-root-key", protect_root_key,
                                     "Write the root key file anew, protected as the settings say, and do not start "
                                     "(docs/providers.md)");
  app.add_option("--former-passphrase-file", former_passphrase_file,
                 "With --protect-root-key: the passphrase that protects it now, if it is another one")
      ->needs(protect)
      ->type_name("FILE");
  app.set_version_flag("--version", SYMBOLON_VERSION);
  CLI11_PARSE(app, argc, argv);

  // The settings may hold access keys, and every way from here may read the root key.
  if (auto hidden = HideProcess(); !hidden) return Complain(hidden.error());
  auto config = LoadConfig(file);
  if (!config) {
    for (const auto& [line, reason] : config.error()) fmt::print(stderr, "{}:{}: {}\n", file, line, reason);
    return 1;
  }
  if (only_check) return 0;
  if (restored) {
    const auto marked = MarkRestored(*config, crypto::SystemRandom());
    return marked ? 0 : Complain(marked.error().message);
  }
  if (protect_root_key) {
    const auto done = ProtectRootKey(*config, former_passphrase_file, SystemClock(), crypto::SystemRandom());
    return done ? 0 : Complain(done.error().message);
  }
  return Run(*std::move(config));
}

}  // namespace
}  // namespace symbolon::node

int main(int argc, char** argv) { return symbolon::node::Main(argc, argv); }
