#include "cli/certificates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "cli/files.h"
#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate Load(const std::filesystem::path& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), &std::fclose);
  return {PEM_read_X509(file.get(), nullptr, nullptr, nullptr), &X509_free};
}

// X509_V_OK when `authority` vouches for `certificate` as a peer of kind `purpose`.
int Verify(X509* certificate, X509* authority, int purpose) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), &X509_STORE_free);
  X509_STORE_add_cert(store.get(), authority);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                &X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context.get()), X509_V_FLAG_X509_STRICT);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

TEST(CertificatesTest, AuthorityVouchesForEachRegionAsServerAndAsClient) {
  const TestFolder folder;
  const Region region("eu-central-1");
  ASSERT_TRUE(MakeCertificates(folder.path(), {region}));
  const CertificateFiles files = CertificateFilesOf(folder.path(), region);
  const Certificate authority = Load(files.ca);
  const Certificate certificate = Load(files.certificate);
  EXPECT_EQ(Verify(certificate.get(), authority.get(), X509_PURPOSE_SSL_SERVER), X509_V_OK);
  EXPECT_EQ(Verify(certificate.get(), authority.get(), X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  EXPECT_EQ(X509_check_host(certificate.get(), "eu-central-1", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "us-east-1", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
}

TEST(CertificatesTest, RegionThatIsAddedLaterGetsOneOfTheSameAuthority) {
  const TestFolder folder;
  ASSERT_TRUE(MakeCertificates(folder.path(), {Region("eu-central-1")}));
  ASSERT_TRUE(MakeCertificates(folder.path(), {Region("eu-central-1"), Region("us-east-1")}));
  const CertificateFiles files = CertificateFilesOf(folder.path(), Region("us-east-1"));
  EXPECT_EQ(Verify(Load(files.certificate).get(), Load(files.ca).get(), X509_PURPOSE_SSL_SERVER), X509_V_OK);
}

TEST(CertificatesTest, DamagedAuthorityIsReported) {
  const TestFolder folder;
  ASSERT_TRUE(WriteFile(folder.path() / "ca.crt", "nonsense"));
  ASSERT_TRUE(WriteFile(folder.path() / "ca.key", "nonsense"));
  EXPECT_FALSE(MakeCertificates(folder.path(), {Region("eu-central-1")}));
}

}  // namespace
}  // namespace symbolon::cli
