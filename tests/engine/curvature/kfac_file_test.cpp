// kfac.h5 and the comparison with the Gauss-Newton matrix.
#include "curvature/kfac/kfac_file.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "curvature/kfac/leading.h"
#include "curvature/operators/frobenius.h"
#include "kfac_problems.h"

namespace ritzflow::curvature::test {
namespace {

TEST(KfacFile, ComesBackAsItWasWritten) {
  const auto risk = language_risk(true);
  const auto factors = collect_kfac(*risk, {.plan = {.split_qkv = true, .max_factor = 3}});
  const auto path = std::filesystem::path(testing::TempDir()) / "kfac_round_trip.h5";
  write_kfac(path, factors, coverage(factors, risk->network().params()),
             {.settings = {},
              .risk = {.step = "3", .batch_size = 2, .dtype_compute = Arithmetic::float64},
              .token_terms = TokenTerms::separate,
              .loss = "cross_entropy",
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

/// A layer of 3 inputs and 2 outputs whose weight is stored as [in, out].
KroneckerLayer transposed_layer() {
  KroneckerLayer layer;
  layer.name = "w";
  layer.parameters = {"w"};
  layer.pieces = {{0, 0, 2, 1, 3, 2}};
  const at::Tensor a = random_matrix(5, 3, 1), g = random_matrix(4, 2, 2);
  const Eigenpairs of_a = eigenpairs(at::mm(a.t(), a)), of_g = eigenpairs(at::mm(g.t(), g));
  layer.a_eigenvalues = of_a.values;
  layer.a_eigenvectors = of_a.vectors;
  layer.g_eigenvalues = of_g.values;
  layer.g_eigenvectors = of_g.vectors;
  return layer;
}

TEST(KfacFile, APieceSaysWhichElementsOfAParameterALayerHas) {
  model::ParamSpace space;
  space.add("before", {2});
  space.add("w", {3, 2});
  const KroneckerLayer layer = transposed_layer();
  const auto path = std::filesystem::path(testing::TempDir()) / "kfac_pieces.h5";
  write_kfac(path, {{layer}}, coverage({{layer}}, space), {.risk = {.step = "0"}}, {});
  const KroneckerFactors file = read_kfac(path).factors;
  KroneckerOperator op(file, space, {.uncovered = Uncovered::zero});
  const at::Tensor a = at::mm(layer.a_eigenvectors * layer.a_eigenvalues, layer.a_eigenvectors.t());
  const at::Tensor g = at::mm(layer.g_eigenvectors * layer.g_eigenvalues, layer.g_eigenvectors.t());
  const at::Tensor expected = at::kron(a, g);
  const Eigen::MatrixXd found = dense(op).bottomRightCorner(6, 6);
  for (int64_t i = 0; i < 36; ++i) {
    EXPECT_NEAR(found(i / 6, i % 6), expected[i / 6][i % 6].item<double>(), 1e-12);
  }
  const auto coordinates = op.blocks()[0].coordinates();
  ASSERT_EQ(coordinates.size(), 1);
  EXPECT_EQ(coordinates[0].first, 2);
  EXPECT_EQ(coordinates[0].count, 6);
  std::filesystem::remove(path);
}

TEST(KfacFile, APieceBeyondItsParameterIsRefused) {
  model::ParamSpace space;
  space.add("w", {3, 2});
  KroneckerLayer layer = transposed_layer();
  layer.pieces[0].offset = 1;
  EXPECT_THROW(coverage({{layer}}, space), InputError);
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
    for (const IndexRange& r : kfac.blocks()[b].coordinates()) {
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
}  // namespace ritzflow::curvature::test
