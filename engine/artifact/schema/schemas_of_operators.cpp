#include "artifact/schema/schema_fields.h"
#include "settings/stage_settings.h"

namespace ritzflow::artifact::fields {
namespace {

// The settings of every kind.
std::vector<Field> of_operators(std::vector<Field> fields) {
  fields = with_settings_of<RiskSettings>(with_settings_of<OperatorSettings>(std::move(fields)));
  const auto add = [&]<class... S>(const S&...) { ((fields = with_settings_of<S>(std::move(fields))), ...); };
  std::apply(add, SettingsOfEveryKind{});
  return with_settings_of<DrawSettings>(std::move(fields));
}

}  // namespace

Schema kfac_schema() {
  return {
      "ritzflow-kfac", "1.0", "Kronecker factors A (inputs) and G (output gradients) of each layer.",
      with_common(with_settings_of<RiskSettings>(with_settings_of<CollectionSettings>({
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
          optional(attr("layers/<layer>@pieces", integer,
                        "where W is not made of whole parameters: for each piece its place in `parameters`, "
                        "offset, rows, row stride, columns, column stride",
                        {"6q"})),
          optional(attr("layers/<layer>@rows", integer,
                        "of a part: first row and number of rows of W that are its own", {"2"})),
          optional(attr("layers/<layer>@columns", integer, "its first column and number of columns", {"2"})),
          optional(
              attr("layers/<layer>@tied", text,
                   "the table is also the token embedding; its block is that of the output layer alone")),
          attr("covered_parameters", integer, "parameters that some layer covers"),
          attr("total_parameters", integer, "parameters of the model"),
          attr("covered_elements", integer, "elements of the covered parameters"),
          attr("total_elements", integer, "elements of all parameters"),
          attr("missing", text, "names of the parameters that no layer covers", {"u"}),
          optional(attr("token_terms", text, "how a sample's tokens went back: separate, signs or sum")),
          optional(attr("step", integer, "training step of the model")),
          optional(attr("data_sha256", text, "content_sha256 of the data")),
          optional(attr("model_sha256", text, "steps/<step>@sha256 of the model, else its content_sha256")),
      })))};
}

Schema operator_schema() {
  return {
      "ritzflow-operator", "1.0", "A frozen symmetric operator and what its products were probed for.",
      with_common(of_operators({
          attr("n_params", integer, "dimension n"),
          attr("is_psd", boolean, "positive semi-definite by construction"),
          data("probes/repeatability", real, {}, "||A v - A v|| of two calls / (norm ||v||)"),
          data("probes/additivity", real, {}, "||A(u + v) - A u - A v||, relative to norm"),
          data("probes/symmetry", real, {}, "|u'A v - v'A u|, relative to norm"),
          data("probes/norm", real, {}, "estimate of ||A||_2"),
          optional(data("matrix", real, {"n", "..."}, "operator matrix: [n, n], or [n] as a diagonal")),
          optional(attr("step", integer, "training step whose weights are meant")),
          optional(attr("loss", text, "cross_entropy, mse, bce, or package.module:name of the user's own")),
          optional(attr("samples", integer, "samples of the data set")),
          optional(attr("rows", integer, "terms of the loss that count: samples, or tokens not masked")),
          optional(attr("memory", integer, "bytes that products may use")),
          optional(attr("memory_needed", integer, "bytes that they do, estimated")),
          optional(attr("linearizations", text, "kept between products, or rebuilt for each")),
          optional(attr("in_flight", integer, "micro-batches at once that memory allows")),
          optional(attr("data_sha256", text, "content_sha256 of data.h5")),
          optional(attr("model_sha256", text, "steps/<step>@sha256 of model.h5, else its content_sha256")),
          optional(attr("matrix_sha256", text, "digest of the matrix")),
          optional(data("spectrum", real, {"n"},
                        "all eigenvalues, descending, where they are known in closed form")),
          optional(attr("kfac_sha256", text, "content_sha256 of the Kronecker factors")),
          optional(attr("coverage", real, "share of the parameters' elements that factors cover")),
      }))};
}

}  // namespace ritzflow::artifact::fields
