#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "artifact/json_file.h"
#include "artifact/validate.h"
#include "settings/choices.h"

namespace ritzflow::artifact {
namespace {

// Rounding of a few operations on float64; the identities hold exactly when nothing was recomputed.
constexpr double kRounding = 1e-12;

using Problems = std::vector<Problem>;

std::string at(std::size_t index) { return " at " + std::to_string(index); }

void require_one_of(const std::string& what, const std::string& value,
                    const std::vector<std::string>& allowed, Problems& problems) {
  if (const std::string wrong = not_one_of(value, allowed); !wrong.empty())
    problems.push_back({what + " " + wrong});
}

void require_n_params(const ArtifactReader& file, std::int64_t n, const std::string& source,
                      Problems& problems) {
  if (!file.has_attribute("n_params")) return;
  const auto stored = file.attribute<std::int64_t>("n_params");
  if (stored != n)
    problems.push_back({"attribute 'n_params' is " + std::to_string(stored) + ", expected " +
                        std::to_string(n) + " from '" + source + "'"});
}

// alpha and beta are the diagonal and the subdiagonal of H; beta[m-1] lies outside it.
void check_lanczos(const ArtifactReader& file, Problems& problems) {
  const auto h = file.read<double>("H");
  const auto alpha = file.read<double>("alpha");
  const auto beta = file.read<double>("beta");
  const std::size_t m = alpha.size();
  double scale = 0;
  for (const double entry : h) scale = std::max(scale, std::abs(entry));
  const auto differ = [&](double a, double b) { return std::abs(a - b) > kRounding * scale; };
  for (std::size_t j = 0; j < m; ++j) {
    if (differ(alpha[j], h[j * m + j]))
      problems.push_back({"dataset 'alpha' differs from the diagonal of 'H'" + at(j)});
    if (j + 1 < m && differ(beta[j], h[(j + 1) * m + j]))
      problems.push_back({"dataset 'beta' differs from the subdiagonal of 'H'" + at(j)});
    if (beta[j] < 0) problems.push_back({"dataset 'beta' is negative" + at(j) + ", expected a norm"});
  }
  require_n_params(file, file.shape("start_vector")[0], "start_vector", problems);
}

void check_interval(double lower, double value, double upper, std::size_t i, Problems& problems) {
  if (!(lower <= value && value <= upper))
    problems.push_back({"dataset 'intervals' does not contain the eigenvalue" + at(i)});
}

void check_ritz(const ArtifactReader& file, Problems& problems) {
  const auto values = file.read<double>("eigenvalues");
  const auto intervals = file.read<double>("intervals");
  const auto residuals = file.read<double>("residuals");
  const auto verdicts = file.read<std::string>("verdicts");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && values[i] > values[i - 1])
      problems.push_back({"dataset 'eigenvalues' rises" + at(i) + ", expected descending values"});
    check_interval(intervals[2 * i], values[i], intervals[2 * i + 1], i, problems);
    if (residuals[i] < 0) problems.push_back({"dataset 'residuals' is negative" + at(i)});
    require_one_of("dataset 'verdicts'" + at(i), verdicts[i],
                   {"converged", "unconverged", "ghost", "spurious"}, problems);
  }
  if (file.attribute<double>("lambda_min") > file.attribute<double>("lambda_max"))
    problems.push_back({"attribute 'lambda_min' is above 'lambda_max'"});
  require_n_params(file, file.shape("vectors")[1], "vectors", problems);
}

void require_band(const std::string& name, const std::vector<double>& lower, const std::vector<double>& value,
                  const std::vector<double>& upper, double rounding, Problems& problems) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (lower[i] > value[i] + rounding || value[i] > upper[i] + rounding)
      problems.push_back({"dataset '" + name + "' is outside its band" + at(i)});
  }
}

void require_shares(const std::string& name, const std::vector<double>& values, Problems& problems) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] > 1 + kRounding)
      problems.push_back(
          {"dataset '" + name + "' is not a fraction" + at(i) + ", expected a value in [0, 1]"});
    if (i > 0 && values[i] < values[i - 1] - kRounding)
      problems.push_back({"dataset '" + name + "' falls" + at(i) + ", expected a share that never does"});
  }
}

// An attribute between those named `_lower` and `_upper`, where the file has them.
void require_bounds(const ArtifactReader& file, const std::string& name, Problems& problems) {
  if (!file.has_attribute(name + "_lower") || !file.has_attribute(name + "_upper")) return;
  const auto value = file.attribute<double>(name);
  if (value < file.attribute<double>(name + "_lower") - kRounding ||
      value > file.attribute<double>(name + "_upper") + kRounding)
    problems.push_back({"attribute '" + name + "' is outside its bounds"});
}

void check_density(const ArtifactReader& file, Problems& problems) {
  const auto grid = file.read<double>("grid");
  for (std::size_t i = 1; i < grid.size(); ++i) {
    if (grid[i] <= grid[i - 1])
      problems.push_back({"dataset 'grid' does not rise" + at(i) + ", expected ascending points"});
  }
  for (const char* name : {"cdf", "cdf_lower", "cdf_upper"})
    require_shares(name, file.read<double>(name), problems);
  require_band("cdf", file.read<double>("cdf_lower"), file.read<double>("cdf"),
               file.read<double>("cdf_upper"), kRounding, problems);
  if (file.has("density_lower") && file.has("density_upper")) {
    const auto density = file.read<double>("density"), upper = file.read<double>("density_upper");
    const double rounding = upper.empty() ? 0 : kRounding * *std::ranges::max_element(upper);
    require_band("density", file.read<double>("density_lower"), density, upper, rounding, problems);
  }
  require_bounds(file, "negative_fraction", problems);
  require_bounds(file, "negative_mass", problems);
}

// One array of inputs, or each of several; all of them have one row per sample.
void check_inputs(const ArtifactReader& file, Problems& problems) {
  if (!file.has("inputs")) {
    problems.push_back({"dataset 'inputs' is missing"});
    return;
  }
  std::vector<std::string> paths;
  for (const auto& name : file.children("inputs")) paths.push_back("inputs/" + name);
  if (paths.empty()) paths = {"inputs"};
  const std::int64_t samples = file.shape("targets")[0];
  for (const auto& path : paths) {
    const auto shape = file.shape(path);
    if (shape.empty() || shape[0] != samples)
      problems.push_back({"dataset '" + path + "' has shape " + shape_text(shape) + ", expected [" +
                          std::to_string(samples) + ", ...] from 'targets'"});
  }
  if (samples == 0) problems.push_back({"dataset 'inputs' is empty, expected at least one sample"});
}

// The label -100 means no label.
void check_labels(const ArtifactReader& file, std::int64_t classes, Problems& problems) {
  const auto targets = file.read<std::int64_t>("targets");
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (targets[i] != -100 && (targets[i] < 0 || targets[i] >= classes)) {
      problems.push_back({"dataset 'targets' is " + std::to_string(targets[i]) + at(i) + ", expected 0 to " +
                          std::to_string(classes - 1)});
      return;
    }
}

void check_data(const ArtifactReader& file, Problems& problems) {
  const auto task = file.attribute<std::string>("task");
  require_one_of("attribute 'task'", task, {"classification", "regression", "language_modeling"}, problems);
  check_inputs(file, problems);
  if (task == "regression" || !file.has_attribute("num_classes")) return;
  const auto classes = file.attribute<std::int64_t>("num_classes");
  if (classes < 1)
    problems.push_back({"attribute 'num_classes' is " + std::to_string(classes) + ", expected at least 1"});
  else if (!file.dtype("targets").starts_with("float"))
    check_labels(file, classes, problems);
}

void check_model(const ArtifactReader& file, Problems& problems) {
  if (!parse_json(file.attribute<std::string>("spec"), "attribute 'spec'").is_object())
    problems.push_back({"attribute 'spec' is not a JSON object"});
  for (const auto& step : file.children("steps")) {
    for (const auto& name : file.attribute<std::vector<std::string>>("parameter_order"))
      if (!file.has("steps/" + step + "/" + name))
        problems.push_back(
            {"dataset 'steps/" + step + "/" + name + "' is missing, named in 'parameter_order'"});
    if (file.has("points") && !file.has("points/" + step))
      problems.push_back({"group 'points/" + step + "' is missing, which belongs to 'steps/" + step + "'"});
  }
}

void check_operator(const ArtifactReader& file, Problems& problems) {
  require_one_of("attribute 'operator'", file.attribute<std::string>("operator"), words<OperatorKind>(),
                 problems);
  if (file.attribute<std::int64_t>("n_params") < 1)
    problems.push_back({"attribute 'n_params' is below 1, expected a dimension"});
}

void check_kfac(const ArtifactReader& file, Problems& problems) {
  const auto count = [&](const char* name) { return file.attribute<std::int64_t>(name); };
  if (count("covered_parameters") > count("total_parameters") ||
      count("covered_elements") > count("total_elements"))
    problems.push_back({"more is covered than there is in total"});
}

}  // namespace

std::vector<Problem> check_identities(const ArtifactReader& file) {
  Problems problems;
  const std::string& format = file.format();
  if (format == "ritzflow-data") check_data(file, problems);
  if (format == "ritzflow-model") check_model(file, problems);
  if (format == "ritzflow-kfac") check_kfac(file, problems);
  if (format == "ritzflow-operator") check_operator(file, problems);
  if (format == "ritzflow-lanczos") check_lanczos(file, problems);
  if (format == "ritzflow-ritz") check_ritz(file, problems);
  if (format == "ritzflow-density") check_density(file, problems);
  return problems;
}

}  // namespace ritzflow::artifact
