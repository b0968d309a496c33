// `symbolon certificate`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/shredding.h"

namespace symbolon::cli {

void AddCertificate(CLI::App& app, Run& run) {
  CLI::App* parent = app.add_subcommand("certificate", "Certificates that data were destroyed");
  parent->require_subcommand(1);
  CLI::App* command = parent->add_subcommand("verify", "Say what a certificate says, and whether it is genuine");
  const auto flags = std::make_shared<CertificateFlags>();
  command->add_option("FILE", flags->file, "The certificate")->required();
  command
      ->add_option("--key", flags->keys,
                   "A Region's public key, or the file `public_key` of its audit trail (may be repeated); without it "
                   "those count that the certificate names")
      ->type_name("KEY");
  command->callback([flags, &run] { run = [flags] { return VerifyCertificate(*flags); }; });
}

}  // namespace symbolon::cli
