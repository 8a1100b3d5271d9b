#include "artifact/validate.h"

#include <spdlog/spdlog.h>

#include <iostream>

#include "core/error.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

// True when the file is good.
bool report(const std::string& path) {
  const Validation result = check_file(path);
  for (const auto& note : result.notes) spdlog::info("{}: {}", path, note);
  for (const auto& problem : result.problems) std::cout << path << ": " << problem.text << "\n";
  if (result.problems.empty())
    std::cout << path << ": ok (" << result.format << " " << result.format_version << ", sha256 "
              << result.content_sha256 << ")\n";
  return result.problems.empty();
}

void run(const std::vector<std::string>& paths) {
  std::string bad;
  for (const auto& path : paths)
    if (!report(path)) bad += " " + path;
  std::cout.flush();
  if (!bad.empty()) throw InputError("not valid:" + bad + "; the lines on stdout say what is wrong in each");
}

}  // namespace

Stage make_stage() {
  static std::vector<std::string> paths;
  Stage stage;
  stage.name = "validate";
  stage.summary =
      "Checks artifacts: bytes against their digests, the schema of the format, finite values and identities "
      "such as\n"
      "alpha = diag(H), beta = subdiag(H). One line for each problem; exit status 2 if there is any.";
  stage.example = "validate results/demo/cells/*/*/*/*/*/*/*.h5";
  stage.writes_file = false;
  stage.declare = [](CLI::App& app) {
    app.add_option("FILE", paths, "files of any ritzflow format")->required();
  };
  stage.run = [](StageRun&) { run(paths); };
  return stage;
}

}  // namespace ritzflow
