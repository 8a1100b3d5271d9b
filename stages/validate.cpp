#include "artifact/validate.h"

#include <spdlog/spdlog.h>

#include <iostream>
#include <map>

#include "app/stage.h"
#include "artifact/schema/schema_rows.h"
#include "artifact/tree.h"
#include "core/error.h"
#include "core/fault.h"
#include "settings/catalogue.h"
#include "spectrum/pair_check.h"

namespace ritzflow {
namespace {

artifact::Validation report(const std::string& path) {
  const artifact::Validation result = artifact::check_file(path);
  for (const auto& note : result.notes) spdlog::info("{}: {}", path, note);
  for (const auto& problem : result.problems) std::cout << path << ": " << problem.text << "\n";
  if (result.problems.empty())
    std::cout << path << ": ok (" << result.format << " " << result.format_version << ", sha256 "
              << result.content_sha256 << ")\n";
  return result;
}

// Whether a good ritz.h5 agrees with the lanczos.h5 that it names, where that one is among the files.
bool report_pair(const std::string& path, const std::map<std::string, std::string>& lanczos_by_digest) {
  const artifact::ArtifactReader ritz(path, "ritzflow-ritz");
  if (!ritz.has_attribute("lanczos_sha256")) return true;
  const auto lanczos = lanczos_by_digest.find(ritz.attribute<std::string>("lanczos_sha256"));
  if (lanczos == lanczos_by_digest.end()) return true;
  const auto problems =
      spectrum::check_pair(artifact::ArtifactReader(lanczos->second, "ritzflow-lanczos"), ritz);
  for (const auto& problem : problems) std::cout << path << ": " << problem.text << "\n";
  return problems.empty();
}

// A file that was whole a moment ago can be gone.
bool report_pair_safely(const std::string& path,
                        const std::map<std::string, std::string>& lanczos_by_digest) {
  bool agrees = false;
  const std::string text = failure([&] { agrees = report_pair(path, lanczos_by_digest); });
  if (!text.empty()) std::cout << text << "\n";
  return agrees;
}

// The files, and those in the folders, among `paths`; prints what cannot be looked into and adds it to `bad`.
std::vector<std::string> all_files(const std::vector<std::string>& paths, std::string& bad) {
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const artifact::FileTree tree = artifact::file_tree(path, {".h5"});
    if (tree.files.empty() && tree.unreadable.empty()) throw InputError(path + ": holds no artifacts (*.h5)");
    for (const auto& name : tree.files) files.push_back((tree.root / name).string());
    for (const auto& [name, reason] : tree.unreadable) {
      std::cout << reason << "\n";
      bad += " " + (tree.root / name).string();
    }
  }
  return files;
}

void run(const std::vector<std::string>& paths) {
  std::string bad;
  std::map<std::string, std::string> lanczos_by_digest;
  std::vector<std::string> ritz_files;
  for (const auto& path : all_files(paths, bad)) {
    const artifact::Validation result = report(path);
    if (!result.problems.empty())
      bad += " " + path;
    else if (result.format == "ritzflow-lanczos")
      lanczos_by_digest[result.content_sha256] = path;
    else if (result.format == "ritzflow-ritz")
      ritz_files.push_back(path);
  }
  if (!lanczos_by_digest.empty())
    for (const auto& path : ritz_files)
      if (!report_pair_safely(path, lanczos_by_digest)) bad += " " + path;
  std::cout.flush();
  if (!bad.empty()) throw InputError("not valid:" + bad + "; the lines on stdout say what is wrong in each");
}

// What the documents are made from (tests/tools/documents.py).
void print_catalogue() {
  nlohmann::ordered_json all = {{"settings", settings_catalogue()}};
  for (const auto& format : artifact::schemas())
    for (const auto& field : format.fields) all["formats"][format.format].push_back(artifact::row_of(field));
  std::cout << all.dump(1) << "\n";
}

}  // namespace

app::Stage make_stage() {
  static std::vector<std::string> paths;
  static bool catalogue = false;
  app::Stage stage;
  stage.name = "validate";
  stage.summary =
      "Checks artifacts: bytes against their digests, the schema of the format, finite values and identities "
      "such as\n"
      "alpha = diag(H), beta = subdiag(H); of a ritz.h5 and its lanczos.h5 given together, that its values "
      "are\n"
      "eigenvalues of H. One line for each problem; exit status 2 if there is any.";
  stage.example = "validate results/demo";
  stage.writes_file = false;
  stage.declare = [](CLI::App& app) {
    app.add_option("FILE", paths, "files of any ritzflow format, and folders with all *.h5 below them");
    app.add_flag("--catalogue", catalogue,
                 "print every setting and every row of the formats as JSON instead");
  };
  stage.run = [](app::StageRun&) {
    if (catalogue) return print_catalogue();
    if (paths.empty())
      throw InputError("FILE is required: a file of any ritzflow format, or a folder of them");
    run(paths);
  };
  return stage;
}

}  // namespace ritzflow
