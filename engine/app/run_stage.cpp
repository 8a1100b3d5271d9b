#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <thread>

#include "app/number_checks.h"
#include "app/output_place.h"
#include "app/provenance.h"
#include "app/signals.h"
#include "app/stage.h"
#include "artifact/opened.h"
#include "artifact/publish.h"
#include "core/error.h"
#include "core/fault.h"
#include "core/nearest.h"
#include "core/resident_memory.h"
#include "ritzflow_version.h"

namespace ritzflow::app {
namespace {

struct CommonFlags {
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool quiet = false;
  std::string log_level = "info";
};

void declare_common(CLI::App& app, const Stage& stage, StageRun& run, CommonFlags& common) {
  app.option_defaults()->group("Output and resources");
  if (stage.writes_file) app.add_option("--out", run.out, "output FILE; appears by rename only")->required();
  app.add_option("--threads", common.threads, "threads; results do not depend on it")
      ->check(integer_from(1, std::numeric_limits<int>::max()))
      ->capture_default_str();
  app.add_flag("--quiet", common.quiet, "warnings and errors only");
  app.add_option("--log-level", common.log_level, "debug | info | warn | error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.set_version_flag("--version",
                       fmt::format("{} {} (algorithm {})", stage.name, RITZFLOW_VERSION, stage.algorithm));
}

void set_logging(const Stage& stage, const CommonFlags& common) {
  auto logger = spdlog::stderr_color_st(stage.name);
  logger->set_pattern("%n: %v");
  logger->set_level(common.quiet ? spdlog::level::warn : spdlog::level::from_str(common.log_level));
  spdlog::set_default_logger(logger);
}

int fail(ExitCode code, std::string message) {
  std::ranges::replace(message, '\n', ' ');
  std::cerr << "error: " << message << '\n';
  return static_cast<int>(code);
}

std::string unexpected_flags(const CLI::App& app) {
  std::vector<std::string> known;
  for (const auto* option : app.get_options()) {
    if (option->nonpositional()) known.push_back("--" + option->get_single_name());
  }
  std::string text;
  for (const auto& word : app.remaining()) {
    if (word.starts_with("-")) text += "unknown flag '" + word + "'" + did_you_mean(word, known) + " ";
  }
  return text.empty() ? "unexpected argument '" + app.remaining().front() + "'" : text;
}

// A run of hours must not find out at its end that its output cannot be written.
void check_output(const CLI::App& app, const std::filesystem::path& out) {
  require_free_place(app, out);
  if (std::filesystem::exists(out)) spdlog::info("{} exists and will be replaced", out.string());
  const auto part = artifact::part_path(out);
  artifact::check_writable(out, part);
  artifact::remove_file(part);
}

}  // namespace

Progress StageRun::progress(const std::string& unit, int64_t total) const {
  return Progress(facts.at("stage"), unit, total, quiet);
}

nlohmann::json StageRun::provenance(const nlohmann::json& attempts) const {
  nlohmann::json all = facts;
  all["finished"] = utc_now();
  all["inputs"] = artifact::opened_artifacts();
  all["peak_memory_bytes"] = peak_memory();
  if (!attempts.is_null()) {
    all["attempts"] = attempts.size();
    all["attempt_log"] = attempts;
  }
  return all;
}

int run_stage(const Stage& stage, int argc, const char* const* argv) {
  StageRun run;
  CommonFlags common;
  CLI::App app(stage.summary, stage.name);
  app.footer("Example:\n  " + stage.example);
  app.get_formatter()->column_width(34);
  try {
    stage.declare(app);
    declare_common(app, stage, run, common);
    require_usable_numbers(app);
    app.allow_extras();
    app.parse(argc, argv);
    if (app.remaining_size() > 0) return fail(ExitCode::bad_input, unexpected_flags(app));
  } catch (const CLI::Success& wish) {
    return app.exit(wish);  // --help, --version
  } catch (const CLI::ParseError& error) {
    // A mistyped flag often shows as "--operator is required".
    if (app.remaining_size() > 0) return fail(ExitCode::bad_input, unexpected_flags(app));
    return fail(ExitCode::bad_input, std::string(error.what()) + "; see " + stage.name + " --help");
  }
  set_logging(stage, common);
  catch_signals();
  run.threads = common.threads;
  run.quiet = common.quiet;
  run.facts = run_facts(argc, argv, common.threads);
  run.facts["stage"] = stage.name;
  run.facts["algorithm"] = stage.algorithm;
  tbb::global_control threads(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(run.threads));
  try {
    if (stage.writes_file) check_output(app, run.out);
    stage.run(run);
    return static_cast<int>(ExitCode::done);
  } catch (const std::exception& error) {
    const Fault fault = described(error);
    return fail(fault.code, fault.text);
  }
}

}  // namespace ritzflow::app
