#pragma once
#include "settings/choices.h"
#include "settings/setting.h"

namespace ritzflow {

/// What is asked of a run of Lanczos.
struct LanczosSettings {
  int64_t k = 10;
  int64_t max_iters = 100;
  double tol = 0;  ///< 0: not given; resolved() chooses reachable_tol()
  Which which = Which::largest;
  ReorthMode reorth_mode = ReorthMode::automatic;
  int64_t reorth_window = 8;
  int64_t reorth_period = 5;
  int64_t krylov_dim = 0;
  int64_t seed = 0;
  BasisType dtype_basis = BasisType::float64;
};

template <class Visit>
void each_setting(LanczosSettings& s, Visit&& visit) {
  static constexpr std::string_view selective[] = {"selective"}, restarting[] = {"thick_restart", "auto"};
  visit(s.k, {.name = "k", .doc = "number of wanted eigenpairs", .least = 1});
  visit(s.max_iters, {.name = "max_iters", .doc = "maximum number of matrix-vector products", .least = 1});
  visit(s.tol, {.name = "tol",
                .doc = "a wanted pair is converged when residual <= tol * max(|theta|, eps^(2/3) ||A||)",
                .unset = "1e-8, or ten times the noise of a product if larger",
                .above = 0});
  visit(s.which, {.name = "which", .doc = "which eigenvalues are wanted"});
  visit(s.reorth_mode, {.name = "reorth_mode",
                        .doc = "reorthogonalisation; selective is a sliding window",
                        .attribute = "reorth_mode_requested"});
  visit(s.reorth_window,
        {.name = "reorth_window", .doc = "vectors in the sliding window", .only_for = selective, .least = 1});
  visit(s.reorth_period, {.name = "reorth_period",
                          .doc = "steps from one reorthogonalisation to the next",
                          .only_for = selective,
                          .least = 1});
  visit(s.krylov_dim, {.name = "krylov_dim",
                       .doc = "maximum number of vectors before a restart, at least k + 2",
                       .unset = "max(3 k, k + 30)",
                       .only_for = restarting,
                       .least = 0});
  visit(s.seed, {.name = "seed", .doc = "seed of the random start vector", .least = 0});
  visit(s.dtype_basis, {.name = "dtype_basis",
                        .doc = "how Lanczos vectors are stored; float32 takes half the memory, and what it "
                               "rounds away counts as noise of 6e-8 ||A||"});
}

/// The search for missed pairs beyond the converged ones.
struct CertificateSettings {
  bool no_certificate = false;
  double certificate_delta = 1e-6;
  int64_t certificate_budget = 0;
};

template <class Visit>
void each_setting(CertificateSettings& s, Visit&& visit) {
  visit(s.no_certificate, {.name = "no_certificate",
                           .doc = "do not search for missed pairs beyond the converged ones",
                           .stored = Stored::never});
  visit(s.certificate_delta, {.name = "certificate_delta",
                              .doc = "probability that the certificate is wrong",
                              .above = 0,
                              .below = 1,
                              .stored = Stored::never});
  visit(s.certificate_budget, {.name = "certificate_budget",
                               .doc = "maximum number of products of the certificate",
                               .unset = "as many as the run took, at least 30",
                               .least = 0,
                               .stored = Stored::never});
}

/// Where Lanczos vectors are held; not part of a run's identity.
template <class Place>
struct BasisSettings {
  Place basis = Place::automatic;
  MemorySize basis_memory;
};

template <class Place, class Visit>
void each_setting(BasisSettings<Place>& s, Visit&& visit) {
  constexpr bool replays = std::is_same_v<Place, ReplayPlace>;
  visit(s.basis, {.name = "basis",
                  .doc = replays ? "where Lanczos vectors are held, stored or replayed ones: disk is beside "
                                   "the output, none a two-pass replay in the memory of two (modes off and "
                                   "selective)"
                                 : "where Lanczos vectors are held; disk is beside the output, or in the "
                                   "checkpoint; auto: in memory if they fit; the results are bit-identical",
                  .changes_results = false,
                  .stored = Stored::never});
  visit(s.basis_memory, {.name = "basis_memory",
                         .doc = "bytes that Lanczos vectors may take in memory, as 8GiB or 512MiB",
                         .unset = "0.8 of what is available",
                         .changes_results = false,
                         .stored = Stored::never});
}

/// The density of the whole spectrum.
struct DensitySettings {
  int64_t grid_points = 512;
  double bandwidth = 0;
  double deviations = 4;
  double delta = 1e-6;
};

template <class Visit>
void each_setting(DensitySettings& s, Visit&& visit) {
  visit(s.grid_points, {.name = "grid_points",
                        .doc = "points of the grid",
                        .least = 2,
                        .below = (1 << 20) + 1,
                        .stored = Stored::never});
  visit(s.bandwidth, {.name = "bandwidth",
                      .doc = "standard deviation of the smoothing Gaussians, in units of eigenvalues",
                      .unset = "a hundredth of the range",
                      .least = 0,
                      .stored = Stored::never});
  visit(s.deviations, {.name = "deviations",
                       .doc = "standard deviations of the Monte-Carlo error that every bound allows for",
                       .above = 0});
  visit(s.delta, {.name = "delta",
                  .doc = "probability that either end of the support is wrong",
                  .above = 0,
                  .below = 1});
}

}  // namespace ritzflow
