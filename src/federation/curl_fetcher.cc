#include "federation/curl_fetcher.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>

namespace symbolon::federation {
namespace {

struct Exchange {
  bool allow_loopback = false;
  bool address_refused = false;
  bool too_large = false;
  Bytes answer;
};

bool IsLinkLocal(const in_addr& address) { return (ntohl(address.s_addr) >> 16) == 0xa9fe; }  // 169.254/16
bool IsLoopback(const in_addr& address) {
  const std::uint32_t octets = ntohl(address.s_addr);
  return (octets >> 24) == 127 || (octets >> 24) == 0;
}

// Whether a pool may have us talk to this address.
bool MayTalkTo(const sockaddr* address, bool allow_loopback) {
  if (address->sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    return !IsLinkLocal(v4) && (allow_loopback || !IsLoopback(v4));
  }
  if (address->sa_family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_MULTICAST(&v6)) return false;
  if (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6)) return allow_loopback;
  if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6)) {
    in_addr v4{};
    std::memcpy(&v4, &v6.s6_addr[12], sizeof v4);
    return !IsLinkLocal(v4) && (allow_loopback || !IsLoopback(v4));
  }
  return true;
}

curl_socket_t OpenSocket(void* exchange, curlsocktype purpose, curl_sockaddr* address) {
  auto& state = *static_cast<Exchange*>(exchange);
  if (purpose != CURLSOCKTYPE_IPCXN || !MayTalkTo(&address->addr, state.allow_loopback)) {
    state.address_refused = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Append(char* data, std::size_t, std::size_t size, void* exchange) {
  auto& state = *static_cast<Exchange*>(exchange);
  if (state.answer.size() + size > CurlFetcher::kAnswerBytesMax) {
    state.too_large = true;
    return 0;
  }
  state.answer.append(data, size);
  return size;
}

class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list_); }
  void Add(const std::string& header) {
    curl_slist* const longer = curl_slist_append(list_, header.c_str());
    SYMBOLON_CHECK(longer != nullptr);
    list_ = longer;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

auto Fail(FetchError::Code code, std::string detail) {
  return Err(FetchError{.code = code, .detail = std::move(detail)});
}

}  // namespace

CurlFetcher::CurlFetcher(Options options) : options_(std::move(options)) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  SYMBOLON_CHECK(initialised == CURLE_OK);
}

Result<FetchAnswer, FetchError> CurlFetcher::Fetch(const FetchRequest& request) {
  if (request.url.size() > kUrlBytesMax) return Fail(FetchError::Code::kRefused, "the URL is too long");
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), &curl_easy_cleanup);
  SYMBOLON_CHECK(curl != nullptr);
  const auto set = [&](CURLoption option, auto value) {
    SYMBOLON_CHECK(curl_easy_setopt(curl.get(), option, value) == CURLE_OK);
  };
  Exchange exchange{.allow_loopback = options_.allow_loopback, .answer = {}};
  HeaderList headers;
  headers.Add("Accept: application/json");
  if (!request.bearer.empty()) headers.Add("Authorization: Bearer " + request.bearer);
  char error[CURL_ERROR_SIZE] = {};
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, options_.allow_loopback ? "http,https" : "https");
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  set(CURLOPT_OPENSOCKETDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, &Append);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_ERRORBUFFER, error);
  if (request.form) {
    set(CURLOPT_POSTFIELDS, request.form->data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.form->size()));
  }
  set(CURLOPT_HTTPHEADER, headers.get());

  const CURLcode done = curl_easy_perform(curl.get());
  if (done == CURLE_OK) {
    long status = 0;
    SYMBOLON_CHECK(curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    return FetchAnswer{.status = static_cast<int>(status), .body = std::move(exchange.answer)};
  }
  std::string why = error[0] != '\0' ? error : curl_easy_strerror(done);
  if (exchange.too_large) why = fmt::format("an answer of more than {} octets", kAnswerBytesMax);
  if (exchange.address_refused) why = "its address is closed to identity providers";
  // The query of a URL may hold what is nobody's business.
  std::string detail = fmt::format("{}: {}", request.url.substr(0, request.url.find('?')), why);
  if (exchange.address_refused || done == CURLE_UNSUPPORTED_PROTOCOL || done == CURLE_URL_MALFORMAT)
    return Fail(FetchError::Code::kRefused, std::move(detail));
  return Fail(done == CURLE_OPERATION_TIMEDOUT ? FetchError::Code::kTimeout : FetchError::Code::kFailed,
              std::move(detail));
}

}  // namespace symbolon::federation
