#include "curvature/kfac/kfac_sums_file.h"

#include <fmt/format.h>

#include "problem/tensor_io.h"

namespace ritzflow::curvature {
namespace {

// Members of a group in the order of their numbers, none where there is no such group.
std::vector<std::string> members(const artifact::ArtifactReader& file, const std::string& group) {
  std::vector<std::string> paths;
  if (!file.has(group)) return paths;
  for (const auto& name : file.children(group)) paths.push_back(group + "/" + name);
  return paths;
}

}  // namespace

void write_kfac_sums(artifact::ArtifactWriter& file, const KfacSums& sums) {
  file.attribute("batches", sums.batches);
  for (size_t i = 0; i < sums.factors.size(); ++i) {
    for (size_t strip = 0; strip < sums.factors[i].size(); ++strip)
      problem::write_tensor(file, fmt::format("factors/{:08}/{:08}", i, strip), sums.factors[i][strip]);
  }
  for (size_t i = 0; i < sums.second_moments.size(); ++i) {
    if (sums.second_moments[i].defined())
      problem::write_tensor(file, fmt::format("second_moments/{:08}", i), sums.second_moments[i]);
  }
}

KfacSums read_kfac_sums(const artifact::ArtifactReader& file) {
  KfacSums sums;
  sums.batches = file.attribute<int64_t>("batches");
  for (const auto& factor : members(file, "factors")) {
    sums.factors.emplace_back();
    for (const auto& strip : members(file, factor))
      sums.factors.back().push_back(problem::read_tensor(file, strip));
  }
  for (const auto& layer : members(file, "second_moments"))
    sums.second_moments.push_back(problem::read_tensor(file, layer));
  return sums;
}

}  // namespace ritzflow::curvature
