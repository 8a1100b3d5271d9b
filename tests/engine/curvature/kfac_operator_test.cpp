// The operator in its eigenbasis: closed-form spectrum, powers, coverage, what stands for uncovered
// parameters.
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/kernels.h"
#include "curvature/kfac/kfac_spectrum.h"
#include "curvature/kfac/leading.h"
#include "kfac_problems.h"

namespace ritzflow::curvature::test {
namespace {

TEST(Kfac, SpectrumInClosedFormIsThatOfTheMatrix) {
  for (const auto& risk : {mlp_risk(labelled(9), {.hidden = {5}, .bias = true}), language_risk(true)}) {
    for (const bool ekfac : {false, true}) {
      KroneckerOperator op(collect_kfac(*risk, {}), risk->network().params(), {.of = {.ekfac = ekfac}});
      const std::vector<double> spectrum = closed_form_spectrum(op);
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
  const auto spectrum = closed_form_spectrum(op);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[i].value, spectrum[i], 1e-10 * spectrum[0]);
  EXPECT_NEAR(compare_leading(leading_in_closed_form(op, 6), found).overlap, 1, 1e-10);
}

TEST(Kfac, LeadingEigenpairsInClosedFormAreEigenpairs) {
  const auto risk = half_tapped_risk();
  const auto partial = collect_kfac(*risk, {});
  KroneckerOperator op(partial, risk->network().params(), {.uncovered = Uncovered::identity});
  const auto spectrum = closed_form_spectrum(op);
  const auto pairs = leading_in_closed_form(op, 40);
  ASSERT_EQ(pairs.size(), 40U);
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(pairs[i].value, spectrum[i]);
    EXPECT_NEAR(norm(pairs[i].vector), 1, 1e-13);
    const auto kx = product(op, pairs[i].vector);
    for (size_t e = 0; e < kx.size(); ++e) EXPECT_NEAR(kx[e], pairs[i].value * pairs[i].vector[e], 1e-12);
  }
}

TEST(Kfac, InverseAndInverseSquareRootComeBack) {
  const auto risk = mlp_risk(labelled(9), {.hidden = {5}, .bias = true});
  const auto factors = collect_kfac(*risk, {});
  const model::ParamSpace& space = risk->network().params();
  for (const bool ekfac : {false, true}) {
    const auto power = [&](double p) {
      return KroneckerOperator(factors, space, {.of = {.ekfac = ekfac, .damping = 1e-2, .power = p}});
    };
    auto damped = power(1), inverse = power(-1), root = power(-0.5);
    const auto v = random_vector(damped.dim(), 5);
    const auto expect_back = [&](const std::vector<double>& back) {
      for (size_t i = 0; i < v.size(); ++i) EXPECT_NEAR(back[i], v[i], 1e-12);
    };
    expect_back(product(inverse, product(damped, v)));
    expect_back(product(root, product(root, product(damped, v))));
  }
  EXPECT_THROW(KroneckerOperator(factors, space, {.of = {.damping = -1}}), InputError);
  EXPECT_THROW(KroneckerOperator(factors, space, {.of = {.power = 2}}), InputError);
}

TEST(Kfac, InverseOfASingularOperatorIsRefused) {
  const auto risk = mlp_risk(labelled(2), {.hidden = {5}});  // two samples: factors of rank two
  EXPECT_THROW(KroneckerOperator(collect_kfac(*risk, {}), risk->network().params(), {.of = {.power = -1}}),
               InputError);
}

TEST(Kfac, WhatStandsForUncoveredParametersIsChosenAndNeverInvented) {
  const auto risk = half_tapped_risk();
  const model::ParamSpace& space = risk->network().params();
  const auto partial = collect_kfac(*risk, {});
  EXPECT_THROW(KroneckerOperator(partial, space, {}), Refusal);
  const auto rest = [&](Uncovered uncovered, std::unique_ptr<krylov::LinearOperator> block = nullptr) {
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

/// z = W x, of which K-FAC sees nothing.
class Untapped : public model::Network {
 public:
  Untapped() : only_(model::add_linear(params_, "only", 4, 3, false)) {}

  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    return model::linear(only_, theta, x);
  }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  model::Layer only_;
};

TEST(Kfac, OfAModelWithoutTapsCoversNothing) {
  const auto risk = make_risk(std::make_shared<Untapped>(), labelled(5));
  const auto none = collect_kfac(*risk, {});
  EXPECT_TRUE(none.layers.empty());
  EXPECT_EQ(coverage(none, risk->network().params()).text(),
            "covered 0 of 1 parameters (0.0 %), 0 of 12 elements (0.0 %); missing: only.weight");
}

TEST(KfacCoverage, CountsParametersAndElements) {
  const auto whole = mlp_risk(labelled(5), {.hidden = {7}, .bias = true}), half = half_tapped_risk();
  EXPECT_EQ(coverage(collect_kfac(*whole, {}), whole->network().params()).text(),
            "covered 4 of 4 parameters (100.0 %), 59 of 59 elements (100.0 %)");
  EXPECT_EQ(coverage(collect_kfac(*half, {}), half->network().params()).text(),
            "covered 2 of 4 parameters (50.0 %), 35 of 59 elements (59.3 %); missing: second.weight, "
            "second.bias");
}

TEST(KfacCoverage, OfLayersThatOverlapOrCoverAPartIsAnError) {
  const auto risk = language_risk(true);
  const model::ParamSpace& space = risk->network().params();
  auto factors = collect_kfac(*risk, {.plan = {.split_qkv = true}});
  const auto key = std::find_if(factors.layers.begin(), factors.layers.end(),
                                [](const auto& layer) { return layer.name == "blocks.0.attn.qkv.key"; });
  ASSERT_NE(key, factors.layers.end());
  key->first_row = 0;
  EXPECT_THROW(coverage(factors, space), InputError);
  factors.layers.erase(key);
  EXPECT_THROW(coverage(factors, space), InputError);
}

}  // namespace
}  // namespace ritzflow::curvature::test
