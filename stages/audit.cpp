#include "app/audit.h"

#include <spdlog/spdlog.h>

#include <iostream>

#include "app/number_checks.h"
#include "app/stage.h"
#include "core/error.h"

namespace ritzflow {
namespace {

struct Options {
  std::string a, b, format = "md";
  double rtol = 1e-9;
  bool subset = false;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("A", options.a, "results tree, or one artifact")->required();
  app.add_option("B", options.b, "the tree, or artifact, to compare it with")->required();
  app.add_option("--rtol", options.rtol,
                 "within tolerance: max |a - b| of a quantity <= rtol * its largest absolute value")
      ->check(app::number_from(0))
      ->capture_default_str();
  app.add_flag("--subset", options.subset, "B is a part of A: what A alone holds is not missing");
  app.add_option("--format", options.format, "md | csv | json, on stdout")
      ->check(CLI::IsMember({"md", "csv", "json"}))
      ->capture_default_str();
}

void run(const Options& options, const app::StageRun& stage) {
  const app::Audit audit =
      app::compare_trees(options.a, options.b, {.rtol = options.rtol, .subset = options.subset}, stage);
  std::cout << app::audit_text(audit, options.format) << std::flush;
  const int64_t different = audit.count(artifact::Agreement::different),
                missing = audit.count(artifact::Agreement::missing),
                damaged = audit.count(artifact::Agreement::damaged);
  const auto total = audit.artifacts.size();
  const std::string unlike = fmt::format(
      "differ beyond --rtol {:g}, {} are in one tree only; the table on stdout "
      "names them",
      options.rtol, missing);
  if (damaged > 0)
    throw InputError(fmt::format("{} of {} artifacts are damaged or cannot be read, {} {}", damaged, total,
                                 different, unlike));
  if (different + missing > 0)
    throw Error(ExitCode::failure, fmt::format("{} of {} artifacts {}", different, total, unlike));
}

}  // namespace

app::Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "audit",
      .summary =
          "Compares two results trees, or two files, artifact by artifact: same bytes, same content "
          "(digest),\n"
          "within tolerance (largest difference and where), different, missing, damaged. Looks at all *.h5 "
          "and\n"
          "*.json except run metadata; checks every file's digest first. Exit status 0 where "
          "nothing\n"
          "differs, 1 where something does or is missing, 2 where a file is damaged or cannot be read.",
      .example = "audit results/demo /tmp/again/results/demo --rtol 1e-6",
      .algorithm = 2,
      .writes_file = false,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
