#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "http/server.h"
#include "http/test_client.h"

namespace symbolon::http {
namespace {

template <auto Free>
struct With {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, With<X509_free>>;
using File = std::unique_ptr<std::FILE, With<std::fclose>>;

// A key and a self-signed certificate of it.
void WriteIdentity(const std::string& certificate_file, const std::string& key_file) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  PEM_write_X509(File(std::fopen(certificate_file.c_str(), "w")).get(), certificate.get());
  PEM_write_PrivateKey(File(std::fopen(key_file.c_str(), "w")).get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

// A blocking TLS connection to 127.0.0.1.
class TlsClient {
 public:
  TlsClient(std::uint16_t port, int highest_version) : context_(SSL_CTX_new(TLS_client_method())) {
    // Else this client's own security level would refuse what the server shall refuse.
    SSL_CTX_set_cipher_list(context_.get(), "ALL:@SECLEVEL=0");
    SSL_CTX_set_max_proto_version(context_.get(), highest_version);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SYMBOLON_CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    connection_.reset(SSL_new(context_.get()));
    SSL_set_fd(connection_.get(), socket_);
    connected_ = SSL_connect(connection_.get()) == 1;
  }
  ~TlsClient() {
    connection_.reset();
    ::close(socket_);
  }
  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(connection_.get()); }
  void Send(std::string_view text) { SSL_write(connection_.get(), text.data(), static_cast<int>(text.size())); }
  // All that comes until the server says that it ends, or "" if it ends without saying so.
  std::string ReceiveToEnd() {
    std::string all;
    char buffer[4096];
    int count;
    while ((count = SSL_read(connection_.get(), buffer, sizeof(buffer))) > 0) all.append(buffer, buffer + count);
    return SSL_get_error(connection_.get(), count) == SSL_ERROR_ZERO_RETURN ? all : "";
  }

 private:
  std::unique_ptr<SSL_CTX, With<SSL_CTX_free>> context_;
  int socket_;
  std::unique_ptr<SSL, With<SSL_free>> connection_;
  bool connected_ = false;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string certificate = folder_.path() / "certificate.pem", key = folder_.path() / "key.pem";
    WriteIdentity(certificate, key);
    ListenerOptions options;
    options.handler = [](Request request) -> boost::asio::awaitable<Response> {
      co_return Response{.body = request.method + " " + request.target + " " + request.body};
    };
    options.tls = TlsOptions{.certificate_file = certificate, .key_file = key};
    auto port = server_.Listen(options);
    ASSERT_TRUE(port) << port.error().message;
    port_ = *port;
    server_.Start();
  }

  TemporaryDirectory folder_;
  ManualClock clock_;
  Server server_{{.thread_count = 1, .tick = std::chrono::milliseconds(1)}, clock_};
  std::uint16_t port_ = 0;
};

TEST_F(TlsTest, RequestsOverTls12And13_AreAnsweredAndTheEndIsSaid) {
  for (const auto& [version, name] : {std::pair(TLS1_2_VERSION, "TLSv1.2"), std::pair(TLS1_3_VERSION, "TLSv1.3")}) {
    TlsClient client(port_, version);
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.version(), name);
    client.Send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy");
    client.Send("GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const std::string answers = client.ReceiveToEnd();
    EXPECT_NE(answers.find("POST /a xy"), std::string::npos);
    EXPECT_NE(answers.find("GET /b "), std::string::npos);
  }
}

TEST_F(TlsTest, OlderVersion_IsRefused) {
  EXPECT_FALSE(TlsClient(port_, TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(port_, TLS1_3_VERSION).connected());
}

TEST_F(TlsTest, RefusedRequest_TheAnswerArrives) {
  TlsClient client(port_, TLS1_3_VERSION);
  client.Send("rubbish\r\n\r\n" + std::string(10'000, 'x'));
  EXPECT_EQ(client.ReceiveToEnd().substr(0, 12), "HTTP/1.1 400");
}

TEST_F(TlsTest, NoHandshake_IsCutAfterTheHeaderTimeout) {
  TestClient silent(port_), plain(port_);
  plain.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(plain.Receive().status, 0);
  while (server_.counters().timeouts_header.load() == 0) clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(silent.ReceiveToEnd(), "");
}

TEST_F(TlsTest, KeyOfAnotherCertificate_IsRefusedAtOnce) {
  const std::string other_certificate = folder_.path() / "other.pem", other_key = folder_.path() / "other.key";
  WriteIdentity(other_certificate, other_key);
  Server server({.thread_count = 1}, clock_);
  ListenerOptions options;
  options.handler = [](Request) -> boost::asio::awaitable<Response> { co_return Response{}; };
  options.tls = TlsOptions{.certificate_file = folder_.path() / "certificate.pem", .key_file = other_key};
  const auto port = server.Listen(options);
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().message.find(other_key), std::string::npos);
}

}  // namespace
}  // namespace symbolon::http
