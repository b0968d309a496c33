#include "audit/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

namespace symbolon::audit::internal {
namespace {

struct Checkpoint {
  std::uint64_t sequence = 0;
  Bytes hash;
};

// The checkpoint that is kept in a file; nullopt: there is none.
AuditResult<std::optional<Checkpoint>> ReadCheckpoint(const std::filesystem::path& file, BytesView public_key) {
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return std::nullopt;
  SYMBOLON_TRY(auto reader, FileReader::Open(file));
  SYMBOLON_TRY(const auto text, reader.Next());
  const auto line = text ? ParseLine(text->text) : std::nullopt;
  if (!line || !HasGoodSignature(*line, public_key)) {
    return Err(AuditError{fmt::format("{} is no checkpoint signed by this node's audit key", file.string())});
  }
  const ChainEnd end = EndWith(*line, text->text);
  return Checkpoint{end.sequence, end.hash};
}

// nullopt: not even its first line is good.
AuditResult<std::optional<TrailEnd>> ReadLastFile(const std::filesystem::path& file,
                                                  const std::optional<Checkpoint>& head) {
  SYMBOLON_TRY(auto reader, FileReader::Open(file));
  std::optional<TrailEnd> found;
  while (true) {
    SYMBOLON_TRY(const auto text, reader.Next());
    if (!text || !text->complete) break;
    const auto line = ParseLine(text->text);
    if (!line) break;
    if (!found) {
      auto header = ParseFileHeader(*line);
      if (!header || header->name != file.filename().string()) break;
      found.emplace(TrailEnd{.header = *std::move(header)});
    } else if (line->sequence != found->end.sequence + 1 || line->previous != found->end.hash) {
      break;
    }
    found->end = EndWith(*line, text->text);
    found->size_bytes = reader.offset_bytes();
    found->unsigned_lines = line->kind == LineKind::kCheckpoint ? 0 : found->unsigned_lines + 1;
    if (head && head->sequence == found->end.sequence && head->hash != found->end.hash) {
      return Err(AuditError{fmt::format("{}: line {} is another one than was signed", file.string(), head->sequence)});
    }
  }
  if (!found) return found;
  std::ifstream rest(file, std::ios::binary);
  rest.seekg(static_cast<std::streamoff>(found->size_bytes));
  found->torn.assign(std::istreambuf_iterator<char>(rest), std::istreambuf_iterator<char>());
  return found;
}

// Whether the trail has the checkpoint, in the file that its number belongs to, or begins behind it.
AuditResult<bool> Contains(const std::filesystem::path& directory, const std::vector<std::string>& names,
                           const Checkpoint& checkpoint) {
  const auto after = std::ranges::upper_bound(names, FileName(checkpoint.sequence));
  const bool is_before = after == names.begin();
  if (is_before && names.empty()) return false;
  SYMBOLON_TRY(auto reader, FileReader::Open(directory / (is_before ? *after : *std::prev(after))));
  while (true) {
    SYMBOLON_TRY(const auto text, reader.Next());
    const auto line = text && text->complete ? ParseLine(text->text) : std::nullopt;
    if (!line) return false;
    if (is_before) return line->sequence == checkpoint.sequence + 1 && line->previous == checkpoint.hash;
    if (line->sequence == checkpoint.sequence) return EndWith(*line, text->text).hash == checkpoint.hash;
  }
}

}  // namespace

AuditResult<std::optional<TrailEnd>> FindTrailEnd(const std::filesystem::path& directory, BytesView public_key,
                                                  const std::filesystem::path& outside_file) {
  SYMBOLON_TRY(const auto head, ReadCheckpoint(directory / kHeadFile, public_key));
  SYMBOLON_TRY(auto names, ListFiles(directory));
  std::optional<TrailEnd> found;
  if (!names.empty()) {
    SYMBOLON_TRY(found, ReadLastFile(directory / names.back(), head));
    if (!found) {
      // A crash while it was begun: the one before has the last good line.
      const std::filesystem::path file = directory / names.back();
      std::error_code error;
      std::filesystem::rename(file, file.string() + ".torn", error);
      if (error) return Err(AuditError{fmt::format("cannot rename {}: {}", file.string(), error.message())});
      names.pop_back();
      if (!names.empty()) {
        SYMBOLON_TRY(found, ReadLastFile(directory / names.back(), head));
        if (!found) {
          return Err(AuditError{fmt::format("{} is no file of an audit trail", (directory / names.back()).string())});
        }
      }
    }
  }
  const std::uint64_t end = found ? found->end.sequence : 0;
  if (head && head->sequence > end) {
    return Err(
        AuditError{fmt::format("the trail in {} ends at line {}, and line {} was signed: see `symbolon audit verify`",
                               directory.string(), end, head->sequence)});
  }
  if (found && found->header.public_key != public_key) {
    return Err(AuditError{fmt::format("the trail in {} is signed by another key", directory.string())});
  }
  if (outside_file.empty()) return found;
  SYMBOLON_TRY(const auto outside, ReadCheckpoint(outside_file, public_key));
  SYMBOLON_TRY(const bool is_there, outside ? Contains(directory, names, *outside) : AuditResult<bool>(true));
  if (!is_there) {
    return Err(AuditError{fmt::format(
        "the trail in {} is not the one that {} knows, or an earlier one: line {} was signed. See `symbolon "
        "audit verify`; to begin a new trail, move that file away as well",
        directory.string(), outside_file.string(), outside->sequence)});
  }
  return found;
}

}  // namespace symbolon::audit::internal
