#include "spectrum/mode_choice.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace ritzflow::spectrum {
namespace {

constexpr int64_t kDimension = 1000, kRow = kDimension * 8;

ModeChoice chosen(const LanczosSettings& settings, int64_t rows_of_memory) {
  return choose_mode(settings, {.n = kDimension, .memory = rows_of_memory * kRow * 8 / 10});
}

TEST(ChooseMode, AutoTakesFullWhereAllVectorsFitAndThickRestartWhereTheyDoNot) {
  const LanczosSettings settings = {
      .k = 5, .max_iters = 200, .tol = 1e-8, .reorth_mode = ReorthMode::automatic};
  EXPECT_TRUE(std::holds_alternative<krylov::Full>(chosen(settings, 300).mode));
  const ModeChoice restarted = chosen(settings, 100);
  ASSERT_TRUE(std::holds_alternative<krylov::ThickRestart>(restarted.mode));
  EXPECT_LE(std::get<krylov::ThickRestart>(restarted.mode).krylov_dim, 77);
  EXPECT_NE(
      restarted.reason.find(
          "200 Lanczos vectors do not fit into memory; thick_restart with 50, enough for which largest"),
      std::string::npos)
      << restarted.reason;
}

TEST(ChooseMode, AutoGivesTheLowerEndMoreVectors) {
  const auto vectors = [](Which which) {
    const ModeChoice choice =
        chosen({.k = 5, .max_iters = 900, .which = which, .reorth_mode = ReorthMode::automatic}, 400);
    EXPECT_NE(choice.reason.find("which " + word(which)), std::string::npos) << choice.reason;
    return std::get<krylov::ThickRestart>(choice.mode).krylov_dim;
  };
  EXPECT_EQ(vectors(Which::largest), 50);
  EXPECT_EQ(vectors(Which::magnitude), 50);
  EXPECT_EQ(vectors(Which::smallest), 100);
  EXPECT_EQ(vectors(Which::both), 100);
}

TEST(ChooseMode, AutoSaysWhetherNoiseLeavesRoomForTheTolerance) {
  const LanczosSettings settings = {
      .k = 5, .max_iters = 50, .tol = 1e-6, .reorth_mode = ReorthMode::automatic};
  const auto reason = [&](double noise) {
    return choose_mode(settings, {.n = kDimension, .memory = 300 * kRow, .noise = noise}).reason;
  };
  EXPECT_NE(reason(1e-9).find("below tol 1e-06"), std::string::npos);
  EXPECT_NE(reason(1e-4).find("above tol 1e-06: no mode can"), std::string::npos);
}

// The vectors of the certificate count as well: at least 30.
TEST(ChooseMode, AutoIsRefusedOnlyWhereNoBasisFits) {
  for (int64_t rows = 10; rows < 120; ++rows) {
    const ModeContext context{.n = kDimension, .memory = rows * kRow, .certificate = true};
    LanczosSettings settings = {.k = 3, .max_iters = 100, .tol = 1e-8, .reorth_mode = ReorthMode::automatic};
    try {
      choose_mode(settings, context);
    } catch (const Refusal&) {
      settings.reorth_mode = ReorthMode::thick_restart;
      settings.krylov_dim = 5;
      EXPECT_THROW(choose_mode(settings, context), Refusal) << rows;
    }
  }
}

// 56: the least basis, 30 of the certificate, 18 that it deflates and 3 beside them.
TEST(ChooseMode, WhatARefusalAdvisesIsThenAccepted) {
  for (int64_t rows = 56; rows < 120; ++rows) {
    const ModeContext context{.n = kDimension, .memory = rows * kRow, .certificate = true};
    for (const ReorthMode mode : {ReorthMode::full, ReorthMode::thick_restart}) {
      LanczosSettings settings = {
          .k = 3, .max_iters = 300, .tol = 1e-8, .reorth_mode = mode, .krylov_dim = 90};
      try {
        choose_mode(settings, context);
      } catch (const Refusal& refusal) {
        const std::string text = refusal.what(), head = "lower it to ";
        const auto at = text.find(head);
        ASSERT_NE(at, std::string::npos) << text;
        settings.max_iters = settings.krylov_dim = std::stoll(text.substr(at + head.size()));
        EXPECT_NO_THROW(choose_mode(settings, context)) << text;
      }
    }
  }
}

TEST(ChooseMode, AutoRefusesRatherThanTakeAModeThatCannotCertify) {
  EXPECT_THROW(chosen({.k = 5, .max_iters = 200, .tol = 1e-8, .reorth_mode = ReorthMode::automatic}, 8),
               Refusal);
}

TEST(ChooseMode, ModesThatHoldAllVectorsAreRefusedWhereTheyDoNotFit) {
  for (const ReorthMode mode : {ReorthMode::full, ReorthMode::partial, ReorthMode::parlett_scott}) {
    EXPECT_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = mode}, 100), Refusal) << word(mode);
    EXPECT_EQ(chosen({.k = 5, .max_iters = 50, .reorth_mode = mode}, 100).reason, "requested");
  }
  EXPECT_NO_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = ReorthMode::off}, 10));
  EXPECT_NO_THROW(
      chosen({.k = 5, .max_iters = 200, .reorth_mode = ReorthMode::thick_restart, .krylov_dim = 20}, 100));
}

TEST(ChooseMode, KrylovDimTooSmallForKIsRefusedByName) {
  try {
    check_lanczos_settings({.k = 10, .reorth_mode = ReorthMode::thick_restart, .krylov_dim = 11}, kDimension);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("--krylov-dim 11 is too small for --k 10: at least 12"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow::spectrum
