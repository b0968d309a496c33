// `symbolon keys`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "cli/command_options.h"
#include "cli/commands.h"
#include "cli/key_switch.h"
#include "cli/keys.h"
#include "cli/shredding.h"

namespace symbolon::cli {
namespace {

// A command, and what its options fill.
struct KeyVerb {
  CLI::App* command;
  std::shared_ptr<KeysFlags> flags;
};

KeyVerb AddVerb(CLI::App* parent, Run& run, const std::string& verb, const std::string& what,
                CliResult<void> (*work)(const KeysFlags&, Clock&)) {
  const auto flags = std::make_shared<KeysFlags>();
  CLI::App* command = AddPoolCommand(parent, verb, what, *flags);
  command->callback([flags, &run, work] { run = [flags, work] { return work(*flags, SystemClock()); }; });
  return {command, flags};
}

void AddReencrypt(CLI::App* parent, Run& run) {
  const auto [command, flags] = AddVerb(
      parent, run, "reencrypt", "Move all data to the data key that seals now, and drop the former ones", Reencrypt);
  command
      ->add_option("--records-per-second", flags->records_per_second,
                   "So fast at the most; 0: as fast as it goes (the node's setting)")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--detach", flags->detach, "Do not wait for the end");
  command->add_flag("--json", flags->json, "Print the result as JSON");
}

struct ShredFlags {
  KeysFlags keys;
  ShreddingFlags shredding;
};

void AddShredding(CLI::App* parent, Run& run) {
  const auto add = [&](const std::string& verb, const std::string& what, auto work) {
    const auto flags = std::make_shared<ShredFlags>();
    CLI::App* command = AddPoolCommand(parent, verb, what, flags->keys);
    command->add_option("--out", flags->shredding.out, "Write the certificate to this file")->type_name("FILE");
    command->callback(
        [flags, &run, work] { run = [flags, work] { return work(flags->keys, flags->shredding, SystemClock()); }; });
    return std::pair(command, flags);
  };
  const auto [shred, flags] = add("shred",
                                  "Destroy every key of the pool in every Region, and all its records: nobody opens it "
                                  "again. Waits for the certificate",
                                  ShredPool);
  shred->add_flag("--yes", flags->shredding.yes, "Do not ask for the pool's id");
  shred->add_flag("--although-locked", flags->shredding.although_locked,
                  "Also a pool that is locked, whose deletion protection cannot be read");
  shred->add_flag("--detach", flags->keys.detach, "Do not wait for the other Regions");
  add("certificate", "Write the certificate that a pool was shredded, as it is now", FetchCertificate);
}

}  // namespace

void AddKeys(CLI::App& app, Run& run) {
  CLI::App* parent = app.add_subcommand("keys", "The key of a user pool");
  parent->require_subcommand(1);
  const KeyVerb status = AddVerb(
      parent, run, "status", "The pool's KMS key and data keys, and whether it is open in each Region", ShowKeyStatus);
  status.command->add_flag("--json", status.flags->json, "Print the answer as JSON");
  AddVerb(parent, run, "rotate", "Have a new data key seal from now on, under the same KMS key", RotateKey);
  AddReencrypt(parent, run);
  AddVerb(parent, run, "withdraw",
          "Disable the pool's KMS key in every Region, and wait until the pool is locked there", WithdrawKey);
  AddVerb(parent, run, "restore", "Enable the pool's KMS key in every Region, and wait until the pool is open there",
          RestoreKey);
  const KeyVerb own =
      AddVerb(parent, run, "region", "Give a secondary Region a KMS key of its own; makes the replica if there is none",
              SetRegionKey);
  own.command->add_option("REGION", own.flags->region, "The Region")->required();
  own.command->add_option("KEY", own.flags->kms_key_arn, "The ARN of the key, in that Region")->required();
  AddShredding(parent, run);
}

}  // namespace symbolon::cli
