#include "audit/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <system_error>

#include "audit/reader.h"

namespace symbolon::audit {
namespace {

namespace json = boost::json;

std::optional<json::object> ObjectOf(const Line& line) {
  boost::system::error_code error;
  json::value body = json::parse(line.body, error);
  if (error || !body.is_object()) return std::nullopt;
  return std::move(body.get_object());
}

std::string TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t NumberAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

class Verifier {
 public:
  Verifier(const std::filesystem::path& directory, const VerifyOptions& options)
      : directory_(directory), options_(options) {}

  AuditResult<Verification> Run() {
    // Before the trail: whoever writes them makes the line durable there first.
    ReadHead();
    ReadOutside();
    SYMBOLON_TRY(const auto names, ListFiles(directory_));
    for (const std::string& name : names) SYMBOLON_TRY_VOID(ReadFile(name, name == names.back()));
    Conclude();
    return std::move(found_);
  }

 private:
  void Problem(std::string what) {
    if (found_.problems.size() < Verification::kProblemsMax) found_.problems.push_back(std::move(what));
  }
  void Note(std::string what) {
    if (found_.notes.size() < Verification::kProblemsMax) found_.notes.push_back(std::move(what));
  }

  // A checkpoint that is kept in a file of its own.
  struct Kept {
    std::string file;
    std::string text;
    std::optional<Line> line;
    bool is_in_trail = false;
  };

  // False: there is no such file.
  bool ReadKept(const std::filesystem::path& file, Kept& kept) {
    auto reader = FileReader::Open(file);
    const auto text = reader ? reader->Next() : AuditResult<std::optional<FileReader::Text>>(std::nullopt);
    if (!text || !*text) return false;
    kept.file = file.string();
    kept.text = (*text)->text;
    kept.line = ParseLine(kept.text);
    if (!kept.line || kept.line->kind != LineKind::kCheckpoint || !(*text)->complete) {
      kept.line.reset();
      Problem(fmt::format("{} holds no checkpoint", kept.file));
    }
    return true;
  }

  void ReadHead() {
    if (ReadKept(directory_ / kHeadFile, head_)) return;
    Problem(fmt::format("{} is missing: nothing says how far the trail goes", (directory_ / kHeadFile).string()));
  }

  void ReadOutside() {
    if (!options_.outside_file.empty() && ReadKept(options_.outside_file, outside_)) return;
    Note("no checkpoint outside the trail's folder was compared: it would show an earlier trail in this one's place");
  }

  AuditResult<void> ReadFile(const std::string& name, bool is_last) {
    SYMBOLON_TRY(auto reader, FileReader::Open(directory_ / name));
    ++found_.files;
    bool first = true;
    while (true) {
      SYMBOLON_TRY(const auto text, reader.Next());
      if (!text) break;
      if (!text->complete) {
        const std::string what = fmt::format("{} ends within a line, at octet {}", name, text->offset_bytes);
        if (is_last) {
          Note(what + ": it is being written, or a crash left it so");
        } else {
          Problem(what);
          resynchronise_ = true;
        }
        break;
      }
      ReadLine(name, *text, std::exchange(first, false));
    }
    if (first) Problem(fmt::format("{} has no whole line", name));
    previous_file_ = name;
    return {};
  }

  void ReadLine(const std::string& name, const FileReader::Text& text, bool first_of_file) {
    const auto line = ParseLine(text.text);
    if (!line) {
      Problem(fmt::format("{}, octet {}: no line of an audit trail", name, text.offset_bytes));
      resynchronise_ = true;
      return;
    }
    CheckPlace(name, *line);
    found_.end = EndWith(*line, text.text);
    ++found_.lines;
    if (first_of_file != (line->kind == LineKind::kFile)) {
      Problem(fmt::format("{}, line {}: a file begins with the line that names it, and has one of them", name,
                          line->sequence));
    }
    CheckBody(name, *line);
    CheckSeen();
  }

  // Follows the line before.
  void CheckPlace(const std::string& name, const Line& line) {
    if (found_.lines == 0) {
      found_.first_sequence = line.sequence;
      if (line.sequence == 1 && line.previous == ChainEnd().hash) return;
      if (!options_.earlier_files_elsewhere) {
        Problem(fmt::format("{} begins with line {}: what was before is missing", name, line.sequence));
      }
      return;
    }
    if (std::exchange(resynchronise_, false)) return;
    if (line.sequence != found_.end.sequence + 1) {
      Problem(fmt::format("{}: line {} comes after line {}: lines are missing or in another order", name, line.sequence,
                          found_.end.sequence));
    } else if (line.previous != found_.end.hash) {
      Problem(fmt::format("{}: line {} does not follow from line {} as it is: that one was altered", name,
                          line.sequence, found_.end.sequence));
    }
  }

  void CheckBody(const std::string& name, const Line& line) {
    const auto body = ObjectOf(line);
    if (!body) return Problem(fmt::format("{}, line {}: no JSON object", name, line.sequence));
    switch (line.kind) {
      case LineKind::kFile:
        return CheckHeader(name, line);
      case LineKind::kEvent:
        ++found_.events;
        return;
      case LineKind::kCheckpoint:
        return CheckCheckpoint(name, line, *body);
      case LineKind::kRecovery:
        return Note(fmt::format("{}, line {}: a crash had left {} octets without a line end, kept in {}", name,
                                line.sequence, NumberAt(*body, "octets"), TextAt(*body, "keptIn")));
      case LineKind::kWitness:
        found_.witnesses.push_back(
            {.region = TextAt(*body, "region"),
             .chain = TextAt(*body, "chain"),
             .end = {NumberAt(*body, "sequence"), HexDecode(TextAt(*body, "hash")).value_or(Bytes())},
             .public_key = TextAt(*body, "publicKey")});
        return;
    }
  }

  void CheckHeader(const std::string& name, const Line& line) {
    auto header = ParseFileHeader(line);
    if (!header)
      return Problem(fmt::format("{}, line {}: a format that this version does not know", name, line.sequence));
    if (header->name != name) Problem(fmt::format("{} says that it is {}", name, header->name));
    if (FileName(line.sequence) != header->name) {
      Problem(fmt::format("{} begins with line {}, which is not what its name says", name, line.sequence));
    }
    if (found_.chain.empty()) {
      found_.chain = header->chain;
      found_.region = header->region;
      found_.public_key = header->public_key;
      if (options_.public_key && *options_.public_key != header->public_key) {
        Problem(fmt::format("{} is signed by the key {}, which is not the one that was given", name,
                            Base64Encode(header->public_key)));
      }
      return;
    }
    if (header->previous_file != previous_file_) {
      Problem(fmt::format("{} comes after {}, and is there after {}", name, header->previous_file, previous_file_));
    }
    if (header->chain != found_.chain || header->region != found_.region || header->public_key != found_.public_key) {
      Problem(fmt::format("{} is of another trail, Region or key than the files before", name));
    }
  }

  const Bytes& Key() const { return options_.public_key ? *options_.public_key : found_.public_key; }

  void CheckCheckpoint(const std::string& name, const Line& line, const json::object& body) {
    ++found_.checkpoints;
    if (!HasGoodSignature(line, Key())) {
      return Problem(fmt::format("{}, line {}: the checkpoint's signature is not good", name, line.sequence));
    }
    found_.signed_sequence = line.sequence;
    const std::uint64_t lost = NumberAt(body, "lost");
    if (lost > 0) Note(fmt::format("{}, line {}: {} events before it could not be kept", name, line.sequence, lost));
  }

  // What others, and the head, have at this line.
  void CheckSeen() {
    for (Kept* const kept : {&head_, &outside_}) {
      if (!kept->line || kept->line->sequence != found_.end.sequence) continue;
      kept->is_in_trail = true;
      if (EndWith(*kept->line, kept->text) != found_.end) {
        Problem(
            fmt::format("line {} is another one than the newest checkpoint in {}", found_.end.sequence, kept->file));
      }
    }
    SortWitnesses();
    const auto seen = std::ranges::equal_range(seen_, found_.end.sequence, {}, &ChainEnd::sequence);
    if (std::ranges::any_of(seen, [&](const ChainEnd& end) { return end.hash != found_.end.hash; })) {
      Problem(fmt::format("line {} is another one than another Region's trail has seen", found_.end.sequence));
    }
  }

  // Those of this trail, as soon as it is known which one it is.
  void SortWitnesses() {
    if (found_.chain.empty() || std::exchange(sorted_, true)) return;
    for (const Witness& witness : options_.witnesses) {
      if (witness.region == found_.region && witness.chain == found_.chain) seen_.push_back(witness.end);
    }
    std::ranges::sort(seen_, {}, &ChainEnd::sequence);
  }

  void Conclude() {
    if (found_.lines == 0) return Problem(fmt::format("there is no audit trail in {}", directory_.string()));
    for (const Kept* const kept : {&head_, &outside_}) {
      if (!kept->line) continue;
      const bool is_elsewhere = options_.earlier_files_elsewhere && kept->line->sequence < found_.first_sequence;
      if (!kept->is_in_trail && !is_elsewhere) {
        Problem(fmt::format("line {}, the newest checkpoint in {}, is not in the trail: its end is missing",
                            kept->line->sequence, kept->file));
      }
      if (!HasGoodSignature(*kept->line, Key())) {
        Problem(fmt::format("the signature of the checkpoint in {} is not good", kept->file));
      }
    }
    if (found_.signed_sequence == 0) Problem("nothing of the trail is signed");
    if (found_.end.sequence > found_.signed_sequence) {
      Note(fmt::format("{} lines after the last checkpoint are chained and not signed yet",
                       found_.end.sequence - found_.signed_sequence));
    }
    if (!options_.public_key) {
      Note(fmt::format("the public key {} is the one that the trail itself names", Base64Encode(found_.public_key)));
    }
    const std::string public_key = Base64Encode(found_.public_key);
    const bool is_another = std::ranges::any_of(options_.witnesses, [&](const Witness& witness) {
      return witness.region == found_.region && (witness.chain != found_.chain || witness.public_key != public_key);
    });
    if (is_another) {
      Problem("another Region has seen a trail of this Region that is not this one, or was signed by another key");
    }
    if (!seen_.empty() && seen_.back().sequence > found_.end.sequence) {
      Problem(fmt::format("another Region has seen line {}; this trail ends with line {}", seen_.back().sequence,
                          found_.end.sequence));
    }
  }

  const std::filesystem::path& directory_;
  const VerifyOptions& options_;
  Verification found_;
  std::string previous_file_;
  Kept head_;
  Kept outside_;
  // What others have seen of this trail, ascending.
  std::vector<ChainEnd> seen_;
  bool sorted_ = false;
  // The line before could not be read.
  bool resynchronise_ = false;
};

}  // namespace

AuditResult<Verification> VerifyTrail(const std::filesystem::path& directory, const VerifyOptions& options) {
  return Verifier(directory, options).Run();
}

}  // namespace symbolon::audit
