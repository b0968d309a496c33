#include "cli/command_options.h"

#include <CLI/CLI.hpp>

namespace symbolon::cli {

CLI::Option* AddLabFolder(CLI::App* command, std::filesystem::path& dir) {
  return command->add_option("--dir", dir, "The lab's folder")->type_name("DIR")->capture_default_str();
}

CLI::Option* AddApi(CLI::App* command, std::filesystem::path& dir, std::string& endpoint) {
  CLI::Option* lab = AddLabFolder(command, dir);
  return command
      ->add_option("--endpoint", endpoint,
                   "Call this API instead, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; of https "
                   "the certificate is verified, by AWS_CA_BUNDLE if that is set")
      ->type_name("URL|HOST:PORT")
      ->excludes(lab);
}

CLI::Option* AddApis(CLI::App* command, std::filesystem::path& dir, std::vector<std::string>& endpoints) {
  CLI::Option* lab = AddLabFolder(command, dir);
  return command
      ->add_option("--endpoint", endpoints,
                   "Call these APIs instead, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; every Region that "
                   "has the pool; of https the certificate is verified, by AWS_CA_BUNDLE if that is set")
      ->type_name("REGION=URL|HOST:PORT,...")
      ->delimiter(',')
      ->excludes(lab);
}

CLI::App* AddPoolCommand(CLI::App* parent, const std::string& verb, const std::string& what, KeysFlags& flags) {
  CLI::App* command = parent->add_subcommand(verb, what);
  command->add_option("POOL", flags.pool, "The pool's id")->required();
  AddApis(command, flags.dir, flags.endpoints);
  return command;
}

}  // namespace symbolon::cli
