#include "artifact/schema/schema_fields.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::artifact::fields {

Schema lanczos_schema() {
  return {
      "ritzflow-lanczos", "1.0", "A Krylov factorisation A Q' = Q' H + beta q e', vectors as rows of Q.",
      with_common(with_run({
          data("H", real, {"m", "m"}, "every coefficient that was subtracted, column j by step j"),
          data("alpha", real, {"m"}, "diagonal of H"),
          data("beta", real, {"m"}, "subdiagonal of H; beta[m-1] is the final residual norm"),
          optional(data("spike", real, {"s"},
                        "after a restart: row s of H left of its diagonal, 0 where a pair is locked")),
          data("start_vector", real, {"n"}, "the vector that the iteration began with"),
          optional(data("basis", real, {"m", "n"},
                        "Lanczos vectors, where they were kept, of the type `dtype_basis`")),
          optional(data("residual_vector", real, {"n"}, "the next basis vector q, of unit length")),
          optional(data("locked/eigenvalues", real, {"l"},
                        "wanted values that the certificate found; what a restart locks stays in the basis")),
          optional(data("locked/vectors", real, {"l", "n"}, "their vectors")),
          optional(data("locked/residuals", real, {"l"}, "their residual norms")),
          optional(data("certificate/alpha", real, {"c"}, "diagonal of the certificate's own run")),
          optional(data("certificate/beta", real, {"c"}, "its subdiagonal")),
          attr("reorth_mode", text, "the mode that ran"),
          attr("reorth_reason", text, "why this mode ran"),
          attr("iterations", integer, "Lanczos steps; above m where restarts compressed H"),
          attr("operator_calls", integer, "all products, the certificate's included"),
          attr("certificate_calls", integer, "products of the certificate"),
          optional(attr("certificate_delta", real, "probability that the certificate is wrong")),
          optional(attr("certificate_budget", integer, "products that the certificate might spend")),
          optional(attr("certified_largest", boolean, "no larger eigenvalue was missed")),
          optional(attr("certified_smallest", boolean, "no smaller eigenvalue was missed")),
          optional(attr("upper_bound", real, "of every eigenvalue that is neither wanted nor locked")),
          optional(attr("lower_bound", real, "of every eigenvalue that is neither wanted nor locked")),
          optional(attr("basis_bytes", integer, "bytes of Lanczos vectors that were held at most")),
          optional(attr("converged", integer,
                        "wanted pairs that met the tolerance by their estimate; in off and selective equal "
                        "values count once")),
          optional(attr("norm_estimate", real, "estimate of ||A||_2")),
          optional(attr("noise", real, "relative noise of a product, from the operator's probes")),
          optional(attr("product_error", real,
                        "noise + 4 eps of the products' type: in every bound, times ||A||")),
          optional(attr("operator_sha256", text, "content_sha256 of the operator")),
          optional(attr("exhausted", boolean,
                        "the basis spans an invariant subspace and no further direction exists")),
      }))};
}

Schema ritz_schema() {
  return {
      "ritzflow-ritz", "1.0", "Ritz pairs, each with its evidence; row i of every dataset is pair i.",
      with_common(with_run({
          data("eigenvalues", real, {"r"}, "Ritz values, descending"),
          data("vectors", real, {"r", "n"},
               "Ritz vectors of unit length, float64 whatever the type of the basis"),
          data("residuals", real, {"r"}, "true ||A x - theta x||"),
          optional(data("relative_residuals", real, {"r"},
                        "residual / max(|theta|, eps^(2/3) ||A||): converged where it is at most tol")),
          optional(data("gaps", real, {"r"},
                        "distance to all other eigenvalues where the certificate knows it, else 0")),
          optional(data("clusters", integer, {"r"},
                        "number of the cluster: pairs whose intervals overlap share one; ghosts -1")),
          data("residual_estimates", real, {"r"}, "beta |s_m| / ||Q's||"),
          data("basis_norms", real, {"r"}, "||Q's||; 1 where the basis is orthonormal"),
          data("intervals", real, {"r", "2"}, "lower and upper end; each holds an eigenvalue of A"),
          data("verdicts", text, {"r"}, "converged, unconverged, ghost or spurious"),
          data("gammas", real, {"r"},
               "squared first components of the eigenvectors of H; after a restart, and of pairs that the "
               "certificate found, (x'start)^2"),
          optional(data("orthogonality_loss", real, {"m"}, "max_i<j |q_i'q_j| at each step j")),
          optional(data("naive_eigenvalues", real, {"q"}, "what a run without verdicts would report")),
          optional(attr("warnings", text, "of the method, each with the number that raised it", {"w"})),
          optional(attr("asymmetry", real, "|u'A v - v'A u| / ||A|| of the operator's probes")),
          attr("lambda_min", real, "smallest Ritz value (`selective`: Rayleigh quotient)"),
          attr("lambda_max", real, "largest Ritz value (`selective`: Rayleigh quotient)"),
          attr("certified_largest", boolean,
               "no larger eigenvalue was missed, with probability at least 1 - certificate_delta"),
          optional(attr("certificate_delta", real, "probability that the certificate is wrong")),
          optional(attr("certified_smallest", boolean, "the same at the lower end")),
          optional(attr("lower_bound", real, "of every eigenvalue that was not returned")),
          optional(attr("certificate_calls", integer,
                        "products of the certificate, part of lanczos_operator_calls")),
          optional(attr("upper_bound", real, "of every eigenvalue that was not returned")),
          optional(attr("product_error", real,
                        "noise + 4 eps of the products' type: in every interval, times ||A||")),
          attr("operator_calls", integer, "products of this stage"),
          optional(attr("is_psd", boolean, "positive semi-definite by construction")),
          optional(attr("operator", text, "kind of the operator")),
          optional(attr("reorth_mode", text, "the mode that ran")),
          optional(attr("iterations", integer, "Lanczos steps")),
          optional(attr("lanczos_operator_calls", integer, "products of the lanczos stage")),
          optional(attr("lanczos_sha256", text, "content_sha256 of the lanczos.h5 that the pairs come from")),
          optional(attr("basis_source", text,
                        "stored, replayed, recomputed (a replay of other bits) or two_pass")),
      }))};
}

Schema density_schema() {
  return {
      "ritzflow-density", "1.0", "Spectral density and its cumulative form with a band, on a common grid.",
      with_common(with_settings_of<DensitySettings>({
          data("grid", real, {"g"}, "points lambda, ascending"),
          data("density", real, {"g"}, "smoothed density; integrates to 1"),
          optional(data("density_lower", real, {"g"}, "lower end of its band")),
          optional(data("density_upper", real, {"g"}, "upper end of its band")),
          data("cdf", real, {"g"}, "share of eigenvalues <= lambda"),
          data("cdf_lower", real, {"g"}, "lower end of its band"),
          data("cdf_upper", real, {"g"}, "upper end of its band"),
          optional(data("outliers", real, {"c"},
                        "eigenvalues, copies included, that count 1/n each: certificates vouch for them")),
          optional(attr("method", text, "quadrature of Lanczos runs, or closed_form: exact")),
          optional(attr("operator_sha256", text, "content_sha256 of the operator.h5 of all runs")),
          optional(attr("n_params", integer, "dimension of the operator")),
          optional(attr("reorth_mode", text, "mode of all runs")),
          optional(attr("probes", integer, "seeds of the probe vectors, in the order of the files", {"p"})),
          optional(attr("bandwidth", real, "standard deviation of the Gaussians that make `density`")),
          optional(attr("support", real, "ends of the spectrum, with probability 1 - delta", {"2"})),
          optional(attr("widening", real, "of the quadrature bounds, where the mode loses orthogonality")),
          optional(attr("widening_reason", text, "why; empty where it is 0")),
          attr("negative_fraction", real,
               "share of negative eigenvalues: estimated from those beyond the noise of a product, bounded "
               "whatever sign those within it have"),
          optional(attr("negative_fraction_lower", real, "its lower bound")),
          optional(attr("negative_fraction_upper", real, "its upper bound")),
          attr("negative_mass", real,
               "sum of |lambda| over negative ones / sum over all, estimated and bounded likewise"),
          attr("negative_mass_lower", real, "its lower bound"),
          attr("negative_mass_upper", real, "its upper bound"),
      }))};
}

}  // namespace ritzflow::artifact::fields
