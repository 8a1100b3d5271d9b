#include "artifact/schema/schema_fields.h"

namespace ritzflow::artifact::fields {

Schema data_schema() {
  return {
      "ritzflow-data", "1.0", "A data set: inputs and targets of N samples.",
      with_common({
          optional(data(
              "inputs", number, {"N", "..."},
              "features (floating point) or tokens (integer), one sample per row; or a group, see below")),
          optional(data("inputs/<input>", number, {"M", "..."},
                        "one of several inputs, which a module takes by this name, one sample per row")),
          optional(data("shared/<input>", number, {"..."},
                        "what a module takes by this name for all samples alike, such as a graph")),
          data("targets", number, {"N", "..."},
               "class labels, one for a sample [N] or each of its tokens or pixels [N, ...], -100: none; "
               "several labels as 0 and 1 [N, C]; next tokens [N, T]; or real targets [N, ...]"),
          optional(
              data("mask", integer, {"N", "..."}, "1 where a sample or a term counts in the loss, else 0")),
          optional(
              data("weights", real, {"N", "..."}, "non-negative weight of each sample, or of each term")),
          attr("task", text, "classification, regression or language_modeling"),
          optional(attr("num_classes", integer, "number of classes, or size of the vocabulary")),
          optional(attr("several_labels", boolean,
                        "whether targets [N, C] of a classification are yes or no for each class")),
      })};
}

namespace {

/// What an export adds to the parameters of a step.
std::vector<Field> exported(const std::string& prefix) {
  return {
      optional(data(prefix + "buffers/<buffer>", number, {"..."},
                    "an exported module's buffer, or tensor that it holds; a scalar as [1]")),
      optional(data(prefix + "check/<product>", real, {"q"},
                    "norm of z, u, g or h at fixed vectors, or of l, r or s of a loss, and four "
                    "projections of it")),
      optional(data(prefix + "check_inputs/<slot>", number, {"..."},
                    "what an exported module was called with for these norms and projections")),
      optional(data(prefix + "loss/outputs", real, {"k", "C"},
                    "outputs of the model for some rows, where a loss of the user's own is checked")),
      optional(data(prefix + "loss/targets", number, {"k", "..."}, "targets of these rows")),
  };
}

}  // namespace

Schema model_schema() {
  Schema model = {
      "ritzflow-model", "1.0", "A trained model: its weights at chosen steps of training.",
      with_common({
          attr("spec", text, "JSON: {\"architecture\": {...}, \"training\": {...}}"),
          attr("parameter_order", text, "names of the parameters in the order of the flat vector", {"P"}),
          optional(attr("seed", integer, "seed of initialisation and batches")),
          data("steps/<step>/<parameter>", real, {"..."},
               "a parameter in PyTorch's shape (linear weight [out, in]) after that many steps"),
          optional(attr("steps/<step>@sha256", text,
                        "digest of the network and its weights at that step: what curvature depends on")),
          optional(data("training/step", integer, {"t"}, "steps at which the training was recorded")),
          optional(data("training/loss", real, {"t"}, "mean loss over the training set at these steps")),
          optional(data("training/accuracy", real, {"t"}, "share of right answers at these steps")),
      })};
  // Of a file with several steps each has its own.
  for (const char* prefix : {"", "points/<step>/"})
    for (const Field& field : exported(prefix)) model.fields.push_back(field);
  return model;
}

}  // namespace ritzflow::artifact::fields
