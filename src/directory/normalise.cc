#include "directory/normalise.h"

#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "base/result.h"

namespace symbolon::directory {

std::string FoldCase(std::string_view text) {
  if (std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; })) {
    std::string folded(text);
    for (char& c : folded) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return folded;
  }
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  SYMBOLON_CHECK(U_SUCCESS(status));
  icu::UnicodeString folded = nfc->normalize(
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size()))), status);
  folded.foldCase();
  folded = nfc->normalize(folded, status);  // folding can denormalise
  SYMBOLON_CHECK(U_SUCCESS(status));
  std::string out;
  folded.toUTF8String(out);
  return out;
}

}  // namespace symbolon::directory
