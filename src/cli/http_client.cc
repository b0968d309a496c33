#include "cli/http_client.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace symbolon::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Request = http::request<http::string_body>;

constexpr std::string_view kPlainScheme = "http://", kTlsScheme = "https://";
constexpr std::uint16_t kPlainPort = 80, kTlsPort = 443;

std::string CaFileOf(const HttpServer& server) {
  if (!server.ca_file.empty()) return server.ca_file.string();
  const char* bundle = std::getenv("AWS_CA_BUNDLE");
  return bundle == nullptr ? "" : bundle;
}

// Verification fails unless the certificate is for this host.
bool ExpectHost(SSL* connection, const std::string& host) {
  boost::system::error_code no_address;
  asio::ip::make_address(host, no_address);
  X509_VERIFY_PARAM* const expected = SSL_get0_param(connection);
  if (!no_address) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(connection, host.c_str()) == 1;
}

}  // namespace

// Each exchange is a chain of callbacks on an io_context of its own.
class HttpConnection::Impl {
 public:
  explicit Impl(HttpServer server) : server_(std::move(server)) {}

  CliResult<HttpAnswer> Exchange(Request request, std::chrono::milliseconds timeout) {
    request_ = std::move(request);
    request_.version(11);
    request_.set(http::field::host, HostHeader(server_));
    request_.prepare_payload();
    parser_.emplace();
    parser_->body_limit(kHttpAnswerMaxBytes);
    error_ = {};
    why_.clear();
    context_.restart();
    if (stream_) {
      Write();
    } else {
      if (server_.tls) SYMBOLON_TRY_VOID(Trust());
      Connect();
    }
    context_.run_for(timeout);
    if (!context_.stopped()) error_ = asio::error::timed_out;
    if (error_) {
      const std::string target(request_.target());
      Close();
      return Fail(fmt::format("{}{}{}: {}", server_.tls ? kTlsScheme : "", HostHeader(server_), target,
                              why_.empty() ? error_.message() : why_));
    }
    if (!parser_->keep_alive()) Close();
    return HttpAnswer{static_cast<int>(parser_->get().result_int()), std::move(parser_->get().body())};
  }

 private:
  // Says whose certificates are accepted.
  CliResult<void> Trust() {
    if (trust_) return {};
    asio::ssl::context trust(asio::ssl::context::tls_client);
    trust.set_verify_mode(asio::ssl::verify_peer);
    const std::string ca_file = CaFileOf(server_);
    boost::system::error_code error;
    if (ca_file.empty()) {
      trust.set_default_verify_paths(error);
    } else {
      trust.load_verify_file(ca_file, error);
    }
    if (error) return Fail(fmt::format("no certificates can be read from {}: {}", ca_file, error.message()));
    SYMBOLON_CHECK(SSL_CTX_set_min_proto_version(trust.native_handle(), TLS1_2_VERSION) == 1);
    trust_ = std::move(trust);
    return {};
  }
  void Connect() {
    stream_.emplace(context_);
    resolver_.emplace(context_);
    resolver_->async_resolve(
        server_.host, std::to_string(server_.port), [this](boost::system::error_code error, const auto& addresses) {
          if (Failed(error)) return;
          stream_->async_connect(addresses, [this](boost::system::error_code connected, const auto&) {
            if (Failed(connected)) return;
            boost::system::error_code ignored;
            stream_->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
            if (server_.tls) {
              ShakeHands();
            } else {
              Write();
            }
          });
        });
  }
  void ShakeHands() {
    tls_.emplace(*stream_, *trust_);
    if (!ExpectHost(tls_->native_handle(), server_.host)) {
      error_ = asio::error::invalid_argument;
      return;
    }
    tls_->async_handshake(asio::ssl::stream_base::client, [this](boost::system::error_code error) {
      if (!Failed(error)) return Write();
      const long verified = SSL_get_verify_result(tls_->native_handle());
      why_ = verified == X509_V_OK
                 ? "no TLS: " + error.message()
                 : fmt::format("its certificate is not accepted: {}", X509_verify_cert_error_string(verified));
    });
  }
  void Write() {
    if (tls_) {
      WriteTo(*tls_);
    } else {
      WriteTo(*stream_);
    }
  }
  template <class Layer>
  void WriteTo(Layer& layer) {
    http::async_write(layer, request_, [this, &layer](boost::system::error_code error, std::size_t) {
      if (Failed(error)) return;
      http::async_read(layer, buffer_, *parser_, [this](boost::system::error_code read, std::size_t) { Failed(read); });
    });
  }
  bool Failed(boost::system::error_code error) {
    error_ = error;
    return static_cast<bool>(error);
  }
  // What is under way ends with an error, so that nothing refers to this object any more.
  void Close() {
    const auto error = error_;
    const std::string why = why_;
    if (stream_) stream_->close();
    resolver_.reset();
    context_.restart();
    context_.run();
    tls_.reset();
    stream_.reset();
    buffer_.clear();
    error_ = error;
    why_ = why;
  }

  const HttpServer server_;
  asio::io_context context_;
  std::optional<asio::ssl::context> trust_;
  std::optional<asio::ip::tcp::resolver> resolver_;
  std::optional<beast::tcp_stream> stream_;
  // Over stream_.
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;
  beast::flat_buffer buffer_;
  Request request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  boost::system::error_code error_;
  // In better words than error_ has.
  std::string why_;
};

HttpConnection::HttpConnection(HttpServer server) : impl_(std::make_unique<Impl>(std::move(server))) {}
HttpConnection::~HttpConnection() = default;

CliResult<HttpAnswer> HttpConnection::Post(std::string_view path, const HttpHeaders& headers, std::string body,
                                           std::chrono::milliseconds timeout) {
  Request request(http::verb::post, {path.data(), path.size()}, 11, std::move(body));
  for (const auto& [name, value] : headers) request.set(name, value);
  return impl_->Exchange(std::move(request), timeout);
}

CliResult<HttpAnswer> HttpGet(const HttpServer& server, std::string_view path, std::chrono::milliseconds timeout) {
  Request request(http::verb::get, {path.data(), path.size()}, 11);
  request.set(http::field::connection, "close");
  return HttpConnection(server).impl_->Exchange(std::move(request), timeout);
}

std::string HostHeader(const HttpServer& server) {
  return server.host.find(':') == std::string::npos ? fmt::format("{}:{}", server.host, server.port)
                                                    : fmt::format("[{}]:{}", server.host, server.port);
}

CliResult<HttpServer> ParseHttpServer(std::string_view text) {
  const auto wrong = [text] { return Fail(fmt::format("\"{}\" is no HOST:PORT, and no URL of a server", text)); };
  std::string_view rest = text;
  std::uint16_t scheme_port = 0;
  HttpServer server;
  for (const auto& [scheme, port] : {std::pair(kPlainScheme, kPlainPort), std::pair(kTlsScheme, kTlsPort)}) {
    if (!text.starts_with(scheme)) continue;
    server.tls = scheme == kTlsScheme;
    scheme_port = port;
    rest.remove_prefix(scheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && !rest.ends_with(']');
  const std::string_view host = has_port ? rest.substr(0, colon) : rest;
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  server.host = in_brackets ? host.substr(1, host.size() - 2) : host;
  server.port = scheme_port;
  if (has_port) {
    const std::string_view port = rest.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), server.port);
    if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) return wrong();
  }
  const bool is_host = !server.host.empty() && server.host.find_first_of("/@?# ") == std::string::npos &&
                       (in_brackets || server.host.find(':') == std::string::npos);
  if (!is_host || server.port == 0) return wrong();
  return server;
}

}  // namespace symbolon::cli
