// `symbolon users erase` and `symbolon users erasure` (docs/erasure.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/keys.h"

namespace symbolon::cli {

struct ErasureFlags {
  // A user name, alias or sub; with `already_deleted` the sub.
  std::string username;
  bool already_deleted = false;
  // Of erasure; empty: those of the pool are listed.
  std::string id;
  // Where the certificate is written; empty: the standard output.
  std::filesystem::path out;
};
// Begins; waits until every Region has erased the user, unless `keys.detach`; writes the certificate. Fails (3) when it
// is not final after a minute.
CliResult<void> EraseUser(const KeysFlags& keys, const ErasureFlags& flags, Clock& clock);
// How far an erasure is, with its certificate if it is final; without an id, a line for each of the pool.
CliResult<void> ShowErasure(const KeysFlags& keys, const ErasureFlags& flags, Clock& clock);

// ---- pure ----

struct ErasureView {
  std::string id;
  bool final = false;
  // A line for the erasure, and one for each Region.
  std::string text;
  std::string certificate;
};
// Fails when the text is no answer of EraseUser or DescribeErasure.
CliResult<ErasureView> ViewErasure(std::string_view json);
// A line for each, of the answer of ListErasures; `after`: where the next page begins, empty at the end.
struct ErasureList {
  std::string text;
  std::string after;
};
CliResult<ErasureList> ViewErasures(std::string_view json);

}  // namespace symbolon::cli
