#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "app/progress.h"

namespace ritzflow::app {

/// What a running stage gets from the runner.
struct StageRun {
  std::filesystem::path out;  ///< `--out`: appears by rename only
  int threads = 1;            ///< `--threads`: never changes a bit of the result
  nlohmann::json facts;       ///< command line, version, host, start time; see provenance()

  /// A progress display of `total` steps: a bar on a terminal, a plain line about every 30 s elsewhere.
  Progress progress(const std::string& unit, int64_t total) const;

  /// `facts`, the time until now and, where the run checkpoints, its attempts (attempts_of()); for
  /// ArtifactWriter::provenance().
  nlohmann::json provenance(const nlohmann::json& attempts = {}) const;

  bool quiet = false;
};

/// A stage binary: what it is, its flags, its work. `main` is written once (engine/app/main.cpp).
struct Stage {
  std::string name;         ///< file name = binary = rule = log name
  std::string summary;      ///< what it computes, with its equation
  std::string example;      ///< a command line that works
  int algorithm = 1;        ///< raised whenever the same input may give other bits; sweeps re-run on it
  bool writes_file = true;  ///< whether `--out FILE` exists and is required
  std::function<void(CLI::App&)> declare;  ///< adds the stage's flags
  std::function<void(StageRun&)> run;      ///< does the work; throws the errors of core/error.h
};

/// Parses flags, sets logging, threads and signals, runs the stage, turns errors into one `error: ` line and
/// the exit status of the contract.
int run_stage(const Stage& stage, int argc, const char* const* argv);

/// Whether SIGTERM, SIGINT or SIGUSR1 asked to stop after the product in flight. A second signal ends the
/// process at once.
bool stop_requested();

}  // namespace ritzflow::app

namespace ritzflow {

/// Defined by each file in stages/.
app::Stage make_stage();

}  // namespace ritzflow
