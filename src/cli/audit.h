// `symbolon audit verify|list|export`: reads the audit trails of Regions from their files, with no node running or
// beside it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audit/reader.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct AuditFlags {
  // Folders of trails; or a node's configuration that says where its is; or a lab, with one of its Regions or all.
  std::vector<std::filesystem::path> trails;
  std::filesystem::path config;
  std::filesystem::path dir = ".lab";
  std::string region;
  // Of verify, one for each trail, in their order, or none. Ed25519, in base64 or a file that holds that; and files
  // that hold the newest checkpoint outside the trails' folders (known where a configuration or a lab is named).
  std::vector<std::string> public_keys;
  std::vector<std::filesystem::path> checkpoints;
  bool earlier_files_elsewhere = false;
  // Of list and export.
  std::string key;
  std::string event;
  std::string since;
  std::string until;
};

// Verifies each trail by itself and by what the others have seen of it, and prints what it found. Fails with exit
// status 1 when something is wrong, with 2 when a trail cannot be read.
CliResult<void> VerifyAudit(const AuditFlags& flags);
// Prints a line for each event.
CliResult<void> ListAudit(const AuditFlags& flags, Clock& clock);
// Prints the events as they stand in the trail, one CloudTrail record a line.
CliResult<void> ExportAudit(const AuditFlags& flags, Clock& clock);

// ---- pure ----

// As it stands in records: of "2026-11-28T11:05:09Z", of a day ("2026-11-28") its beginning, of "90s", "15m", "2h" or
// "7d" so much before `now`. Fails for anything else.
CliResult<std::string> AuditTime(const std::string& text, Timestamp now);
// Where a node with that configuration keeps its trail. `folder`: where the configuration lies.
CliResult<std::filesystem::path> AuditFolderOf(std::string_view configuration, const std::filesystem::path& folder);
// Where such a node keeps the newest checkpoint outside its trail's folder.
CliResult<std::filesystem::path> OutsideCheckpointOf(std::string_view configuration,
                                                     const std::filesystem::path& folder);
// "2026-11-28T11:05:09Z  Decrypt  cognito-idp.amazonaws.com  key/1234  userpool/eu-central-1_a  ok"
std::string AuditLine(std::string_view record);
// What a verification found, for people.
std::string VerificationText(const audit::Verification& verification, const std::filesystem::path& folder);

}  // namespace symbolon::cli
