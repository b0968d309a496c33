// `symbolon keys shred`, `symbolon keys certificate`, `symbolon certificate verify` (docs/keys.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/failure.h"
#include "cli/keys.h"

namespace symbolon::cli {

struct ShreddingFlags {
  // Do not ask for the pool's id on the terminal.
  bool yes = false;
  // Of a pool that is locked, whose deletion protection cannot be read.
  bool although_locked = false;
  // Where the certificate is written; empty: the standard output.
  std::filesystem::path out;
};
// Asks for the pool's id, unless `yes`; begins; waits until every Region has confirmed, unless `keys.detach`; writes
// the certificate, also one that is pending. Fails when it is not final at the end of a wait of a minute.
CliResult<void> ShredPool(const KeysFlags& keys, const ShreddingFlags& flags, Clock& clock);
// Writes the certificate as it is now, and says on the standard error whether it is final.
CliResult<void> FetchCertificate(const KeysFlags& keys, const ShreddingFlags& flags, Clock& clock);

struct CertificateFlags {
  std::filesystem::path file;
  // Public keys of Regions: base64, or files that hold it.
  std::vector<std::string> keys;
};
// Prints what the certificate says. Fails when it is not genuine (1), and when it is and not final (3).
CliResult<void> VerifyCertificate(const CertificateFlags& flags);

// ---- pure ----

// A line for each Region. Fails when the text is no answer of ShredUserPool or DescribeShredding.
struct ShreddingProgress {
  bool final = false;
  // A Region is gone for good, and has not confirmed.
  bool removed = false;
  std::string text;
  std::string certificate;
};
CliResult<ShreddingProgress> ViewShredding(std::string_view json);
// What a certificate says, in words, with what is wrong with it.
CliResult<std::string> DescribeCertificate(std::string_view text, const std::vector<Bytes>& keys);

}  // namespace symbolon::cli
