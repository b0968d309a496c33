#include "cli/live_view.h"

#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

TEST(LiveViewTest, SecondTextTakesThePlaceOfTheFirst) {
  LiveView view;
  EXPECT_EQ(view.Draw("one\ntwo\n", 24, 80), "\r\x1b[Jone\ntwo\n");
  EXPECT_EQ(view.Draw("three\n", 24, 80), "\x1b[2A\r\x1b[Jthree\n");
  EXPECT_EQ(view.Draw("", 24, 80), "\x1b[1A\r\x1b[J");
  EXPECT_EQ(view.Draw("four", 24, 80), "\r\x1b[Jfour\n");
}

TEST(LiveViewTest, WhatDoesNotFitIsCut) {
  LiveView view;
  EXPECT_EQ(view.Draw("1\n2\n3\n4\n5\n", 4, 80), "\r\x1b[J1\n2\n... and 3 more lines\n");
}

TEST(LiveViewTest, LongLinesAreBroken_AndCountedSo) {
  LiveView view;
  EXPECT_EQ(view.Draw("12345\n67\n", 24, 3), "\r\x1b[J123\n45\n67\n");
  EXPECT_EQ(view.Draw("  one two  three", 24, 13), "\x1b[3A\r\x1b[J  one two \n      three\n");
  EXPECT_EQ(view.Draw("  onetwothreefour five", 24, 13), "\x1b[2A\r\x1b[J  onetwothree\n      four\n      five\n");
  EXPECT_EQ(view.Draw("0123456789 12", 24, 13), "\x1b[3A\r\x1b[J0123456789 12\n");
}

}  // namespace
}  // namespace symbolon::cli
