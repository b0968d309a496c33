// `symbolon users`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "cli/command_options.h"
#include "cli/commands.h"
#include "cli/erasure.h"

namespace symbolon::cli {
namespace {

struct Flags {
  KeysFlags pool;
  ErasureFlags erasure;
};

}  // namespace

void AddUsers(CLI::App& app, Run& run) {
  CLI::App* parent = app.add_subcommand("users", "Users of a pool");
  parent->require_subcommand(1);
  const auto add = [&](const std::string& verb, const std::string& what, auto work) {
    const auto flags = std::make_shared<Flags>();
    CLI::App* command = AddPoolCommand(parent, verb, what, flags->pool);
    command->add_option("--out", flags->erasure.out, "Write the certificate to this file")->type_name("FILE");
    command->callback(
        [flags, &run, work] { run = [flags, work] { return work(flags->pool, flags->erasure, SystemClock()); }; });
    return std::pair(command, flags);
  };
  const auto [erase, erased] =
      add("erase",
          "Delete a user, and erase the user from the logs and all copies in every Region. Waits for the "
          "certificate",
          EraseUser);
  erase->add_option("USERNAME", erased->erasure.username, "The user's name, alias or sub")->required();
  erase->add_flag("--already-deleted", erased->erasure.already_deleted,
                  "The user is deleted already: USERNAME is the sub");
  erase->add_flag("--detach", erased->pool.detach, "Do not wait for the end");
  erase->footer("Exit status: 0 erased, 1 not, 3 not in every Region yet.");
  const auto [erasure, shown] =
      add("erasure", "How far an erasure is, and its certificate; without ID, those of the pool", ShowErasure);
  erasure->add_option("ID", shown->erasure.id, "The erasure");
}

}  // namespace symbolon::cli
