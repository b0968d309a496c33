#include "audit/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/reader.h"
#include "audit/test_support.h"

namespace symbolon::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A small trail of three files, and everything that can be done to it.
class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    test_.options.file_bytes_max = 1'500;
    const auto trail = test_.Open();
    while (ListFiles(test_.directory)->size() < 3) {
      SYMBOLON_CHECK(trail->Record(test_.Use("Encrypt")));
      test_.clock.Advance(std::chrono::seconds(1));
    }
    SYMBOLON_CHECK(trail->RecordWitness(Region("us-east-1"), {.chain = "c", .end = {1, Bytes(32, 'h')}}));
  }

  void SetUp() override {
    names_ = ListFiles(test_.directory).value();
    ASSERT_EQ(names_.size(), 3U);
    for (const std::string& name : names_) contents_.push_back(ReadAll(test_.directory / name));
    ASSERT_THAT(Problems(), IsEmpty());
  }

  std::vector<std::string> Problems(VerifyOptions options = {}) {
    if (!options.public_key) options.public_key = test_.key.PublicKey();
    return VerifyTrail(test_.directory, options).value().problems;
  }
  // Detected, and all is well when it is undone.
  void ExpectDetected(std::size_t file, const std::string& content, const std::string& what) {
    WriteAll(test_.directory / names_[file], content);
    EXPECT_FALSE(Problems().empty()) << names_[file] << ": " << what;
    WriteAll(test_.directory / names_[file], contents_[file]);
  }
  std::vector<std::string> LinesOf(std::size_t file) const {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < contents_[file].size();) {
      const std::size_t end = contents_[file].find('\n', at) + 1;
      lines.push_back(contents_[file].substr(at, end - at));
      at = end;
    }
    return lines;
  }
  // Of every line the beginning (its number, what it names of the one before), the end, and each seventeenth octet.
  std::vector<std::size_t> Places(std::size_t file) const {
    std::vector<std::size_t> places;
    std::size_t line = 0;
    for (std::size_t octet = 0; octet < contents_[file].size(); ++octet) {
      const std::size_t end = contents_[file].find('\n', octet);
      if (octet - line < 30 || end - octet < 4 || octet % 17 == 0) places.push_back(octet);
      if (octet == end) line = octet + 1;
    }
    return places;
  }
  static std::string Join(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line;
    return text;
  }

  TestTrail test_;
  std::vector<std::string> names_;
  std::vector<std::string> contents_;
};

TEST_F(VerifyTest, OctetsAlteredInEveryLine_AreDetected) {
  for (std::size_t file = 0; file < contents_.size(); ++file) {
    for (const std::size_t octet : Places(file)) {
      std::string altered = contents_[file];
      altered[octet] ^= 1;
      ExpectDetected(file, altered, "octet " + std::to_string(octet));
    }
  }
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(VerifyTest, AnyLineMissingTwiceOrMoved_IsDetected) {
  for (std::size_t file = 0; file < contents_.size(); ++file) {
    const auto lines = LinesOf(file);
    ASSERT_GE(lines.size(), 3U);
    for (std::size_t line = 0; line < lines.size(); ++line) {
      auto without = lines;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(line));
      ExpectDetected(file, Join(without), "without line " + std::to_string(line));
      auto twice = lines;
      twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(line), lines[line]);
      ExpectDetected(file, Join(twice), "twice line " + std::to_string(line));
      for (std::size_t other = line + 1; other < lines.size(); ++other) {
        auto swapped = lines;
        std::swap(swapped[line], swapped[other]);
        ExpectDetected(file, Join(swapped), "swapped " + std::to_string(line) + " and " + std::to_string(other));
      }
    }
  }
}

TEST_F(VerifyTest, CutOffAnywhere_IsDetected) {
  for (std::size_t file = 0; file < contents_.size(); ++file) {
    for (const std::size_t size : Places(file)) {
      ExpectDetected(file, contents_[file].substr(0, size), "cut at " + std::to_string(size));
    }
  }
}

TEST_F(VerifyTest, FilesMissingOrSwapped_AreDetected) {
  for (std::size_t file = 0; file < names_.size(); ++file) {
    std::filesystem::remove(test_.directory / names_[file]);
    EXPECT_FALSE(Problems().empty()) << names_[file];
    for (std::size_t other = 0; other < names_.size(); ++other) {
      if (other != file) ExpectDetected(file, contents_[other], "holds " + names_[other]);
    }
    WriteAll(test_.directory / names_[file], contents_[file]);
  }
  // All from some file on.
  std::filesystem::remove(test_.directory / names_[2]);
  std::filesystem::remove(test_.directory / names_[1]);
  EXPECT_THAT(Problems(), Contains(HasSubstr("its end is missing")));
}

TEST_F(VerifyTest, LineWrittenAnewWithALaterChain_IsDetectedByTheSignature) {
  // Somebody without the key recomputes the whole chain.
  ChainEnd end;
  std::string forged;
  for (const std::string& text : LinesOf(0)) {
    std::string bare = text.substr(0, text.size() - 1);
    const auto line = ParseLine(bare);
    ASSERT_TRUE(line);
    std::string body(line->body);
    if (const auto at = body.find("Encrypt"); at != std::string::npos) body.replace(at, 7, "Decrypt");
    forged += (line->kind == LineKind::kCheckpoint ? FormatCheckpoint(end, body, crypto::Ed25519Key::Generate())
                                                   : FormatLine(end, line->kind, body)) +
              "\n";
  }
  WriteAll(test_.directory / names_[0], forged);
  EXPECT_THAT(Problems(), Contains(HasSubstr("signature is not good")));
}

TEST_F(VerifyTest, WholeTrailOfAnotherKey_IsDetectedByThePublicKey) {
  EXPECT_THAT(Problems({.public_key = crypto::Ed25519Key::Generate().PublicKey()}),
              Contains(HasSubstr("which is not the one that was given")));
  const auto without = VerifyTrail(test_.directory, {}).value();
  EXPECT_TRUE(without.good());
  EXPECT_THAT(without.notes, Contains(HasSubstr("is the one that the trail itself names")));
}

TEST_F(VerifyTest, HeadMissingOlderOrForeign_IsDetected) {
  const auto head = test_.directory / kHeadFile;
  const std::string content = ReadAll(head);
  std::filesystem::remove(head);
  EXPECT_THAT(Problems(), Contains(HasSubstr("is missing")));
  WriteAll(head, "{}\n");
  EXPECT_FALSE(Problems().empty());
  for (std::size_t octet = 0; octet < content.size(); ++octet) {
    std::string altered = content;
    altered[octet] ^= 1;
    WriteAll(head, altered);
    EXPECT_FALSE(Problems().empty()) << octet;
  }
  WriteAll(head, content);
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(VerifyTest, TrailTurnedBackToAnEarlierDay_IsDetectedByWhatAnotherRegionSaw) {
  const auto whole = VerifyTrail(test_.directory, {}).value();
  const Witness witness{.region = "eu-central-1",
                        .chain = whole.chain,
                        .end = whole.end,
                        .public_key = Base64Encode(test_.key.PublicKey())};
  EXPECT_THAT(Problems({.witnesses = {witness}}), IsEmpty());
  // The last file goes, and the newest checkpoint that is left is put in place of the head.
  std::filesystem::remove(test_.directory / names_[2]);
  WriteAll(test_.directory / kHeadFile, LinesOf(1).back());
  EXPECT_THAT(Problems(), IsEmpty()) << "by itself it cannot be told from a trail that ended there";
  EXPECT_THAT(Problems({.witnesses = {witness}}), Contains(HasSubstr("another Region has seen line")));
  // Another trail in its place.
  TestTrail other;
  other.Open().reset();
  const auto replaced = VerifyTrail(other.directory, {.witnesses = {witness}}).value();
  EXPECT_THAT(replaced.problems, Contains(HasSubstr("is not this one, or was signed by another key")));
}

// As many as two Regions write down in a month, and a trail of a day: each line looks at its own ones only.
TEST(VerifyLargeTest, TrailAndWitnessesOfYears_AreVerified) {
  constexpr std::uint64_t kLines = 50'000;
  constexpr std::uint64_t kWitnesses = 100'000;
  const auto key = crypto::Ed25519Key::Generate();
  const FileHeader header{.chain = "c",
                          .region = "eu-central-1",
                          .account = "000000000000",
                          .name = FileName(1),
                          .previous_file = "",
                          .public_key = key.PublicKey(),
                          .time = "2026-11-28T11:05:09Z"};
  VerifyOptions options{.public_key = key.PublicKey()};
  ChainEnd end;
  std::string text = FormatLine(end, LineKind::kFile, header.Body()) + "\n";
  const auto see = [&](const Bytes& hash) {
    options.witnesses.push_back({.region = header.region,
                                 .chain = header.chain,
                                 .end = {end.sequence, hash},
                                 .public_key = Base64Encode(key.PublicKey())});
  };
  while (end.sequence < kLines) {
    text += FormatLine(end, LineKind::kEvent, "{}") + "\n";
    for (std::uint64_t peer = 0; peer < kWitnesses / kLines; ++peer) see(end.hash);
  }
  const std::string head = FormatCheckpoint(end, "{}", key) + "\n";
  const TemporaryDirectory folder;
  WriteAll(folder.path() / FileName(1), text + head);
  WriteAll(folder.path() / kHeadFile, head);
  EXPECT_THAT(VerifyTrail(folder.path(), options).value().problems, IsEmpty());
  options.witnesses[kWitnesses / 2].end.hash[0] ^= 1;
  EXPECT_THAT(VerifyTrail(folder.path(), options).value().problems,
              ElementsAre(HasSubstr("is another one than another Region's trail has seen")));
}

TEST_F(VerifyTest, EarlierFilesKeptElsewhere_TheRestIsVerified) {
  std::filesystem::remove(test_.directory / names_[0]);
  EXPECT_FALSE(Problems().empty());
  EXPECT_THAT(Problems({.earlier_files_elsewhere = true}), IsEmpty());
  std::filesystem::remove(test_.directory / names_[1]);
  WriteAll(test_.directory / names_[0], contents_[0]);
  EXPECT_FALSE(Problems({.earlier_files_elsewhere = true}).empty()) << "a gap";
}

TEST_F(VerifyTest, NothingThere_IsNoGoodTrail) {
  TemporaryDirectory empty;
  EXPECT_FALSE(VerifyTrail(empty.path(), {}).value().good());
  EXPECT_FALSE(VerifyTrail(empty.path() / "none", {}));
}

}  // namespace
}  // namespace symbolon::audit
