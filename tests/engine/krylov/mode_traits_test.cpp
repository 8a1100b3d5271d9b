#include <gtest/gtest.h>

#include "problems.h"

namespace ritzflow::krylov {
namespace {

constexpr double kRounding = 1e-13;

std::vector<Reorthogonalization> all_modes(int64_t n) {
  LanczosSettings settings = {.k = 4, .krylov_dim = 20};
  std::vector<Reorthogonalization> modes;
  for (const auto& [mode, name] : Words<ReorthMode>::all) {
    settings.reorth_mode = mode;
    if (find_traits(mode) != nullptr) modes.push_back(make_mode(settings, n, 0));
  }
  return modes;
}

Orthogonality kept(const Basis& basis) {
  const double loss = std::ranges::max(orthogonality(basis));
  if (loss <= kRounding) return Orthogonality::full;
  return loss <= 1e-7 ? Orthogonality::semi : Orthogonality::none;
}

TEST(ModeTraits, EveryNameButAutoIsAMode) {
  std::vector<std::string> names = {"auto"};
  for (const Reorthogonalization& mode : all_modes(100)) {
    names.push_back(mode_name(mode));
    EXPECT_EQ(&traits_of(mode), find_traits(traits_of(mode).mode));
  }
  std::vector<std::string> known = words<ReorthMode>();
  std::ranges::sort(names);
  std::ranges::sort(known);
  EXPECT_EQ(names, known);
  EXPECT_THROW(make_mode({.reorth_mode = ReorthMode::automatic}, 100, 0), std::logic_error);
}

TEST(ModeTraits, AreTrueOfARunThatLosesOrthogonalityWhereNothingKeepsIt) {
  const Problem problem = psd_curvature();
  const auto op = problem.make();
  for (const Reorthogonalization& mode : all_modes(op->dim())) {
    const LanczosProcess process = run_steps(*op, mode, 1, 80);
    const KrylovFactorization& f = process.factorization();
    const ModeTraits& traits = traits_of(mode);
    EXPECT_EQ(traits.keeps, kept(process.basis())) << mode_name(mode);
    EXPECT_EQ(traits.restarts, !f.spike.empty()) << mode_name(mode);
    EXPECT_EQ(traits.restarts ? 20 : 0, restart_dim(mode)) << mode_name(mode);
    const Eigen::MatrixXd h = f.H();
    const double asymmetry = (h - h.transpose()).cwiseAbs().maxCoeff() / problem.norm();
    EXPECT_EQ(traits.tridiagonal, asymmetry <= kRounding) << mode_name(mode);
  }
}

}  // namespace
}  // namespace ritzflow::krylov
