#include <stdexcept>
#include <utility>

#include "artifact/schema.h"

namespace ritzflow {
namespace {

using enum TypeClass;
using Shape = std::vector<std::string>;

Field data(std::string path, TypeClass type, Shape shape, std::string doc) {
  return {std::move(path), FieldKind::dataset, type, std::move(shape), true, std::move(doc)};
}

Field attr(std::string path, TypeClass type, std::string doc, Shape shape = {}) {
  return {std::move(path), FieldKind::attribute, type, std::move(shape), true, std::move(doc)};
}

Field optional(Field field) {
  field.required = false;
  return field;
}

std::vector<Field> with_common(std::vector<Field> fields) {
  std::vector<Field> all = {
      attr("format", text, "name of the format"),
      attr("format_version", text, "major.minor; a reader refuses another major"),
      optional(attr("content_sha256", text, "digest of everything outside /provenance")),
  };
  all.insert(all.end(), fields.begin(), fields.end());
  return all;
}

// A checkpoint's segment says whose it is.
std::vector<Field> with_segment(std::vector<Field> fields) {
  fields.insert(fields.begin(),
                attr("identity", text, "JSON: settings and digests that a continuation must share"));
  return with_common(std::move(fields));
}

// Settings of the method, copied from stage to stage under one name.
std::vector<Field> with_settings(std::vector<Field> fields) {
  const std::vector<Field> settings = {
      optional(attr("k", integer, "number of wanted eigenpairs")),
      optional(attr("max_iters", integer, "limit on Lanczos steps")),
      optional(attr("tol", real,
                    "a wanted pair is converged when residual <= tol * max(|theta|, eps^(2/3) ||A||)")),
      optional(attr("which", text, "largest, smallest, both or magnitude")),
      optional(attr("seed", integer, "seed of the start vector")),
      optional(attr("reorth_window", integer, "vectors in the sliding window of selective")),
      optional(attr("reorth_period", integer, "steps between reorthogonalisations")),
      optional(attr("krylov_dim", integer, "largest basis before a thick restart")),
      optional(attr("n_params", integer, "dimension n of the operator")),
  };
  fields.insert(fields.end(), settings.begin(), settings.end());
  return fields;
}

Schema data_schema() {
  return {
      "ritzflow-data", "1.0", "A data set: inputs and targets of N samples.",
      with_common({
          data("inputs", number, {"N", "..."},
               "features (floating point) or tokens (integer), a sample a row"),
          data("targets", number, {"N", "..."},
               "class labels [N], several of them as 0 and 1 [N, C], next tokens [N, T], or real targets"),
          optional(data("mask", integer, {"N", "T"}, "1 where a token counts in the loss, else 0")),
          optional(data("weights", real, {"N"}, "non-negative weight of each sample")),
          attr("task", text, "classification, regression or language_modeling"),
          optional(attr("num_classes", integer, "number of classes, or size of the vocabulary")),
      })};
}

Schema model_schema() {
  return {"ritzflow-model", "1.0", "A trained model: its weights at chosen steps of training.",
          with_common({
              attr("spec", text, "JSON: {\"architecture\": {...}, \"training\": {...}}"),
              attr("parameter_order", text, "names of the parameters in the order of the flat vector", {"P"}),
              optional(attr("seed", integer, "seed of initialisation and batches")),
              data("steps/<step>/<parameter>", real, {"..."},
                   "a parameter in PyTorch's shape (linear weight [out, in]) after that many steps"),
              optional(data("buffers/<buffer>", number, {"..."},
                            "an exported module's buffer, or tensor that it holds; a scalar as [1]")),
              optional(data("check/<product>", real, {"q"},
                            "norm of z, u, g or h at fixed vectors, and four projections of it")),
              optional(data("training/step", integer, {"t"}, "steps at which the training was recorded")),
              optional(data("training/loss", real, {"t"}, "mean loss over the training set at these steps")),
              optional(data("training/accuracy", real, {"t"}, "share of right answers at these steps")),
          })};
}

Schema kfac_schema() {
  return {
      "ritzflow-kfac", "1.0", "Kronecker factors A (inputs) and G (output gradients) of each layer.",
      with_common({
          optional(data("layers/<layer>/a_eigenvalues", real, {"in"},
                        "of A, ascending; the bias counts as one more, last input")),
          optional(data("layers/<layer>/a_eigenvectors", real, {"in", "in"},
                        "columns are eigenvectors, as in LAPACK; absent: the identity (embeddings)")),
          optional(data("layers/<layer>/g_eigenvalues", real, {"out"}, "eigenvalues of G")),
          optional(data("layers/<layer>/g_eigenvectors", real, {"out", "out"}, "columns are eigenvectors")),
          optional(data("layers/<layer>/a", real, {"in", "in"}, "A itself, instead of its eigenpairs")),
          optional(data("layers/<layer>/g", real, {"out", "out"}, "G itself, instead of its eigenpairs")),
          optional(data("layers/<layer>/ekfac_eigenvalues", real, {"out", "in"},
                        "second moments in the Kronecker eigenbasis")),
          attr("layers/<layer>@parameters", text, "parameters of the layer's block, weight first", {"p"}),
          optional(
              attr("layers/<layer>@kind", text, "linear (where absent), convolution, embedding or norm")),
          optional(attr("layers/<layer>@rows", integer,
                        "of a part: first row and number of rows of W that are its own", {"2"})),
          optional(attr("layers/<layer>@columns", integer, "its first column and number of columns", {"2"})),
          optional(
              attr("layers/<layer>@tied", text,
                   "the table is the token embedding, too; its block is that of the output layer alone")),
          attr("covered_parameters", integer, "parameters that some layer covers"),
          attr("total_parameters", integer, "parameters of the model"),
          attr("covered_elements", integer, "elements of the covered parameters"),
          attr("total_elements", integer, "elements of all parameters"),
          attr("missing", text, "names of the parameters that no layer covers", {"u"}),
          optional(attr("kfac_approx", text, "weight sharing: expand or reduce")),
          optional(attr("fisher_type", text, "type2, mc or empirical")),
          optional(attr("token_terms", text, "how a sample's tokens went back: separate, signs or sum")),
          optional(attr("step", integer, "training step of the model")),
          optional(attr("data_sha256", text, "content_sha256 of the data")),
          optional(attr("model_sha256", text, "content_sha256 of the model")),
      })};
}

Schema operator_schema() {
  return {
      "ritzflow-operator", "1.0", "A frozen symmetric operator and what its products were probed for.",
      with_common({
          attr("operator", text, "hessian, ggn, mc_fisher, empirical_fisher, kfac, ekfac or matrix"),
          attr("n_params", integer, "dimension n"),
          attr("is_psd", boolean, "positive semi-definite by construction"),
          data("probes/repeatability", real, {}, "||A v - A v|| of two calls / (norm ||v||)"),
          data("probes/additivity", real, {}, "||A(u + v) - A u - A v||, relative to norm"),
          data("probes/symmetry", real, {}, "|u'A v - v'A u|, relative to norm"),
          data("probes/norm", real, {}, "estimate of ||A||_2"),
          optional(data("matrix", real, {"n", "..."}, "operator matrix: [n, n], or [n] as a diagonal")),
          optional(attr("batch_size_used", integer, "samples in a micro-batch; 0 for a matrix")),
          optional(attr("dtype_compute", text, "float32, float64 or bfloat16: the arithmetic of a product")),
          optional(attr("step", integer, "training step whose weights are meant")),
          optional(attr("seed", integer, "seed of Monte-Carlo draws and probe vectors")),
          optional(attr("loss", text, "cross_entropy, mse or bce")),
          optional(attr("hessian_mode", text, "how the two derivatives of a Hessian are nested")),
          optional(attr("samples", integer, "samples of the data set")),
          optional(attr("rows", integer, "terms of the loss that count: samples, or tokens not masked")),
          optional(attr("memory", integer, "bytes that products may use")),
          optional(attr("memory_needed", integer, "bytes that they do, estimated")),
          optional(attr("linearizations", text, "kept between products, or rebuilt for each")),
          optional(attr("in_flight", integer, "micro-batches at once that memory allows")),
          optional(attr("compute_threads", integer, "threads inside one micro-batch")),
          optional(attr("fisher_clip", real, "L2 bound of a sample's gradient; 0: none")),
          optional(attr("ggn_mode", text, "true or empirical")),
          optional(attr("mc_samples", integer, "draws a row of mc_fisher")),
          optional(attr("fisher_unit", text, "sample or token: what a Fisher matrix averages over")),
          optional(attr("data_sha256", text, "content_sha256 of data.h5")),
          optional(attr("model_sha256", text, "content_sha256 of model.h5")),
          optional(attr("matrix_sha256", text, "digest of the matrix")),
          optional(data("spectrum", real, {"n"},
                        "all eigenvalues, descending, where they are known in closed form")),
          optional(attr("kfac_sha256", text, "content_sha256 of the Kronecker factors")),
          optional(attr("uncovered", text, "what stands for parameters without factors")),
          optional(attr("damping", real, "d of (K + d I)^p")),
          optional(attr("power", real, "p of (K + d I)^p")),
          optional(attr("coverage", real, "share of the parameters' elements that factors cover")),
      })};
}

Schema lanczos_schema() {
  return {
      "ritzflow-lanczos", "1.0", "A Krylov factorisation A Q' = Q' H + beta q e', vectors as rows of Q.",
      with_common(with_settings({
          data("H", real, {"m", "m"}, "every coefficient that was subtracted, column j by step j"),
          data("alpha", real, {"m"}, "diagonal of H"),
          data("beta", real, {"m"}, "subdiagonal of H; beta[m-1] is the final residual norm"),
          optional(data("spike", real, {"s"},
                        "after a restart: row s of H left of its diagonal, 0 where a pair is locked")),
          data("start_vector", real, {"n"}, "the vector that the iteration began with"),
          optional(data("basis", real, {"m", "n"}, "Lanczos vectors, where they were kept")),
          optional(data("residual_vector", real, {"n"}, "the unit vector q behind the basis")),
          optional(data("locked/eigenvalues", real, {"l"},
                        "wanted values that the certificate found; what a restart locks stays in the basis")),
          optional(data("locked/vectors", real, {"l", "n"}, "their vectors")),
          optional(data("locked/residuals", real, {"l"}, "their residual norms")),
          optional(data("certificate/alpha", real, {"c"}, "diagonal of the certificate's own run")),
          optional(data("certificate/beta", real, {"c"}, "its subdiagonal")),
          attr("reorth_mode", text, "the mode that ran"),
          attr("reorth_mode_requested", text, "the mode that was asked for"),
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
          optional(attr("converged", integer, "wanted pairs that met the tolerance by their estimate")),
          optional(attr("norm_estimate", real, "estimate of ||A||_2")),
          optional(attr("noise", real, "relative noise of a product, from the operator's probes")),
          optional(attr("operator_sha256", text, "content_sha256 of the operator")),
          optional(attr("exhausted", boolean, "an invariant subspace was met, and no direction behind it")),
      }))};
}

Schema ritz_schema() {
  return {
      "ritzflow-ritz", "1.0", "Ritz pairs, each with its evidence; row i of every dataset is pair i.",
      with_common(with_settings({
          data("eigenvalues", real, {"r"}, "Ritz values, descending"),
          data("vectors", real, {"r", "n"}, "Ritz vectors of unit length"),
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
          data("gammas", real, {"r"}, "squared first components of the eigenvectors of H"),
          optional(data("orthogonality_loss", real, {"m"}, "max_i<j |q_i'q_j| at each step j")),
          optional(data("naive_eigenvalues", real, {"q"}, "what a run without verdicts would report")),
          optional(attr("warnings", text, "of the method, each with the number that raised it", {"w"})),
          optional(attr("asymmetry", real, "|u'A v - v'A u| / ||A|| of the operator's probes")),
          attr("lambda_min", real, "smallest Ritz value that is no ghost"),
          attr("lambda_max", real, "largest Ritz value that is no ghost"),
          attr("certified_largest", boolean, "no larger eigenvalue was missed, but for certificate_delta"),
          optional(attr("certificate_delta", real, "probability that the certificate is wrong")),
          optional(attr("certified_smallest", boolean, "the same at the lower end")),
          optional(attr("lower_bound", real, "of every eigenvalue that was not returned")),
          optional(attr("certificate_calls", integer,
                        "products of the certificate, part of lanczos_operator_calls")),
          optional(attr("upper_bound", real, "of every eigenvalue that was not returned")),
          attr("operator_calls", integer, "products of this stage"),
          optional(attr("is_psd", boolean, "positive semi-definite by construction")),
          optional(attr("operator", text, "kind of the operator")),
          optional(attr("reorth_mode", text, "the mode that ran")),
          optional(attr("iterations", integer, "Lanczos steps")),
          optional(attr("lanczos_operator_calls", integer, "products of the lanczos stage")),
          optional(attr("lanczos_sha256", text, "content_sha256 of the lanczos.h5 that the pairs come from")),
          optional(attr("basis_source", text, "stored or replayed: where the vectors came from")),
      }))};
}

Schema density_schema() {
  return {
      "ritzflow-density", "1.0", "Spectral density and its cumulative form with a band, on a common grid.",
      with_common({
          data("grid", real, {"g"}, "points lambda, ascending"),
          data("density", real, {"g"}, "smoothed density; integrates to 1"),
          data("cdf", real, {"g"}, "share of eigenvalues <= lambda"),
          data("cdf_lower", real, {"g"}, "lower end of its band"),
          data("cdf_upper", real, {"g"}, "upper end of its band"),
          optional(attr("operator_sha256", text, "content_sha256 of the operator.h5 of all runs")),
          optional(attr("n_params", integer, "dimension of the operator")),
          optional(attr("reorth_mode", text, "mode of all runs")),
          optional(attr("probes", integer, "seeds of the probe vectors, in the order of the files", {"p"})),
          optional(attr("bandwidth", real, "standard deviation of the Gaussians that make `density`")),
          optional(attr("deviations", real, "Monte-Carlo standard deviations that every bound allows for")),
          optional(attr("delta", real, "probability that an end of the support is wrong")),
          optional(attr("support", real, "ends of the spectrum, with probability 1 - delta", {"2"})),
          optional(attr("widening", real, "of the quadrature bounds, where the mode loses orthogonality")),
          optional(attr("widening_reason", text, "why; empty where it is 0")),
          attr("negative_fraction", real, "share of negative eigenvalues"),
          optional(attr("negative_fraction_lower", real, "its lower bound")),
          optional(attr("negative_fraction_upper", real, "its upper bound")),
          attr("negative_mass", real, "sum of |lambda| over negative ones / sum over all"),
          attr("negative_mass_lower", real, "its lower bound"),
          attr("negative_mass_upper", real, "its upper bound"),
      })};
}

Schema checkpoint_schema() {
  return {"ritzflow-checkpoint", "1.0",
          "One immutable segment of a Lanczos run in flight; a run is continued from a chain of them.",
          with_segment({
              data("beta", real, {"m"}, "subdiagonal of H so far; beta[m-1] is the residual norm"),
              data("columns", real, {"c"}, "columns 0..m-1 of H down to the diagonal, one after the other"),
              data("spike", real, {"l"}, "couplings of a compressed basis: row l of H left of its diagonal"),
              data("residual_vector", real, {"n"}, "the unit vector q behind the basis"),
              data("rows", real, {"r", "n"}, "Lanczos vectors first_row .. first_row + r - 1, contiguous"),
              attr("begins_chain", boolean, "the rows need no segment before this one"),
              attr("first_row", integer, "number of the first row in this segment"),
              attr("products", integer, "products so far; above m where restarts compressed H"),
              attr("norm_estimate", real, "estimate of ||A|| so far"),
              attr("exhausted", boolean, "an invariant subspace was met, and no direction behind it"),
          })};
}

Schema training_schema() {
  return {
      "ritzflow-training", "1.0",
      "A training in flight: one segment says all that the path behind it depends on.",
      with_segment({
          data("theta", real, {"n"}, "the parameters behind `step`"),
          data("optimizer/<name>", real, {"n"}, "what the optimizer carries: velocity, or mean and square"),
          optional(data("points/<step>", real, {"n"}, "the parameters of steps that model.h5 will hold")),
          data("record/step", integer, {"t"}, "steps at which the training was recorded"),
          data("record/loss", real, {"t"}, "mean loss over the training set at these steps"),
          data("record/accuracy", real, {"t"}, "share of right answers, NaN for real targets"),
          attr("step", integer, "steps so far"),
          attr("updates", integer, "steps whose minibatch had a row that counts"),
      })};
}

Schema products_schema() {
  return {"ritzflow-products", "1.0",
          "Products of an operator that a stage has spent, in their order; one segment of them.",
          with_segment({
              data("products", real, {"r", "n"}, "A v, a product a row"),
              data("vectors_sha256", text, {"r"}, "SHA-256 of the bytes of each v"),
              attr("first_product", integer, "number of the first product in this segment"),
          })};
}

}  // namespace

const std::vector<Schema>& schemas() {
  static const std::vector<Schema> all = {
      data_schema(), model_schema(),   kfac_schema(),       operator_schema(), lanczos_schema(),
      ritz_schema(), density_schema(), checkpoint_schema(), training_schema(), products_schema()};
  return all;
}

const Schema& schema(const std::string& format) {
  for (const auto& candidate : schemas())
    if (candidate.format == format) return candidate;
  throw std::logic_error("there is no format '" + format + "'");
}

}  // namespace ritzflow
