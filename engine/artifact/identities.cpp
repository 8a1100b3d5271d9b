#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "artifact/json_file.h"
#include "artifact/validate.h"

namespace ritzflow {
namespace {

// Rounding of a few operations on float64; the identities hold to the bit when nothing was recomputed.
constexpr double kRounding = 1e-12;

using Problems = std::vector<Problem>;

std::string at(std::size_t index) { return " at " + std::to_string(index); }

void require_one_of(const std::string& what, const std::string& value, const std::set<std::string>& allowed,
                    Problems& problems) {
  if (allowed.contains(value)) return;
  std::string list;
  for (const auto& choice : allowed) list += (list.empty() ? "" : ", ") + choice;
  problems.push_back({what + " is '" + value + "', expected one of " + list});
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

void check_density(const ArtifactReader& file, Problems& problems) {
  const auto grid = file.read<double>("grid");
  const auto cdf = file.read<double>("cdf");
  const auto lower = file.read<double>("cdf_lower");
  const auto upper = file.read<double>("cdf_upper");
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (i > 0 && grid[i] <= grid[i - 1])
      problems.push_back({"dataset 'grid' does not rise" + at(i) + ", expected ascending points"});
    if (lower[i] > cdf[i] + kRounding || cdf[i] > upper[i] + kRounding)
      problems.push_back({"dataset 'cdf' is outside its band" + at(i)});
  }
}

void check_data(const ArtifactReader& file, Problems& problems) {
  const auto task = file.attribute<std::string>("task");
  require_one_of("attribute 'task'", task, {"classification", "regression", "language_modeling"}, problems);
  if (file.shape("inputs")[0] == 0)
    problems.push_back({"dataset 'inputs' is empty, expected at least one sample"});
  if (task == "regression" || !file.has_attribute("num_classes")) return;
  const auto classes = file.attribute<std::int64_t>("num_classes");
  if (classes < 1) {
    problems.push_back({"attribute 'num_classes' is " + std::to_string(classes) + ", expected at least 1"});
    return;
  }
  const auto targets = file.read<std::int64_t>("targets");
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (targets[i] < 0 || targets[i] >= classes) {
      problems.push_back({"dataset 'targets' is " + std::to_string(targets[i]) + at(i) + ", expected 0 to " +
                          std::to_string(classes - 1)});
      return;
    }
}

void check_model(const ArtifactReader& file, Problems& problems) {
  if (!parse_json(file.attribute<std::string>("spec"), "attribute 'spec'").is_object())
    problems.push_back({"attribute 'spec' is not a JSON object"});
  for (const auto& step : file.children("steps"))
    for (const auto& name : file.attribute<std::vector<std::string>>("parameter_order"))
      if (!file.has("steps/" + step + "/" + name))
        problems.push_back(
            {"dataset 'steps/" + step + "/" + name + "' is missing, named in 'parameter_order'"});
}

void check_operator(const ArtifactReader& file, Problems& problems) {
  require_one_of("attribute 'operator'", file.attribute<std::string>("operator"),
                 {"hessian", "ggn", "mc_fisher", "empirical_fisher", "kfac", "ekfac", "matrix"}, problems);
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

}  // namespace ritzflow
