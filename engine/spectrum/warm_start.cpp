#include "spectrum/warm_start.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "artifact/reader.h"
#include "core/error.h"
#include "core/kernels.h"
#include "spectrum/reported_pairs.h"

namespace ritzflow::spectrum {

WarmStart warm_start(const std::filesystem::path& ritz, VectorSpan start) {
  const artifact::ArtifactReader file(ritz, "ritzflow-ritz");
  const auto refuse = [&](const std::string& reason) {
    throw InputError("--start " + ritz.string() + ": " + reason);
  };
  const auto n = static_cast<int64_t>(start.size()), dim = file.shape("vectors").at(1);
  if (dim != n) refuse(fmt::format("its vectors have dimension {}, the operator has {}", dim, n));
  WarmStart record{.sha256 = file.content_sha256()};
  const auto verdicts = file.read<std::string>("verdicts");
  scale(warm_start_random, start);
  std::vector<double> x(start.size());
  const double* row = x.data();
  for (size_t i = 0; i < verdicts.size(); ++i) {
    if (!is_reported(verdicts[i])) continue;
    file.read_rows<double>("vectors", static_cast<int64_t>(i), 1, x);
    constexpr double minus = -1;
    subtract(Rows(&row, 1), {&minus, 1}, start);
    ++record.vectors;
  }
  if (record.vectors == 0) refuse("holds no pair that is neither a ghost nor spurious");
  scale(1 / norm(start), start);
  spdlog::info("starts from {} Ritz vectors of {} and {:g} of a random one", record.vectors, ritz.string(),
               warm_start_random);
  return record;
}

}  // namespace ritzflow::spectrum
