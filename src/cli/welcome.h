// What `symbolon lab up` tells the person once everything runs.
#pragma once

#include <string>

#include "cli/settings.h"

namespace symbolon::cli {

// Endpoints, lines to paste for the AWS CLI and an SDK, and how to lose a Region by the program `symbolon`. Pure.
std::string WelcomeText(const LabSettings& settings, const std::string& symbolon);

}  // namespace symbolon::cli
