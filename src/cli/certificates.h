// The lab's own certificate authority, for the mutual TLS between Regions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/ids.h"
#include "cli/failure.h"

namespace symbolon::cli {

struct CertificateFiles {
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
};

// Where MakeCertificates puts what Region `name` uses.
CertificateFiles CertificateFilesOf(const std::filesystem::path& folder, const Region& name);

// Makes what is missing under `folder` and keeps what is there: an authority (ECDSA P-256, ten years) and for each
// Region a key and a certificate, for server and client, with the Region's name and this machine's loopback as subject
// alternative names (RFC 5280 §4.2.1.6). Not thread-safe for one folder.
CliResult<void> MakeCertificates(const std::filesystem::path& folder, const std::vector<Region>& regions);

}  // namespace symbolon::cli
