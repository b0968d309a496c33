#include "cli/certificates.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>
#include <system_error>

#include "cli/files.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

struct Issued {
  Certificate certificate;
  Key key;
};

constexpr int kVersion3 = 2;  // as X.509 counts
constexpr long kDayS = 24L * 60 * 60;
constexpr long kLifeS = 3650 * kDayS;
constexpr long kClockSlackS = kDayS;

tl::unexpected<Failure> FailOpenSsl(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return Fail(fmt::format("certificates: cannot {}: {}", what, text.data()));
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  std::array<unsigned char, 16> octets{};
  if (RAND_bytes(octets.data(), octets.size()) != 1) return false;
  octets[0] = (octets[0] & 0x7f) | 0x40;  // positive, and always sixteen octets
  const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(BN_bin2bn(octets.data(), octets.size(), nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetName(X509* certificate, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

// Without an issuer, the certificate is an authority and signs itself.
CliResult<Issued> Issue(const std::string& common_name, const Issued* issuer) {
  Issued issued{Certificate(X509_new()), Key(EVP_EC_gen("P-256"))};
  X509* const certificate = issued.certificate.get();
  if (certificate == nullptr || issued.key == nullptr) return FailOpenSsl("make a key");
  X509* const issuer_certificate = issuer == nullptr ? certificate : issuer->certificate.get();

  bool good = X509_set_version(certificate, kVersion3) == 1 && SetSerial(certificate) &&
              SetName(certificate, common_name) &&
              X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate)) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -kClockSlackS) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), kLifeS) != nullptr &&
              X509_set_pubkey(certificate, issued.key.get()) == 1 &&
              AddExtension(certificate, issuer_certificate, NID_subject_key_identifier, "hash");
  const auto add = [&](int nid, const std::string& value) {
    good = good && AddExtension(certificate, issuer_certificate, nid, value);
  };
  if (issuer == nullptr) {
    add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add(NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add(NID_basic_constraints, "critical,CA:FALSE");
    add(NID_key_usage, "critical,digitalSignature");
    add(NID_ext_key_usage, "serverAuth,clientAuth");
    add(NID_authority_key_identifier, "keyid:always");
    add(NID_subject_alt_name, fmt::format("DNS:{},DNS:localhost,IP:{}", common_name, kLoopback));
  }
  EVP_PKEY* const signing_key = issuer == nullptr ? issued.key.get() : issuer->key.get();
  if (!good || X509_sign(certificate, signing_key, EVP_sha256()) == 0) return FailOpenSsl("make a certificate");
  return issued;
}

CliResult<void> Write(const Issued& issued, const std::filesystem::path& certificate,
                      const std::filesystem::path& key) {
  const auto text = [](const Bio& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string_view(data, static_cast<std::size_t>(size));
  };
  const Bio key_pem(BIO_new(BIO_s_secmem()));
  const Bio certificate_pem(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_pem.get(), issued.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_pem.get(), issued.certificate.get()) != 1) {
    return FailOpenSsl("write PEM");
  }
  // The certificate comes last: where it is, its key is.
  SYMBOLON_TRY_VOID(WriteFile(key, text(key_pem)));
  return WriteFile(certificate, text(certificate_pem));
}

CliResult<Issued> Read(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  const Bio certificate_pem(BIO_new_file(certificate.c_str(), "r"));
  const Bio key_pem(BIO_new_file(key.c_str(), "r"));
  if (certificate_pem == nullptr || key_pem == nullptr) return FailOpenSsl("read the authority");
  Issued issued{Certificate(PEM_read_bio_X509(certificate_pem.get(), nullptr, nullptr, nullptr)),
                Key(PEM_read_bio_PrivateKey(key_pem.get(), nullptr, nullptr, nullptr))};
  if (issued.certificate == nullptr || issued.key == nullptr) return FailOpenSsl("read the authority");
  return issued;
}

}  // namespace

CertificateFiles CertificateFilesOf(const std::filesystem::path& folder, const Region& name) {
  return {folder / "ca.crt", folder / fmt::format("{}.crt", name.value()),
          folder / fmt::format("{}.key", name.value())};
}

CliResult<void> MakeCertificates(const std::filesystem::path& folder, const std::vector<Region>& regions) {
  SYMBOLON_TRY_VOID(MakeFolder(folder));
  std::error_code error;
  const std::filesystem::path ca = folder / "ca.crt";
  const std::filesystem::path ca_key = folder / "ca.key";
  if (!std::filesystem::exists(ca, error)) {
    SYMBOLON_TRY(const Issued authority, Issue("Symbolon lab", nullptr));
    SYMBOLON_TRY_VOID(Write(authority, ca, ca_key));
  }
  SYMBOLON_TRY(const Issued authority, Read(ca, ca_key));
  for (const Region& region : regions) {
    const CertificateFiles files = CertificateFilesOf(folder, region);
    if (std::filesystem::exists(files.certificate, error)) continue;
    SYMBOLON_TRY(const Issued issued, Issue(region.value(), &authority));
    SYMBOLON_TRY_VOID(Write(issued, files.certificate, files.key));
  }
  return {};
}

}  // namespace symbolon::cli
