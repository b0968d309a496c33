#include "cognito/urls.h"

#include <algorithm>

namespace symbolon::cognito {

bool IsThisMachine(std::string_view authority) {
  for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
    if (!authority.starts_with(host)) continue;
    const std::string_view rest = authority.substr(host.size());
    const bool is_port =
        rest.starts_with(':') && std::ranges::all_of(rest.substr(1), [](char c) { return c >= '0' && c <= '9'; });
    if (rest.empty() || is_port) return true;
  }
  return false;
}

std::string_view AuthorityOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view rest = url.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

}  // namespace symbolon::cognito
