#include "spectrum/pair_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "krylov/ritz/ritz_candidate.h"
#include "spectrum/lanczos_file.h"

namespace ritzflow::spectrum {
namespace {

constexpr double kRounding =
    1e-12;  // of the largest value: the same H was solved, on another machine perhaps

// Values of H and of pairs that the certificate locked.
std::vector<double> known_values(const LanczosRecord& record) {
  std::vector<double> values;
  for (const auto& candidate : krylov::ritz_candidates(record.factorization, record.mode()))
    values.push_back(candidate.value);
  if (record.certificate)
    for (const auto& pair : record.certificate->found) values.push_back(pair.value);
  return values;
}

double largest_modulus(const std::vector<double>& values) {
  double scale = 0;
  for (const double value : values) scale = std::max(scale, std::abs(value));
  return scale;
}

}  // namespace

std::vector<artifact::Problem> check_pair(const artifact::ArtifactReader& lanczos,
                                          const artifact::ArtifactReader& ritz) {
  std::vector<artifact::Problem> problems;
  const LanczosRecord record = read_lanczos(lanczos);
  const std::string name = lanczos.path().string();
  if (ritz.shape("vectors")[1] != record.n)
    problems.push_back({"dataset 'vectors' has another dimension than 'start_vector' of " + name});
  const std::vector<double> known = known_values(record);
  const double tolerance = kRounding * largest_modulus(known);
  const auto values = ritz.read<double>("eigenvalues");
  for (size_t i = 0; i < values.size(); ++i) {
    const auto near = [&](double value) { return std::abs(value - values[i]) <= tolerance; };
    if (std::none_of(known.begin(), known.end(), near))
      problems.push_back({fmt::format(
          "dataset 'eigenvalues' at {} is {}, which is not an eigenvalue of 'H' in {}", i, values[i], name)});
  }
  return problems;
}

}  // namespace ritzflow::spectrum
