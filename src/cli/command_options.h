// Options that several commands of symbolon have, under the same names. What they fill outlives the parse.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/keys.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace symbolon::cli {

// --dir
CLI::Option* AddLabFolder(CLI::App* command, std::filesystem::path& dir);
// --dir or --endpoint; the latter for whoever must not be given with other options of a lab.
CLI::Option* AddApi(CLI::App* command, std::filesystem::path& dir, std::string& endpoint);
// The same of commands that ask every Region.
CLI::Option* AddApis(CLI::App* command, std::filesystem::path& dir, std::vector<std::string>& endpoints);

// A command of `parent` about one pool, which every Region that has it is asked for: POOL, --dir and --endpoint.
CLI::App* AddPoolCommand(CLI::App* parent, const std::string& verb, const std::string& what, KeysFlags& flags);

}  // namespace symbolon::cli
