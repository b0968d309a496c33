// URLs that administrators name. Pure.
#pragma once

#include <string_view>

namespace symbolon::cognito {

// "localhost", "127.0.0.1", "[::1]", perhaps with a port: host names that begin so are others'.
bool IsThisMachine(std::string_view authority);
// What follows "scheme://", up to the path.
std::string_view AuthorityOf(std::string_view url);

}  // namespace symbolon::cognito
