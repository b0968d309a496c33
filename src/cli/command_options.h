// Options that several commands of symbolon have, under the same names. What they fill outlives the parse.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/keys.h"

namespace CLI {
class App;
}

namespace symbolon::cli {

// --dir
void AddLabFolder(CLI::App* command, std::filesystem::path& dir);
// --endpoint
void AddEndpoint(CLI::App* command, std::string& endpoint);
// --endpoint, of commands that ask every Region.
void AddEndpoints(CLI::App* command, std::vector<std::string>& endpoints);

// A command of `parent` about one pool, which every Region that has it is asked for: POOL, --dir and --endpoint.
CLI::App* AddPoolCommand(CLI::App* parent, const std::string& verb, const std::string& what, KeysFlags& flags);

}  // namespace symbolon::cli
