// `symbolon keys`: the key of a user pool (docs/keys.md; key_switch.h withdraws it).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/api_call.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct KeysFlags {
  std::string pool;
  // The lab whose Regions are asked, with its access key; or these APIs (REGION=URL), with the environment's.
  std::filesystem::path dir = ".lab";
  std::vector<std::string> endpoints;
  // Of reencrypt; absent: the node's setting.
  std::optional<std::int64_t> records_per_second;
  // Of reencrypt: begin, and do not wait for the end.
  bool detach = false;
  bool json = false;
  // Of region: which Region's key, and the key's ARN.
  std::string region;
  std::string kms_key_arn;
};

// The answer of the first Region that has one, the pool's primary among them: others refuse what is the primary's, by
// name.
CliResult<std::string> CallAnyRegion(const KeysFlags& flags, std::string_view operation, const std::string& request,
                                     Clock& clock, std::string_view prefix = kOwnPrefix);

// Each blocks until it is done and prints what came of it.
CliResult<void> ShowKeyStatus(const KeysFlags& flags, Clock& clock);
CliResult<void> RotateKey(const KeysFlags& flags, Clock& clock);
// Shows on a terminal how far it is.
CliResult<void> Reencrypt(const KeysFlags& flags, Clock& clock);
// Gives one Region a KMS key of its own; makes the replica there if there is none.
CliResult<void> SetRegionKey(const KeysFlags& flags, Clock& clock);

// ---- pure ----

// The same key in another Region.
std::string KmsKeyArnIn(const std::string& arn, const std::string& region);

// DescribeUserPoolKey's answer as a table. Fails when the text is no such answer.
CliResult<std::string> DescribeKeyStatus(std::string_view json);

struct ReencryptionView {
  bool done = false;
  // One line: a bar, records, rate and remaining time; of one that is done, what was done.
  std::string text;
};
// Of the answer of ReencryptUserPool or DescribeReencryption.
CliResult<ReencryptionView> ViewReencryption(std::string_view json);

}  // namespace symbolon::cli
