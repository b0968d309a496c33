// The forms under which names and values are looked up. Pure and thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace symbolon::directory {

// Unicode case folding after NFC (Unicode chapter 3.13), of valid UTF-8: what case-insensitive names are equal under.
std::string FoldCase(std::string_view text);

}  // namespace symbolon::directory
