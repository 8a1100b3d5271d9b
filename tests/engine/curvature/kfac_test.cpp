// K-FAC against the exact Gauss-Newton matrix: where theory says that they agree, and where they do not.
#include "curvature/kfac.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/kernels.h"
#include "curvature/comparison.h"
#include "curvature/ggn.h"
#include "curvature/kfac_collect.h"
#include "curvature/kfac_file.h"
#include "krylov/lanczos.h"
#include "krylov/ritz.h"
#include "model/layers.h"
#include "problems.h"

namespace ritzflow::test {
namespace {

using Risk = std::shared_ptr<const EmpiricalRisk>;

Dataset labelled(int64_t samples, int64_t classes = 3) {
  return dataset(random_matrix(samples, 4, 1), random_labels(samples, classes, 2), classes);
}

Dataset regression(int64_t samples) {
  return dataset(random_matrix(samples, 4, 1), random_matrix(samples, 3, 2), 3);
}

Risk make_risk(std::shared_ptr<const Network> network, const Dataset& data, int64_t batch_size = 3) {
  const at::Tensor theta = random_matrix(network->params().size(), 1, 99).reshape({-1}) * 0.5;
  const std::string loss = data.task == Task::regression ? "mse" : "cross_entropy";
  return std::make_shared<const EmpiricalRisk>(std::move(network), make_loss(loss), data, theta,
                                               RiskOptions{.batch_size = batch_size, .dtype = at::kDouble});
}

Eigen::MatrixXd kfac_matrix(const EmpiricalRisk& risk, const KfacOptions& options,
                            const KroneckerOptions& how = {}) {
  KroneckerOperator op(collect_kfac(risk, options), risk.network().params(), how);
  return dense(op);
}

/// `a` with everything outside the layers' diagonal blocks set to 0; a layer is a name without its last part.
Eigen::MatrixXd block_diagonal(const Eigen::MatrixXd& a, const ParamSpace& space) {
  Eigen::MatrixXd blocks = Eigen::MatrixXd::Zero(a.rows(), a.cols());
  const auto layer = [](const Parameter& p) { return p.name.substr(0, p.name.rfind('.')); };
  for (const auto& p : space.parameters()) {
    for (const auto& q : space.parameters()) {
      if (layer(p) == layer(q)) {
        blocks.block(p.offset, q.offset, p.size, q.size) = a.block(p.offset, q.offset, p.size, q.size);
      }
    }
  }
  return blocks;
}

Eigen::MatrixXd ggn_blocks(const Risk& risk) {
  return block_diagonal(dense(*make_ggn(risk)), risk->network().params());
}

double error(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) { return (a - b).norm() / b.norm(); }

/// z = W2 W1 x at each of T positions, each with a loss of its own (`mean` false), or their mean with one.
class PositionwiseLinear : public Network {
 public:
  PositionwiseLinear(int64_t in, int64_t hidden, int64_t out, bool mean)
      : first_(add_linear(params_, "first", in, hidden, true)),
        second_(add_linear(params_, "second", hidden, out, true)),
        mean_(mean) {}

  at::Tensor features(const ParamTensors& theta, const at::Tensor& x) const override {
    Taps unused;
    return forward_with_taps(theta, x, unused);
  }
  at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& x, Taps& taps) const override {
    const at::Tensor z = linear(second_, theta, linear(first_, theta, x, &taps), &taps);
    return mean_ ? z.mean(1) : z.flatten(0, 1);
  }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  Layer first_, second_;
  bool mean_;
};

Risk positionwise_risk(bool mean) {
  const int64_t samples = 5, positions = 3, in = 4, out = 2;
  const int64_t rows = mean ? samples : samples * positions;
  Dataset data = dataset(random_matrix(samples, positions * in, 1), random_matrix(rows, out, 2), out);
  data.inputs = data.inputs.view({samples, positions, in});
  data.weights = at::ones({rows}, at::kDouble);
  data.rows_per_sample = mean ? 1 : positions;
  data.total_weight = static_cast<double>(rows);
  return make_risk(std::make_shared<PositionwiseLinear>(in, 3, out, mean), data, 2);
}

std::shared_ptr<const Network> image_network(const std::string& norm,
                                             const std::string& activation = "tanh") {
  return make_network(
      {{"kind", "cnn"}, {"channels", {4}}, {"norm", norm}, {"groups", 2}, {"activation", activation}},
      {{2, 4, 4}, 3, false});
}

Risk image_risk(const std::string& norm, int64_t batch_size = 2, int64_t samples = 5) {
  Dataset data = labelled(samples);
  data.inputs = random_matrix(samples, 2 * 4 * 4, 7).view({samples, 2, 4, 4});
  data.shape = {{2, 4, 4}, 3, false};
  return make_risk(image_network(norm), data, batch_size);
}

Risk language_risk(bool tied, int64_t batch_size = 2) {
  const int64_t samples = 4, context = 3, vocabulary = 5;
  Dataset data = dataset(at::zeros({samples, context}, at::kLong),
                         random_labels(samples * context, vocabulary, 3), vocabulary);
  data.inputs = random_labels(samples * context, vocabulary, 4).view({samples, context});
  data.weights = at::ones({samples * context}, at::kDouble);
  data.weights[1] = 0;
  data.shape = {{context}, vocabulary, true};
  data.rows_per_sample = context;
  data.total_weight = data.weights.sum().item<double>();
  data.task = Task::language_modeling;
  return make_risk(make_network({{"kind", "transformer"},
                                 {"layers", 1},
                                 {"heads", 2},
                                 {"d_model", 4},
                                 {"mlp_ratio", 2},
                                 {"tie_embeddings", tied}},
                                data.shape),
                   data, batch_size);
}

// z = W_L ... W_1 x with mean squared error: the gradients of the outputs do not depend on the sample.
TEST(Kfac, IsTheBlockDiagonalGgnOfADeepLinearNetWithMse) {
  for (const bool bias : {false, true}) {
    const auto risk = mlp_risk(regression(7), {.hidden = {5, 6}, .activation = "identity", .bias = bias});
    const Eigen::MatrixXd expected = ggn_blocks(risk);
    EXPECT_LE(error(kfac_matrix(*risk, {}), expected), 1e-10);
    EXPECT_LE(error(kfac_matrix(*risk, {}, {.ekfac = true}), expected), 1e-10);
  }
}

TEST(Kfac, OfADeepLinearNetWeighsItsSamples) {
  Dataset data = regression(6);
  data.weights = at::tensor({0.5, 2.0, 0.0, 1.0, 3.0, 0.25}, at::kDouble);
  data.total_weight = 6.75;
  const auto risk = mlp_risk(data, {.hidden = {5}, .activation = "identity", .bias = true});
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
}

TEST(Kfac, IsTheBlockDiagonalGgnOfOneDatumWithCrossEntropy) {
  const auto risk = mlp_risk(labelled(1), {.hidden = {5, 4}, .bias = true});
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
}

TEST(Kfac, ExpandIsExactWhereEachPositionHasALossOfItsOwn) {
  const auto risk = positionwise_risk(false);
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
  EXPECT_GE(error(kfac_matrix(*risk, {.sharing = WeightSharing::reduce}), ggn_blocks(risk)), 0.05);
}

TEST(Kfac, ReduceIsExactWhereTheMeanOverPositionsHasTheLoss) {
  const auto risk = positionwise_risk(true);
  EXPECT_LE(error(kfac_matrix(*risk, {.sharing = WeightSharing::reduce}), ggn_blocks(risk)), 1e-10);
  EXPECT_GE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 0.05);
}

// A negative control: inputs and softmax curvature are not independent.
TEST(Kfac, IsNotTheGgnOfSoftmaxRegression) {
  const auto risk = mlp_risk(labelled(200), {.bias = true, .scale = 1.0, .batch_size = 64});
  EXPECT_GE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 0.05);
}

TEST(Kfac, OfANormIsTheExactBlockOfItsScaleAndShift) {
  for (const auto& [risk, name] :
       {std::pair{image_risk("group"), "blocks.0.norm."}, std::pair{language_risk(true), "ln_f."}}) {
    const ParamSpace& space = risk->network().params();
    const Parameter& weight = space.parameters()[space.index(name + std::string("weight"))];
    const auto block = [&](const Eigen::MatrixXd& a) {
      return Eigen::MatrixXd(a.block(weight.offset, weight.offset, 2 * weight.size, 2 * weight.size));
    };
    const Eigen::MatrixXd expected = block(ggn_blocks(risk));
    for (const bool ekfac : {false, true}) {
      EXPECT_LE(error(block(kfac_matrix(*risk, {}, {.ekfac = ekfac})), expected), 1e-10) << name;
    }
  }
}

/// The diagonal of the GGN's blocks in the eigenbasis of the factors, by explicit Kronecker products.
TEST(Ekfac, HasTheDiagonalOfTheGgnInItsEigenbasis) {
  const auto risk = mlp_risk(labelled(9), {.hidden = {5}});
  const auto factors = collect_kfac(*risk, {});
  const Eigen::MatrixXd ggn = dense(*make_ggn(risk));
  int64_t offset = 0;
  for (const auto& layer : factors.layers) {
    const Eigen::MatrixXd u_a = eigen(layer.a_eigenvectors), u_g = eigen(layer.g_eigenvectors);
    const at::Tensor moments = layer.ekfac_eigenvalues.contiguous();
    for (int64_t o = 0; o < layer.out(); ++o) {
      for (int64_t i = 0; i < layer.in(); ++i) {
        Eigen::VectorXd u(layer.out() * layer.in());
        for (int64_t r = 0; r < layer.out(); ++r)
          u.segment(r * layer.in(), layer.in()) = u_g(r, o) * u_a.col(i);
        const double expected = u.dot(ggn.block(offset, offset, u.size(), u.size()) * u);
        EXPECT_NEAR(moments[o][i].item<double>(), expected, 1e-13);
      }
    }
    offset += layer.out() * layer.in();
  }
}

TEST(Ekfac, IsNeverFartherFromTheGgnThanKfac) {
  const std::map<std::string, Risk> risks = {
      {"mlp", mlp_risk(labelled(20), {.hidden = {6, 5}, .bias = true})},
      {"mse", mlp_risk(regression(20), {.hidden = {6}, .bias = true})},
      {"cnn", image_risk("group")},
      {"transformer", language_risk(false)},
      {"positions", positionwise_risk(true)}};
  for (const auto& [name, risk] : risks) {
    const Eigen::MatrixXd ggn = ggn_blocks(risk);
    for (const auto sharing : {WeightSharing::expand, WeightSharing::reduce}) {
      const KfacOptions options{.sharing = sharing};
      const double ekfac = error(kfac_matrix(*risk, options, {.ekfac = true}), ggn);
      EXPECT_LE(ekfac, error(kfac_matrix(*risk, options), ggn) + 1e-13) << name;
      EXPECT_LT(ekfac, 1) << name;
    }
  }
}

// Patches by hand: pixel (y, x) of a sample sees the 3 x 3 neighbourhood, zero outside the image.
TEST(Kfac, InputsOfAConvolutionAreItsPatches) {
  const auto risk = image_risk("none");
  const at::Tensor x = risk->batch(0).inputs;
  const auto pixel = [&](int64_t n, int64_t c, int64_t row, int64_t column) {
    const bool inside = row >= 0 && row < 4 && column >= 0 && column < 4;
    return inside ? x[n][c][row][column].item<double>() : 0.0;
  };
  const at::Tensor patches = unfold3x3(x);
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
  const at::Tensor patches = unfold3x3(risk->batch(0).inputs).reshape({-1, 18});
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
      const KroneckerOptions how{.ekfac = ekfac};
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
  EXPECT_LE(error(kfac_matrix(*risk, draws, {.ekfac = true}), kfac_matrix(*risk, {}, {.ekfac = true})), 0.25);
}

TEST(Kfac, SpectrumInClosedFormIsThatOfTheMatrix) {
  for (const auto& risk : {mlp_risk(labelled(9), {.hidden = {5}, .bias = true}), language_risk(true)}) {
    for (const bool ekfac : {false, true}) {
      KroneckerOperator op(collect_kfac(*risk, {}), risk->network().params(), {.ekfac = ekfac});
      const std::vector<double> spectrum = op.spectrum();
      const Eigen::VectorXd expected = eigenvalues(dense(op));
      ASSERT_EQ(static_cast<int64_t>(spectrum.size()), op.dim());
      for (size_t i = 0; i < spectrum.size(); ++i) {
        EXPECT_NEAR(spectrum[i], expected[expected.size() - 1 - static_cast<Eigen::Index>(i)],
                    1e-12 * spectrum[0]);
      }
    }
  }
}

TEST(Kfac, SpectrumInClosedFormIsWhatLanczosFinds) {
  const auto risk = mlp_risk(labelled(30), {.hidden = {8}, .bias = true});
  KroneckerOperator op(collect_kfac(*risk, {}), risk->network().params(), {});
  const auto found = leading_by_lanczos(op, 6, op.dim());
  const auto spectrum = op.spectrum();
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[i].value, spectrum[i], 1e-10 * spectrum[0]);
  EXPECT_NEAR(compare_leading(op.leading(6), found).overlap, 1, 1e-10);
}

TEST(Kfac, LeadingEigenpairsInClosedFormAreEigenpairs) {
  const auto risk = language_risk(false);
  const auto partial = collect_kfac(*risk, {.max_factor = 8});
  KroneckerOperator op(partial, risk->network().params(), {.uncovered = Uncovered::identity});
  const auto spectrum = op.spectrum();
  const auto pairs = op.leading(40);
  ASSERT_EQ(pairs.size(), 40U);
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(pairs[i].value, spectrum[i]);
    EXPECT_NEAR(norm(pairs[i].vector), 1, 1e-13);
    const auto kx = product(op, pairs[i].vector);
    for (size_t e = 0; e < kx.size(); ++e) EXPECT_NEAR(kx[e], pairs[i].value * pairs[i].vector[e], 1e-12);
  }
}

// The same inputs, and the diagonal blocks of the fused layer's output moments.
TEST(Kfac, OfAFusedQueryKeyAndValueSplitsIntoItsDiagonalBlocks) {
  const auto risk = language_risk(true);
  const ParamSpace& space = risk->network().params();
  const Eigen::MatrixXd fused = kfac_matrix(*risk, {}), split = kfac_matrix(*risk, {.split_qkv = true});
  const Parameter& weight = space.parameters()[space.index("blocks.0.attn.qkv.weight")];
  const auto at = [&](const Eigen::MatrixXd& a, int64_t i, int64_t j) {
    return Eigen::MatrixXd(a.block(weight.offset + 16 * i, weight.offset + 16 * j, 16, 16));
  };
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_LE(error(at(split, i, i), at(fused, i, i)), 1e-10);
    EXPECT_EQ(at(split, i, (i + 1) % 3).norm(), 0);
    EXPECT_GT(at(fused, i, (i + 1) % 3).norm(), 0);
  }
  EXPECT_TRUE(coverage(collect_kfac(*risk, {.split_qkv = true}), space).missing.empty());
}

TEST(Kfac, InverseAndInverseSquareRootComeBack) {
  const auto risk = mlp_risk(labelled(9), {.hidden = {5}, .bias = true});
  const auto factors = collect_kfac(*risk, {});
  const ParamSpace& space = risk->network().params();
  for (const bool ekfac : {false, true}) {
    const auto power = [&](double p) {
      return KroneckerOperator(factors, space, {.ekfac = ekfac, .damping = 1e-2, .power = p});
    };
    auto damped = power(1), inverse = power(-1), root = power(-0.5);
    const auto v = random_vector(damped.dim(), 5);
    const auto expect_back = [&](const std::vector<double>& back) {
      for (size_t i = 0; i < v.size(); ++i) EXPECT_NEAR(back[i], v[i], 1e-12);
    };
    expect_back(product(inverse, product(damped, v)));
    expect_back(product(root, product(root, product(damped, v))));
  }
  EXPECT_THROW(KroneckerOperator(factors, space, {.damping = -1}), InputError);
  EXPECT_THROW(KroneckerOperator(factors, space, {.power = 2}), InputError);
}

TEST(Kfac, InverseOfASingularOperatorIsRefused) {
  const auto risk = mlp_risk(labelled(2), {.hidden = {5}});  // two samples: factors of rank two
  EXPECT_THROW(KroneckerOperator(collect_kfac(*risk, {}), risk->network().params(), {.power = -1}),
               InputError);
}

TEST(Kfac, CoverageCountsParametersAndElements) {
  const auto risk = mlp_risk(labelled(5), {.hidden = {7}, .bias = true});  // 4 -> 7 -> 3
  const ParamSpace& space = risk->network().params();
  const Coverage all = coverage(collect_kfac(*risk, {}), space);
  EXPECT_EQ(all.text(), "covered 4 of 4 parameters (100.0 %), 59 of 59 elements (100.0 %)");
  const auto partial = collect_kfac(*risk, {.max_factor = 7});  // the second layer has 7 inputs and the bias
  EXPECT_EQ(coverage(partial, space).text(),
            "covered 2 of 4 parameters (50.0 %), 35 of 59 elements (59.3 %); missing: layers.1.weight, "
            "layers.1.bias");
}

TEST(Kfac, OfAModelWithNoLayerWithinTheLimitCoversNothing) {
  const auto risk = mlp_risk(labelled(5), {.hidden = {7}});
  const auto none = collect_kfac(*risk, {.max_factor = 1});
  EXPECT_TRUE(none.layers.empty());
  EXPECT_EQ(coverage(none, risk->network().params()).covered_elements, 0);
}

TEST(Kfac, TiedTableIsCountedOnce) {
  const auto tied = language_risk(true), untied = language_risk(false);
  for (const auto& risk : {tied, untied}) {
    const Coverage covered = coverage(collect_kfac(*risk, {}), risk->network().params());
    EXPECT_TRUE(covered.missing.empty());
    EXPECT_EQ(covered.covered_elements, risk->dim());
  }
}

TEST(Kfac, WhatStandsForUncoveredParametersIsChosenAndNeverInvented) {
  const auto risk = mlp_risk(labelled(5), {.hidden = {7}, .bias = true});
  const ParamSpace& space = risk->network().params();
  const auto partial = collect_kfac(*risk, {.max_factor = 7});
  EXPECT_THROW(KroneckerOperator(partial, space, {}), Refusal);
  const auto rest = [&](Uncovered uncovered, std::unique_ptr<LinearOperator> block = nullptr) {
    KroneckerOperator op(partial, space, {.uncovered = uncovered}, std::move(block));
    const Eigen::MatrixXd a = dense(op);
    EXPECT_EQ(a.topRightCorner(35, 24).norm(), 0);
    return Eigen::MatrixXd(a.bottomRightCorner(24, 24));
  };
  EXPECT_EQ(rest(Uncovered::zero).norm(), 0);
  EXPECT_EQ(rest(Uncovered::identity), Eigen::MatrixXd::Identity(24, 24));
  const Eigen::MatrixXd ggn = dense(*make_ggn(risk)).bottomRightCorner(24, 24);
  EXPECT_LE(error(rest(Uncovered::exact_ggn, make_restriction(make_ggn(risk), {{35, 24}})), ggn), 1e-14);
}

// Inputs and gradients of zero, one class, one sample: nothing divides by zero.
TEST(Kfac, DegenerateFactorsGiveZerosAndNoNan) {
  Dataset zeros = labelled(4);
  zeros.inputs = at::zeros({4, 4}, at::kDouble);
  for (const auto& risk :
       {mlp_risk(zeros, {.hidden = {5}}), mlp_risk(labelled(4, 1), {.hidden = {5}, .bias = true}),
        mlp_risk(labelled(1), {.hidden = {5}, .scale = 0})}) {
    for (const bool ekfac : {false, true}) {
      const Eigen::MatrixXd a = kfac_matrix(*risk, {}, {.ekfac = ekfac});
      EXPECT_TRUE(a.allFinite());
      EXPECT_LE((a - ggn_blocks(risk)).norm(), 1e-12);
    }
  }
}

TEST(KfacFile, ComesBackAsItWasWritten) {
  const auto risk = language_risk(true);
  const auto factors = collect_kfac(*risk, {});
  const auto path = std::filesystem::path(testing::TempDir()) / "kfac_round_trip.h5";
  write_kfac(path, factors, coverage(factors, risk->network().params()),
             {.kfac_approx = "expand",
              .fisher_type = "type2",
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
    KroneckerOperator before(factors, risk->network().params(), {.ekfac = ekfac});
    KroneckerOperator after(file.factors, risk->network().params(), {.ekfac = ekfac});
    const auto v = random_vector(risk->dim(), 8);
    EXPECT_EQ(product(before, v), product(after, v));
  }
  std::filesystem::remove(path);
}

TEST(Comparison, EstimateOfTheFrobeniusErrorIsWithinItsStandardErrors) {
  const auto risk = mlp_risk(labelled(20), {.hidden = {6}, .bias = true});
  KroneckerOperator kfac(collect_kfac(*risk, {}), risk->network().params(), {});
  const auto ggn = make_ggn(risk);
  const std::vector<NamedRanges> parts = {{"layers.0", {{0, 30}}}, {"layers.1", {{30, 21}}}};
  const auto exact = compare_frobenius(kfac, *ggn, parts, 1000, 0, 0);
  EXPECT_NEAR(exact.whole.value, error(dense(kfac), dense(*ggn)), 1e-12);
  EXPECT_NEAR(exact.parts[1].value,
              error(dense(kfac).bottomRightCorner(21, 21), dense(*ggn).bottomRightCorner(21, 21)), 1e-12);
  const auto estimate = compare_frobenius(kfac, *ggn, parts, 10, 200, 1);
  EXPECT_FALSE(estimate.exact);
  EXPECT_NEAR(estimate.whole.value, exact.whole.value, 4 * estimate.whole.standard_error);
  EXPECT_GT(estimate.whole.standard_error, 0);
}

}  // namespace
}  // namespace ritzflow::test
