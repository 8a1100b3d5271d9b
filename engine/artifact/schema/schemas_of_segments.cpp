#include "artifact/schema/schema_fields.h"

namespace ritzflow::artifact::fields {

Schema checkpoint_schema() {
  return {
      "ritzflow-checkpoint", "1.0",
      "One immutable segment of a Lanczos run in flight; a run is continued from a chain of them.",
      with_segment({
          data("beta", real, {"m"}, "subdiagonal of H so far; beta[m-1] is the residual norm"),
          data("columns", real, {"c"}, "columns 0..m-1 of H down to the diagonal, one after the other"),
          data("spike", real, {"l"}, "couplings of a compressed basis: row l of H left of its diagonal"),
          data("residual_vector", real, {"n"}, "the next basis vector q, of unit length"),
          optional(data("rows", real, {"r", "n"},
                        "Lanczos vectors first_row .. first_row + r - 1, contiguous; where they lie on "
                        "disk already, instead:")),
          optional(attr("rows_file", text, "the file beside this one that holds them, row i at place i")),
          optional(data("rows_sha256", text, {"r"}, "SHA-256 of the bytes of each")),
          attr("begins_chain", boolean, "the rows need no segment before this one"),
          attr("first_row", integer, "number of the first row in this segment"),
          attr("products", integer, "products so far; above m where restarts compressed H"),
          attr("norm_estimate", real, "estimate of ||A|| so far"),
          attr("exhausted", boolean, "the basis spans an invariant subspace and no further direction exists"),
      })};
}

Schema training_schema() {
  return {
      "ritzflow-training", "1.0",
      "A training in flight: one segment holds all that the rest of the path depends on.",
      with_segment({
          data("theta", real, {"n"}, "the parameters after `step`"),
          data("optimizer/<name>", real, {"n"}, "what the optimizer carries: velocity, or mean and square"),
          optional(data("points/<step>", real, {"n"}, "the parameters of steps that model.h5 will hold")),
          data("record/step", integer, {"t"}, "steps at which the training was recorded"),
          data("record/loss", real, {"t"}, "mean loss over the training set at these steps"),
          optional(data("record/accuracy", real, {"t"}, "share of right answers; none for real targets")),
          attr("step", integer, "steps so far"),
          attr("updates", integer, "steps whose minibatch had a row that counts"),
      })};
}

Schema products_schema() {
  return {"ritzflow-products", "1.0",
          "Products of an operator that a stage has spent, in their order; one segment of them.",
          with_segment({
              data("products", real, {"r", "n"}, "A v, one product per row"),
              data("vectors_sha256", text, {"r"}, "SHA-256 of the bytes of each v"),
              attr("first_product", integer, "number of the first product in this segment"),
          })};
}

Schema sums_schema() {
  return {"ritzflow-sums", "1.0",
          "A collection of Kronecker factors in flight: one segment holds all sums so far.",
          with_segment({
              data("factors/<factor>/<strip>", real, {"..."},
                   "sum of a factor's moments, rows of its upper triangle from the diagonal on, or [in] as a "
                   "diagonal"),
              optional(data("second_moments/<layer>", real, {"out", "in"},
                            "sum of the squares in the Kronecker eigenbasis, where its pass has begun")),
              attr("batches", integer, "micro-batches in the sums, those of the second pass last"),
          })};
}

}  // namespace ritzflow::artifact::fields
