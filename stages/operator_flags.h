#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/memory_size.h"
#include "curvature/flag_kinds.h"
#include "curvature/operator_settings.h"

namespace ritzflow {

/// The flags that say which operator is meant, shared by `build-operator` and `spectrum`.
struct OperatorFlags {
  OperatorSettings settings;
  std::string matrix;
  std::string memory = "4GiB";
  const CLI::App* app = nullptr;  ///< where they are declared: it knows which ones the user wrote

  /// The settings with `--matrix` taken apart. Throws InputError on a malformed one, and on flags that do not
  /// apply to the operator.
  OperatorSettings parsed() const {
    require_flags_apply(settings.kind, given());
    OperatorSettings all = settings;
    all.memory = parse_memory("--memory", memory);
    if (!matrix.empty()) all.matrix = parse_matrix_place(matrix);
    return all;
  }

 private:
  // Defaults that are written out say nothing new.
  std::vector<std::string> given() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app->get_options()) {
      if (option->count() > 0 && option->results().back() != option->get_default_str())
        names.push_back(option->get_name());
    }
    return names;
  }
};

inline void declare_operator_flags(CLI::App& app, OperatorFlags& flags) {
  OperatorSettings& s = flags.settings;
  flags.app = &app;
  app.option_defaults()->group("Input");
  app.add_option("--data", s.data, "data.h5: the samples that the risk averages over")->type_name("FILE");
  app.add_option("--model", s.model, "model.h5: the network and its parameters theta")->type_name("FILE");
  app.add_option("--step", s.step, "training step: a number in model.h5, or final")->capture_default_str();
  app.add_option("--kfac", s.kfac, "kfac, ekfac: kfac.h5 of collect-kfac")->type_name("FILE");
  app.add_option("--matrix", flags.matrix, "FILE.h5:/dataset: symmetric [n,n], or [n] as a diagonal")
      ->type_name("FILE:/DATASET");
  app.option_defaults()->group("Operator");
  app.add_option("--operator", s.kind, "hessian | ggn | mc_fisher | empirical_fisher | kfac | ekfac | matrix")
      ->required();
  app.add_option("--ggn-mode", s.ggn_mode, "ggn: true | empirical (rank one) | auto (= true)")
      ->capture_default_str();
  app.add_option("--mc-samples", s.mc_samples, "mc_fisher: draws per row")->capture_default_str();
  app.add_option(
         "--hessian-mode", s.hessian_mode,
         "hessian: reverse_over_reverse | forward_over_reverse | reverse_over_forward: nesting of the "
         "two derivatives; changes cost and rounding")
      ->capture_default_str();
  app.add_option("--fisher-unit", s.fisher_unit,
                 "empirical_fisher: sample | token | auto (= token): whose gradients; they agree where "
                 "a sample is one term of the loss")
      ->capture_default_str();
  app.add_option("--fisher-clip", s.fisher_clip,
                 "empirical_fisher: L2 bound of a sample's gradient (0: none)")
      ->capture_default_str();
  app.add_option(
         "--uncovered", s.uncovered,
         "kfac, ekfac: zero | identity | exact_ggn | refuse: how parameters without factors are treated")
      ->capture_default_str();
  app.add_option("--damping", s.damping, "kfac, ekfac: d >= 0 of the operator (K + d I)^p")
      ->capture_default_str();
  app.add_option("--power", s.power, "kfac, ekfac: p = 1, -1 (inverse) or -0.5 (inverse square root)")
      ->capture_default_str();
  app.add_option("--params-filter", s.params_filter, "GLOB ... of parameter names, '!GLOB' excludes");
  app.add_option("--dtype-compute", s.dtype_compute,
                 "float32 | float64 | bfloat16 (features alone; the rest in float32); a matrix is applied in "
                 "float64")
      ->capture_default_str();
  app.add_flag("--force", s.force, "a Hessian in bfloat16, whatever its noise");
  app.option_defaults()->group("Products");
  app.add_option(
      "--batch-size", s.batch_size,
      "samples in a micro-batch; changes cost and rounding, no more (default: about 512 rows, fewer "
      "where --memory asks for it)");
  app.add_option("--memory", flags.memory,
                 "bytes that products may use, as 4GiB or 512MiB: decides the micro-batch and whether "
                 "linearizations are kept")
      ->capture_default_str();
  app.add_option("--compute-threads", s.compute_threads,
                 "threads inside one micro-batch; part of the result's bits, unlike --threads")
      ->capture_default_str();
  app.add_option(
         "--device", s.device,
         "cpu | cuda: where products run, of which --memory is then the memory; vectors stay in host memory")
      ->capture_default_str();
}

}  // namespace ritzflow
