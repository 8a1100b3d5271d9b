#include "stage/lanczos_settings.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace ritzflow {
namespace {

constexpr int64_t kDimension = 1000, kRow = kDimension * 8;

ModeChoice chosen(const LanczosSettings& settings, int64_t rows_of_memory) {
  return choose_mode(settings, {.n = kDimension, .memory = rows_of_memory * kRow});
}

TEST(ChooseMode, AutoTakesFullWhereAllVectorsFitAndThickRestartWhereTheyDoNot) {
  const LanczosSettings settings = {.k = 5, .max_iters = 200, .reorth_mode = "auto"};
  EXPECT_TRUE(std::holds_alternative<Full>(chosen(settings, 300).mode));
  const ModeChoice restarted = chosen(settings, 100);
  ASSERT_TRUE(std::holds_alternative<ThickRestart>(restarted.mode));
  EXPECT_LE(std::get<ThickRestart>(restarted.mode).krylov_dim, 77);
  EXPECT_NE(restarted.reason.find("200 Lanczos vectors do not fit into memory, 77 do"), std::string::npos)
      << restarted.reason;
}

TEST(ChooseMode, AutoRefusesRatherThanTakeAModeThatCannotCertify) {
  EXPECT_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = "auto"}, 8), Refusal);
}

TEST(ChooseMode, ModesThatHoldAllVectorsAreRefusedWhereTheyDoNotFit) {
  for (const char* mode : {"full", "partial", "parlett_scott"}) {
    EXPECT_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = mode}, 100), Refusal) << mode;
    EXPECT_EQ(chosen({.k = 5, .max_iters = 50, .reorth_mode = mode}, 100).reason, "requested");
  }
  EXPECT_NO_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = "off"}, 10));
  EXPECT_NO_THROW(chosen({.k = 5, .max_iters = 200, .reorth_mode = "thick_restart", .krylov_dim = 20}, 100));
}

TEST(ChooseMode, KrylovDimTooSmallForKIsRefusedByName) {
  try {
    check_lanczos_settings({.k = 10, .reorth_mode = "thick_restart", .krylov_dim = 11}, kDimension);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("--krylov-dim 11 is too small for --k 10: at least 12"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow
