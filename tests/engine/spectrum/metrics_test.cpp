#include "spectrum/metrics.h"

#include <cmath>

#include "artifact/writer.h"
#include "core/error.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

/// A ritz.h5 written by hand; the intervals are eigenvalue -+ radius.
struct RitzFile {
  std::vector<double> eigenvalues;
  bool is_psd = false;
  std::vector<std::string> verdicts = std::vector<std::string>(eigenvalues.size(), "converged");
  double radius = 1e-9;
  int64_t k = static_cast<int64_t>(eigenvalues.size());
  int64_t iterations = 100;
  int64_t batch_size = 32;
  std::vector<std::string> warnings = {};
  std::string which = "largest";
  std::string dtype_basis = "float64";
};

void write_attributes(artifact::ArtifactWriter& file, const RitzFile& r) {
  for (const char* name : {"operator", "reorth_mode", "reorth_mode_requested", "basis_source"})
    file.attribute(name, "text");
  file.attribute("operator_sha256", std::string(64, '0'));
  file.attribute("is_psd", r.is_psd);
  file.attribute("k", r.k);
  file.attribute("which", r.which);
  file.attribute("iterations", r.iterations);
  file.attribute("batch_size_used", r.batch_size);
  file.attribute("noise", 0.0);
  file.attribute("dtype_basis", r.dtype_basis);
  if (!r.warnings.empty()) file.attribute("warnings", r.warnings);
  for (const char* name :
       {"n_params", "seed", "lanczos_operator_calls", "operator_calls", "naive_ghosts", "basis_bytes"}) {
    file.attribute(name, int64_t{4});
  }
  file.attribute("tol", 1e-6);
  file.attribute("norm_estimate", 1.0);
  file.attribute("certified_largest", false);
  file.attribute("lambda_min", -100.0);
  file.attribute("lambda_max", 100.0);
}

void write_file(const std::filesystem::path& path, const RitzFile& r) {
  artifact::ArtifactWriter file(path, "ritzflow-ritz");
  write_attributes(file, r);
  const auto count = static_cast<int64_t>(r.eigenvalues.size());
  std::vector<double> intervals;
  for (double value : r.eigenvalues) intervals.insert(intervals.end(), {value - r.radius, value + r.radius});
  file.dataset("eigenvalues", r.eigenvalues);
  file.dataset("naive_eigenvalues", r.eigenvalues);
  file.dataset("intervals", intervals, {count, 2});
  file.strings("verdicts", r.verdicts);
  for (const char* name : {"residuals", "residual_estimates"})
    file.dataset(name, std::vector<double>(r.eigenvalues.size(), r.radius));
  for (const char* name : {"basis_norms", "gammas"})
    file.dataset(name, std::vector<double>(r.eigenvalues.size(), 1.0));
  file.dataset("vectors", std::vector<double>(4 * r.eigenvalues.size(), 0.5), {count, 4});
  file.commit();
}

class Metrics : public StageTest {
 protected:
  nlohmann::ordered_json record(const RitzFile& r) {
    write_file(folder_ / "ritz.h5", r);
    return metrics_record(artifact::ArtifactReader(folder_ / "ritz.h5", "ritzflow-ritz"), nullptr);
  }
};

TEST_F(Metrics, ConditionNumberIsTheRatioOfTheExtremeReturnedValues) {
  const auto r = record({.eigenvalues = {8, 4, 2}, .is_psd = true});
  EXPECT_EQ(r["ritz_condition_number"], 4.0);
  EXPECT_FALSE(r.contains("range_ratio"));
}

TEST_F(Metrics, ConditionNumberPassesOverValuesThatMayBeZero) {
  EXPECT_EQ(record({.eigenvalues = {8, 2, 1e-10}, .is_psd = true})["ritz_condition_number"], 4.0);
  EXPECT_EQ(record({.eigenvalues = {1e-10, -1e-10}, .is_psd = true})["ritz_condition_number"], nullptr);
}

TEST_F(Metrics, EffectiveRankOfEqualValuesIsTheirNumber) {
  const auto rank = [&](std::vector<double> values) -> double {
    return record({.eigenvalues = std::move(values), .is_psd = true})["ritz_effective_rank"];
  };
  EXPECT_NEAR(rank({3, 3, 3, 3}), 4, 1e-14);
  EXPECT_NEAR(rank({5}), 1, 1e-14);
  EXPECT_NEAR(rank({5, 0, -1e-12}), 1, 1e-14);
  EXPECT_NEAR(rank({3, 1}), std::exp(-0.75 * std::log(0.75) - 0.25 * std::log(0.25)), 1e-14);
}

TEST_F(Metrics, NegativeMassOfTheReturnedValuesIsTheirShareOfTheAbsoluteSum) {
  const auto r = record({.eigenvalues = {6, 1, -1, -2}});
  EXPECT_EQ(r["negative_mass_topk"], 0.3);
  EXPECT_EQ(r["negative_fraction_topk"], 0.5);
  EXPECT_EQ(r["n_negative"], 2);
  EXPECT_EQ(r["has_negative_eigenvalues"], true);
  EXPECT_EQ(r["most_negative_eigenvalue"], -2.0);
}

TEST_F(Metrics, ValueWhoseIntervalReachesZeroIsNotCountedAsNegative) {
  const auto r = record({.eigenvalues = {6, -1e-10}});
  EXPECT_EQ(r["n_negative"], 0);
  EXPECT_EQ(r["has_negative_eigenvalues"], nullptr);
  EXPECT_EQ(r["most_negative_eigenvalue"], nullptr);
}

TEST_F(Metrics, RangeRatioAndSharpnessAreOfAbsoluteValues) {
  const auto r = record({.eigenvalues = {3, 1, -6}});
  EXPECT_EQ(r["range_ratio"], 0.5);
  EXPECT_EQ(r["sharpness_score"], 6.0);
  EXPECT_EQ(r["spectral_range"], 9.0);
  EXPECT_EQ(r["spectral_gap"], 2.0);
  EXPECT_EQ(record({.eigenvalues = {3, 0}})["range_ratio"], nullptr);
}

TEST_F(Metrics, GhostsAndSpuriousPairsCountInNoQuantity) {
  const auto r = record({.eigenvalues = {9, 8, 8, 2},
                         .is_psd = true,
                         .verdicts = {"spurious", "converged", "ghost", "unconverged"},
                         .k = 2});
  EXPECT_EQ(r["eigenvalues"], (std::vector<double>{8, 2}));
  EXPECT_EQ(r["max_eigenvalue"], 8.0);
  EXPECT_EQ(r["k_computed"], 2);
  EXPECT_EQ(r["n_converged"], 1);
  EXPECT_EQ(r["converged"], false);
}

TEST_F(Metrics, CopyFoundAtOneEndDoesNotStandInForAnUnconvergedPairAtTheOther) {
  const RitzFile r = {.eigenvalues = {9, 9, 8, -7, -8},
                      .verdicts = {"converged", "converged", "converged", "unconverged", "converged"},
                      .k = 4,
                      .which = "both"};
  EXPECT_EQ(record(r)["converged"], false);
  EXPECT_EQ(record(r)["n_converged"], 4);
  RitzFile all = r;
  all.verdicts = {"converged", "converged", "unconverged", "converged", "converged"};  // 8 is not wanted
  EXPECT_EQ(record(all)["converged"], true);
}

TEST_F(Metrics, WantedOfLargestMagnitudeAreToldByTheirAbsoluteValues) {
  RitzFile r = {.eigenvalues = {5, 1, -6},
                .verdicts = {"converged", "unconverged", "converged"},
                .k = 2,
                .which = "magnitude"};
  EXPECT_EQ(record(r)["converged"], true);
  r.which = "largest";
  EXPECT_EQ(record(r)["converged"], false);
}

TEST_F(Metrics, FewerPairsThanWantedAreNeverConverged) {
  EXPECT_EQ(record({.eigenvalues = {5, 4}, .k = 3})["converged"], false);
}

TEST_F(Metrics, WhatNoPairSaysIsNull) {
  for (const bool is_psd : {true, false}) {
    const auto r = record({.eigenvalues = {5}, .is_psd = is_psd, .verdicts = {"ghost"}});
    for (const char* name :
         {"max_eigenvalue", "min_eigenvalue", "spectral_gap", "spectral_range", "max_residual"})
      EXPECT_EQ(r.at(name), nullptr) << name;
    const std::vector<const char*> own = is_psd ? std::vector{"ritz_condition_number", "ritz_effective_rank"}
                                                : std::vector{"range_ratio", "sharpness_score",
                                                              "negative_mass_topk", "negative_fraction_topk"};
    for (const char* name : own) EXPECT_EQ(r.at(name), nullptr) << name;
  }
}

TEST_F(Metrics, GapOfASingleValueIsNull) { EXPECT_EQ(record({.eigenvalues = {5}})["spectral_gap"], nullptr); }

TEST_F(Metrics, BatchSizeOfAMatrixIsNull) {
  EXPECT_EQ(record({.eigenvalues = {5}})["batch_size_used"], 32);
  EXPECT_EQ(record({.eigenvalues = {5}, .batch_size = 0})["batch_size_used"], nullptr);
}

TEST_F(Metrics, WholeSpectrumIsReadFromTheDensityAndNullWithoutIt) {
  write_file(folder_ / "ritz.h5", {.eigenvalues = {5, -1}});
  {
    artifact::ArtifactWriter file(folder_ / "density.h5", "ritzflow-density");
    for (const char* name : {"grid", "density", "cdf", "cdf_lower", "cdf_upper"})
      file.dataset(name, std::vector<double>{0, 1});
    for (const char* name : {"negative_fraction", "negative_mass"}) {
      file.attribute(name, 0.25);
      file.attribute(std::string(name) + "_lower", 0.125);
      file.attribute(std::string(name) + "_upper", 0.5);
    }
    file.commit();
  }
  const artifact::ArtifactReader ritz(folder_ / "ritz.h5", "ritzflow-ritz");
  const artifact::ArtifactReader density(folder_ / "density.h5", "ritzflow-density");
  EXPECT_EQ(metrics_record(ritz, nullptr)["negative_fraction"], nullptr);
  EXPECT_EQ(metrics_record(ritz, nullptr)["negative_mass"], nullptr);
  EXPECT_EQ(metrics_record(ritz, &density)["negative_fraction"], 0.25);
  EXPECT_EQ(metrics_record(ritz, &density)["negative_mass_upper"], 0.5);
}

TEST_F(Metrics, RegularizationIsAddedToTheReportedValuesOfSemiDefiniteOperatorsOnly) {
  const auto with = [&](const RitzFile& r, const Regularization& regularization) {
    write_file(folder_ / "ritz.h5", r);
    return metrics_record(artifact::ArtifactReader(folder_ / "ritz.h5", "ritzflow-ritz"), nullptr,
                          regularization);
  };
  const RitzFile psd = {.eigenvalues = {8, 2, 0}, .is_psd = true};
  const auto fixed = with(psd, {RegularizationMode::fixed, 0.5});
  EXPECT_EQ(fixed["regularization_applied"], 0.5);
  EXPECT_EQ(fixed["eigenvalues"], (std::vector<double>{8.5, 2.5, 0.5}));
  EXPECT_EQ(fixed["ritz_condition_number"], 17.0);
  EXPECT_EQ(fixed["max_relative_residual"], record(psd)["max_relative_residual"]);
  EXPECT_EQ(with(psd, {RegularizationMode::relative, 0.5})["regularization_applied"], 4.0);
  EXPECT_EQ(with(psd, {RegularizationMode::automatic, 0.5})["regularization_applied"], 4.0);
  EXPECT_EQ(with({.eigenvalues = {8, 2}, .is_psd = true},
                 {RegularizationMode::automatic, 0.5})["regularization_applied"],
            0.0);
  EXPECT_EQ(record(psd)["regularization_applied"], 0.0);
  const RitzFile indefinite = {.eigenvalues = {8, -2}};
  EXPECT_EQ(with(indefinite, {RegularizationMode::automatic, 0.5})["eigenvalues"],
            (std::vector<double>{8, -2}));
  EXPECT_THROW(with(indefinite, {RegularizationMode::fixed, 0.5}), InputError);
}

TEST_F(Metrics, RoundingOfAFloat32BasisIsPartOfTheNoiseFloor) {
  EXPECT_LT(record({.eigenvalues = {5}})["noise_floor"], 1e-13);
  EXPECT_EQ(record({.eigenvalues = {5}})["residual_ratio"], 1.0);
  const auto rounded = record({.eigenvalues = {5}, .dtype_basis = "float32"});
  EXPECT_NEAR(rounded["noise_floor"], 0x1p-24, 1e-13);
  EXPECT_EQ(rounded["residual_ratio"], nullptr);  // residual and estimate are rounding, 1e-9
}

TEST_F(Metrics, WarningsAreThoseOfTheRitzFileAndNullWhereItHasNone) {
  EXPECT_EQ(record({.eigenvalues = {5}})["warnings"], nullptr);
  const std::vector<std::string> list = {"repeated values: 1 of the naive top 2"};
  EXPECT_EQ(record({.eigenvalues = {5}, .warnings = list})["warnings"], list);
}

}  // namespace
}  // namespace ritzflow::spectrum
