// How factors are gathered: inputs, terms of the loss, cuts into batches and into parts.
#include <gtest/gtest.h>

#include "core/error.h"
#include "kfac_problems.h"

namespace ritzflow::curvature::test {
namespace {

// Patches by hand: pixel (y, x) of a sample sees the 3 x 3 neighbourhood, zero outside the image.
TEST(Kfac, InputsOfAConvolutionAreItsPatches) {
  const auto risk = image_risk("none");
  const at::Tensor x = risk->batch(0).inputs;
  const auto pixel = [&](int64_t n, int64_t c, int64_t row, int64_t column) {
    const bool inside = row >= 0 && row < 4 && column >= 0 && column < 4;
    return inside ? x[n][c][row][column].item<double>() : 0.0;
  };
  const at::Tensor patches = model::unfold3x3(x);
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t p = 0; p < 16; ++p) {
      for (int64_t e = 0; e < 18; ++e) {
        const double expected = pixel(n, e / 9, p / 4 + e % 9 / 3 - 1, p % 4 + e % 3 - 1);
        EXPECT_EQ(patches[n][p][e].item<double>(), expected);
      }
    }
  }
}

// y = W patches: the convolution is a linear layer at 16 positions, one datum of which reduce gets exactly.
TEST(Kfac, OfAConvolutionIsThatOfALinearLayerOnItsPatches) {
  const auto risk = image_risk("none", 5);
  const auto factors = collect_kfac(*risk, {});
  const at::Tensor patches = model::unfold3x3(risk->batch(0).inputs).reshape({-1, 18});
  const at::Tensor inputs = at::cat({patches, at::ones({patches.size(0), 1}, at::kDouble)}, 1);
  const at::Tensor expected = at::matmul(inputs.t(), inputs) / static_cast<double>(inputs.size(0));
  const KroneckerLayer& conv = factors.layers.front();
  const at::Tensor a = at::matmul(conv.a_eigenvectors * conv.a_eigenvalues, conv.a_eigenvectors.t());
  EXPECT_LE((a - expected).abs().max().item<double>(), 1e-13);
}

TEST(Kfac, DoesNotDependOnTheCutIntoBatches) {
  for (const FisherType type : {FisherType::type2, FisherType::mc, FisherType::empirical}) {
    const KfacOptions options{.fisher = {.type = type, .mc_samples = 2, .seed = 3}};
    for (const bool ekfac : {false, true}) {
      const KroneckerOptions how{.of = {.ekfac = ekfac}};
      const auto cut = [&](int64_t b) { return kfac_matrix(*image_risk("group", b), options, how); };
      EXPECT_LE(error(cut(2), cut(5)), 1e-12);
      const auto cut_text = [&](int64_t b) { return kfac_matrix(*language_risk(true, b), options, how); };
      EXPECT_LE(error(cut_text(3), cut_text(4)), 1e-12);
    }
  }
}

TEST(Kfac, OfManyDrawsTendsToTheExactOne) {
  const auto risk = language_risk(false, 4);
  const KfacOptions draws{.fisher = {.type = FisherType::mc, .mc_samples = 500}};
  EXPECT_LE(error(kfac_matrix(*risk, draws), kfac_matrix(*risk, {})), 0.25);
  EXPECT_LE(error(kfac_matrix(*risk, draws, {.of = {.ekfac = true}}),
                  kfac_matrix(*risk, {}, {.of = {.ekfac = true}})),
            0.25);
}

// The same inputs, and the diagonal blocks of the fused layer's output moments.
TEST(Kfac, OfAFusedQueryKeyAndValueSplitsIntoItsDiagonalBlocks) {
  const auto risk = language_risk(true);
  const model::ParamSpace& space = risk->network().params();
  const Eigen::MatrixXd fused = kfac_matrix(*risk, {}),
                        split = kfac_matrix(*risk, {.plan = {.split_qkv = true}});
  const model::Parameter& weight = space.parameters()[space.index("blocks.0.attn.qkv.weight")];
  const auto at = [&](const Eigen::MatrixXd& a, int64_t i, int64_t j) {
    return Eigen::MatrixXd(a.block(weight.offset + 16 * i, weight.offset + 16 * j, 16, 16));
  };
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_LE(error(at(split, i, i), at(fused, i, i)), 1e-10);
    EXPECT_EQ(at(split, i, (i + 1) % 3).norm(), 0);
    EXPECT_GT(at(fused, i, (i + 1) % 3).norm(), 0);
  }
  EXPECT_TRUE(coverage(collect_kfac(*risk, {.plan = {.split_qkv = true}}), space).missing.empty());
}

TEST(Kfac, TiedTableIsCountedOnce) {
  const auto tied = language_risk(true), untied = language_risk(false);
  for (const auto& risk : {tied, untied}) {
    const Coverage covered = coverage(collect_kfac(*risk, {}), risk->network().params());
    EXPECT_TRUE(covered.missing.empty());
    EXPECT_EQ(covered.covered_elements, risk->dim());
  }
}

// Where a sample has one term there is nothing to treat.
TEST(TokenTerms, OfOneTermASampleAreAllTheSame) {
  const auto risk = mlp_risk(labelled(9), {.hidden = {5}, .bias = true});
  for (const FisherType type : {FisherType::type2, FisherType::empirical}) {
    const auto matrix = [&](TokenTerms terms) {
      return kfac_matrix(*risk, {.fisher = {.type = type, .terms = terms}}, {.of = {.ekfac = true}});
    };
    EXPECT_LE(error(matrix(TokenTerms::signs), matrix(TokenTerms::separate)), 1e-13);
    EXPECT_EQ(matrix(TokenTerms::sum), matrix(TokenTerms::separate));
  }
}

// No token's term depends on another position: no product between terms arises.
TEST(TokenTerms, OfPositionsThatDoNotMixAreAllTheSameInExpand) {
  const auto risk = positionwise_risk(false);
  for (const TokenTerms terms : {TokenTerms::signs, TokenTerms::sum}) {
    EXPECT_LE(error(kfac_matrix(*risk, {.fisher = {.terms = terms}}), kfac_matrix(*risk, {})), 1e-13);
  }
}

// Attention mixes positions: the sum keeps products between tokens, which random signs average away.
TEST(TokenTerms, SignsTendToSeparateOnesAndTheSumDoesNot) {
  const auto risk = language_risk(false, 4);
  for (const FisherType type : {FisherType::type2, FisherType::empirical}) {
    for (const bool ekfac : {false, true}) {
      const auto matrix = [&](TokenTerms terms, int64_t draws) {
        return kfac_matrix(*risk, {.fisher = {.type = type, .terms = terms, .mc_samples = draws}},
                           {.of = {.ekfac = ekfac}});
      };
      const Eigen::MatrixXd exact = matrix(TokenTerms::separate, 1);
      const double few = error(matrix(TokenTerms::signs, 1), exact);
      const double many = error(matrix(TokenTerms::signs, 64), exact);
      EXPECT_LE(many, few / 3);
      EXPECT_GE(error(matrix(TokenTerms::sum, 1), exact), 2 * many);
    }
  }
}

TEST(TokenTerms, AutoIsSeparateUpTo512BackwardPasses) {
  EXPECT_EQ(choose_token_terms(TokenTerms::automatic, FisherType::type2, 1, 10), TokenTerms::separate);
  EXPECT_EQ(choose_token_terms(TokenTerms::automatic, FisherType::type2, 32, 16), TokenTerms::separate);
  EXPECT_EQ(choose_token_terms(TokenTerms::automatic, FisherType::type2, 32, 17), TokenTerms::signs);
  EXPECT_EQ(choose_token_terms(TokenTerms::automatic, FisherType::empirical, 128, 50257),
            TokenTerms::separate);
  EXPECT_EQ(choose_token_terms(TokenTerms::separate, FisherType::type2, 1024, 50257), TokenTerms::separate);
}

/// Factors of at most `limit` rows, and the same without a limit.
void expect_diagonal_blocks(const Risk& risk, int64_t limit, bool split_qkv = false) {
  const model::ParamSpace& space = risk->network().params();
  const KfacOptions options{.plan = {.split_qkv = split_qkv, .max_factor = limit}};
  KroneckerOperator op(collect_kfac(*risk, options), space, {});
  const Eigen::MatrixXd full = kfac_matrix(*risk, {.plan = {.split_qkv = split_qkv}}), cut = dense(op);
  Eigen::MatrixXd expected = Eigen::MatrixXd::Zero(full.rows(), full.cols());
  for (const auto& block : op.blocks()) {
    const auto [u_a, u_g] = block.eigenvectors();
    if (u_a.defined()) {
      EXPECT_LE(u_a.size(0), limit);
    }
    EXPECT_LE(u_g.size(0), limit);
    for (const IndexRange& r : block.coordinates()) {
      for (const IndexRange& c : block.coordinates()) {
        expected.block(r.first, c.first, r.count, c.count) = full.block(r.first, c.first, r.count, c.count);
      }
    }
  }
  EXPECT_LE(error(cut, expected), 1e-12);
  EXPECT_GT(error(cut, full), 1e-3);
}

TEST(Kfac, AFactorAboveTheLimitIsKeptAsItsDiagonalBlocks) {
  expect_diagonal_blocks(mlp_risk(labelled(9), {.hidden = {7, 6}, .bias = true}), 4);
  expect_diagonal_blocks(image_risk("group"), 6);
  expect_diagonal_blocks(language_risk(true), 3);
  expect_diagonal_blocks(language_risk(false), 3, true);
}

TEST(Ekfac, OfDiagonalBlocksIsNeverFartherFromTheGgnThanKfac) {
  const auto risk = mlp_risk(labelled(20), {.hidden = {6, 5}, .bias = true});
  const KfacOptions options{.plan = {.max_factor = 4}};
  const Eigen::MatrixXd ggn = ggn_blocks(risk);
  EXPECT_LT(error(kfac_matrix(*risk, options, {.of = {.ekfac = true}}), ggn),
            error(kfac_matrix(*risk, options), ggn));
}

TEST(Kfac, NamesTheRowsAndColumnsOfADiagonalBlock) {
  const auto risk = mlp_risk(labelled(5), {.hidden = {7}, .bias = true});
  const auto factors = collect_kfac(*risk, {.plan = {.max_factor = 5}});
  std::vector<std::string> names;
  for (const auto& layer : factors.layers) names.push_back(layer.name);
  EXPECT_EQ(names, (std::vector<std::string>{"layers.0[0:3]", "layers.0[3:7]", "layers.1[:, 0:4]",
                                             "layers.1[:, 4:8]"}));
  EXPECT_THROW(collect_kfac(*risk, {.plan = {.max_factor = 0}}), InputError);
}

/// Copies of the tensors: those that the observer is shown go on growing.
KfacSums copy_of(const KfacSums& sums) {
  KfacSums copy{sums.batches, {}, {}};
  for (const auto& sum : sums.factors) {
    copy.factors.emplace_back();
    for (const auto& strip : sum) copy.factors.back().push_back(strip.clone());
  }
  for (const auto& moment : sums.second_moments) {
    copy.second_moments.push_back(moment.defined() ? moment.clone() : moment);
  }
  return copy;
}

TEST(Kfac, ContinuesFromAnyMicroBatchToTheSameBits) {
  const auto risk = image_risk("group", 2);  // three micro-batches, two passes
  std::vector<KfacSums> seen;
  const auto whole = collect_kfac(*risk, {}, [&](const KfacSums& sums) { seen.push_back(copy_of(sums)); });
  ASSERT_EQ(seen.size(), 6U);
  for (const auto& sums : seen) {
    const auto rest = collect_kfac(*risk, {}, {}, copy_of(sums));
    for (size_t i = 0; i < whole.layers.size(); ++i) {
      EXPECT_TRUE(at::equal(rest.layers[i].a_eigenvectors, whole.layers[i].a_eigenvectors));
      EXPECT_TRUE(at::equal(rest.layers[i].g_eigenvalues, whole.layers[i].g_eigenvalues));
      EXPECT_TRUE(at::equal(rest.layers[i].ekfac_eigenvalues, whole.layers[i].ekfac_eigenvalues));
    }
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
