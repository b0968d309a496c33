#include "keys/aws_kms/https.h"

#include <curl/curl.h>
#include <fmt/format.h>

namespace symbolon::keys::aws_kms {
namespace {

// `answer` has room for the largest answer from the start, so that no copies of it are left behind.
std::size_t Append(char* data, std::size_t, std::size_t size, void* answer) {
  Bytes& bytes = *static_cast<Bytes*>(answer);
  if (bytes.size() + size > Https::kAnswerBytesMax) return 0;
  bytes.append(data, size);
  return size;
}

class HeaderList {
 public:
  explicit HeaderList(const std::vector<std::string>& headers) {
    for (const std::string& header : headers) {
      curl_slist* const longer = curl_slist_append(list_, header.c_str());
      SYMBOLON_CHECK(longer != nullptr);
      list_ = longer;
    }
  }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list_); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

struct Https::Connection {
  Connection() : handle(curl_easy_init()) { SYMBOLON_CHECK(handle != nullptr); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { curl_easy_cleanup(handle); }

  template <class Value>
  void Set(CURLoption option, Value value) {
    SYMBOLON_CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK);
  }

  CURL* const handle;
  char error[CURL_ERROR_SIZE] = {};
};

Https::Https(std::string url, std::filesystem::path ca_file) : url_(std::move(url)), ca_file_(std::move(ca_file)) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  SYMBOLON_CHECK(initialised == CURLE_OK);
}

Https::~Https() = default;

std::unique_ptr<Https::Connection> Https::Take() {
  {
    std::lock_guard guard(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  auto connection = std::make_unique<Connection>();
  connection->Set(CURLOPT_URL, url_.c_str());
  connection->Set(CURLOPT_PROTOCOLS_STR, "http,https");
  connection->Set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  connection->Set(CURLOPT_SSL_VERIFYPEER, 1L);
  connection->Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file_.empty()) connection->Set(CURLOPT_CAINFO, ca_file_.c_str());
  connection->Set(CURLOPT_FOLLOWLOCATION, 0L);
  connection->Set(CURLOPT_NOSIGNAL, 1L);
  connection->Set(CURLOPT_TCP_KEEPALIVE, 1L);
  connection->Set(CURLOPT_WRITEFUNCTION, &Append);
  connection->Set(CURLOPT_ERRORBUFFER, connection->error);
  return connection;
}

void Https::Keep(std::unique_ptr<Connection> connection) {
  std::lock_guard guard(mutex_);
  if (idle_.size() < kIdleConnectionsMax) idle_.push_back(std::move(connection));
}

Result<HttpsAnswer, std::string> Https::Post(const std::vector<std::string>& headers, BytesView body,
                                             std::chrono::milliseconds timeout) {
  std::unique_ptr<Connection> connection = Take();
  const HeaderList list(headers);
  Bytes answer;
  answer.reserve(kAnswerBytesMax);
  connection->error[0] = '\0';
  connection->Set(CURLOPT_HTTPHEADER, list.get());
  connection->Set(CURLOPT_POSTFIELDS, body.data());
  connection->Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  connection->Set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  connection->Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout.count()));
  connection->Set(CURLOPT_WRITEDATA, &answer);
  const CURLcode done = curl_easy_perform(connection->handle);
  if (done != CURLE_OK) {
    Wipe(answer.data(), answer.size());
    const std::string why = connection->error[0] != '\0' ? connection->error : curl_easy_strerror(done);
    return Err(fmt::format("{}: {}", url_, why));
  }
  long status = 0;
  SYMBOLON_CHECK(curl_easy_getinfo(connection->handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
  Keep(std::move(connection));
  return HttpsAnswer{.status = static_cast<int>(status), .body = Secret(std::move(answer))};
}

}  // namespace symbolon::keys::aws_kms
