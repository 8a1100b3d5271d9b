// kfac.h5 and the comparison with the Gauss-Newton matrix.
#include "curvature/kfac_file.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "curvature/frobenius.h"
#include "curvature/leading.h"
#include "kfac_problems.h"

namespace ritzflow::test {
namespace {

TEST(KfacFile, ComesBackAsItWasWritten) {
  const auto risk = language_risk(true);
  const auto factors = collect_kfac(*risk, {.plan = {.split_qkv = true, .max_factor = 3}});
  const auto path = std::filesystem::path(testing::TempDir()) / "kfac_round_trip.h5";
  write_kfac(path, factors, coverage(factors, risk->network().params()),
             {.kfac_approx = "expand",
              .fisher_type = "type2",
              .token_terms = "separate",
              .dtype_compute = "float64",
              .loss = "cross_entropy",
              .step = 3,
              .batch_size_used = 2,
              .data_sha256 = "d",
              .model_sha256 = "m"},
             {});
  const KfacFile file = read_kfac(path);
  EXPECT_EQ(file.origin.step, 3);
  EXPECT_EQ(file.origin.model_sha256, "m");
  for (const bool ekfac : {false, true}) {
    KroneckerOperator before(factors, risk->network().params(), {.of = {.ekfac = ekfac}});
    KroneckerOperator after(file.factors, risk->network().params(), {.of = {.ekfac = ekfac}});
    const auto v = random_vector(risk->dim(), 8);
    EXPECT_EQ(product(before, v), product(after, v));
  }
  std::filesystem::remove(path);
}

TEST(Frobenius, EstimateIsWithinItsStandardErrors) {
  const auto risk = mlp_risk(labelled(20), {.hidden = {6}, .bias = true});
  KroneckerOperator kfac(collect_kfac(*risk, {}), risk->network().params(), {});
  const auto ggn = make_ggn(risk);
  const auto exact = frobenius_error(kfac, *ggn);
  EXPECT_NEAR(exact.value, error(dense(kfac), dense(*ggn)), 1e-12);
  EXPECT_EQ(exact.standard_error, 0);
  const auto estimate = estimated_frobenius_error(kfac, *ggn, 200, 1, "test");
  EXPECT_NEAR(estimate.value, exact.value, 4 * estimate.standard_error);
  EXPECT_GT(estimate.standard_error, 0);
}

// W = 3 x 4 with mean squared error: A (x) I, every eigenvalue three times.
TEST(Leading, OfADenseMatrixHasEveryCopyAndLanczosOne) {
  const auto risk = mlp_risk(regression(9), {});
  const auto ggn = make_ggn(risk);
  KroneckerOperator kfac(collect_kfac(*risk, {}), risk->network().params(), {});
  const auto dense_pairs = leading_of_matrix(dense_matrix(*ggn), 6);
  const auto comparison = compare_leading(leading_in_closed_form(kfac, 6), dense_pairs);
  EXPECT_NEAR(comparison.overlap, 1, 1e-10);
  for (const double e : comparison.relative_errors) EXPECT_LE(e, 1e-10);
  EXPECT_NEAR(dense_pairs[2].value, dense_pairs[0].value, 1e-10);
  const auto lanczos_pairs = leading_by_lanczos(*ggn, 2, 12);
  EXPECT_NEAR(lanczos_pairs[1].value, dense_pairs[3].value, 1e-8);
}

TEST(Leading, OfABlockAreThoseOfItsDiagonalBlock) {
  const auto risk = language_risk(true);
  KroneckerOperator kfac(collect_kfac(*risk, {}), risk->network().params(), {});
  const Eigen::MatrixXd a = dense(kfac);
  for (size_t b = 0; b < kfac.blocks().size(); ++b) {
    std::vector<Eigen::Index> where;
    for (const Range& r : kfac.blocks()[b].coordinates()) {
      for (int64_t i = 0; i < r.count; ++i) where.push_back(r.first + i);
    }
    const Eigen::VectorXd expected = eigenvalues(a(where, where));
    const auto pairs = leading_of_block(kfac, b, 3);
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_NEAR(pairs[i].value, expected[expected.size() - 1 - static_cast<Eigen::Index>(i)], 1e-12);
    }
  }
}

}  // namespace
}  // namespace ritzflow::test
