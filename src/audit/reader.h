// The files of an audit trail, line by line.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/line.h"

namespace symbolon::audit {

// The line of the newest checkpoint, as it stands in the trail, in a file of its own: where the trail goes to at least.
inline constexpr const char* kHeadFile = "head";
// The same, in the folder of the node's keys.
inline constexpr const char* kOutsideFile = "audit.checkpoint";
// The public key, in base64.
inline constexpr const char* kPublicKeyFile = "public_key";

// The trail's file that begins with that line: "audit-000000000001.jsonl". Names sort as numbers do.
std::string FileName(std::uint64_t first_sequence);

// The names of the trail's files in a folder, ascending; others are left out.
AuditResult<std::vector<std::string>> ListFiles(const std::filesystem::path& directory);

// One file from its beginning. Not thread-safe.
class FileReader {
 public:
  static AuditResult<FileReader> Open(const std::filesystem::path& file);

  struct Text {
    // Without its line end; cut off where it is too long for a line.
    std::string text;
    // False: too long, or the file ends before the line does.
    bool complete = true;
    // Of its first octet.
    std::uint64_t offset_bytes = 0;
  };
  // nullopt: there are no more. Nothing follows what is not complete.
  AuditResult<std::optional<Text>> Next();
  // Where the next one begins.
  std::uint64_t offset_bytes() const { return offset_bytes_; }

 private:
  FileReader(std::ifstream stream, std::filesystem::path file);

  std::ifstream stream_;
  std::filesystem::path file_;
  std::string buffer_;
  std::uint64_t offset_bytes_ = 0;
};

// What a file's first line says of it.
struct FileHeader {
  // Of the trail, drawn when it began.
  std::string chain;
  std::string region;
  std::string account;
  std::string name;
  // Empty for the first.
  std::string previous_file;
  Bytes public_key;
  // When it was begun, as FormatTime() writes it.
  std::string time;

  std::string Body() const;
};
// nullopt for what is no such line, or of another format.
std::optional<FileHeader> ParseFileHeader(const Line& line);

// Which events are wanted. Times are compared as CloudTrail writes them, to the second.
struct Filter {
  // An ARN, or the key's id alone; empty: all.
  std::string key;
  std::string event_name;
  // "2026-11-28T11:05:09Z", inclusive and exclusive; empty: no bound.
  std::string since;
  std::string until;
};

// Hands the CloudTrail records that the filter lets through to `take`, oldest first, as they stand in the trail. What
// is no line is skipped (verify.h finds it).
AuditResult<void> ForEachEvent(const std::filesystem::path& directory, const Filter& filter,
                               const std::function<void(std::string_view record)>& take);

}  // namespace symbolon::audit
