#include "stage/checkpoint.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow {
namespace {

namespace fs = std::filesystem;
constexpr double kLargestShare = 0.02;  // of the wall time that segments may take

// Segments in the order in which they were written; their names hold the number of steps.
std::vector<fs::path> segments(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".h5") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What killed processes left of segments in the writing: segment-<steps>.h5.part.<pid>.
std::vector<fs::path> unfinished(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().find(".h5.part.") != std::string::npos)
      files.push_back(entry.path());
  }
  return files;
}

// A run that holds few rows writes them all each time: two segments say as much as a hundred, and one may be
// damaged.
void remove_all_but_newest_two(const fs::path& folder) {
  const std::vector<fs::path> files = segments(folder);
  for (size_t i = 0; i + 2 < files.size(); ++i) fs::remove(files[i]);
}

std::vector<double> packed(const std::vector<std::vector<double>>& columns) {
  std::vector<double> values;
  for (const auto& column : columns) values.insert(values.end(), column.begin(), column.end());
  return values;
}

KrylovFactorization read_factorization(const ArtifactReader& file) {
  KrylovFactorization f;
  f.beta = file.read<double>("beta");
  f.residual_vector = file.read<double>("residual_vector");
  f.norm_estimate_ = file.attribute<double>("norm_estimate");
  f.exhausted = file.attribute<bool>("exhausted");
  f.products = file.attribute<int64_t>("products");
  if (file.has("spike")) f.spike = file.read<double>("spike");
  const std::vector<double> values = file.read<double>("columns");
  const size_t m = f.beta.size();
  if (values.size() != m * (m + 1) / 2)
    throw InputError(file.path().string() + ": 'columns' is not a triangle");
  auto at = values.begin();
  for (size_t j = 0; j < m; ++j, at += static_cast<std::ptrdiff_t>(j)) {
    f.columns.emplace_back(at, at + static_cast<std::ptrdiff_t>(j + 1));
  }
  return f;
}

// Appends the segment's rows; a run that holds few of them starts over with the segment's own.
void append_rows(const ArtifactReader& file, int64_t n, int64_t capacity, std::unique_ptr<Basis>& basis) {
  const auto first = file.attribute<int64_t>("first_row");
  const std::vector<int64_t> shape = file.shape("rows");
  if (shape[1] != n)
    throw InputError(file.path().string() + ": rows have another dimension than the operator");
  if (capacity > 0 || !basis)
    basis = make_ram_basis(n, {.capacity = capacity, .first = capacity > 0 ? first : 0});
  if (basis->size() != first)
    throw InputError(file.path().string() + ": an earlier segment is missing or damaged");
  std::vector<double> row(static_cast<size_t>(n));
  for (int64_t i = 0; i < shape[0]; ++i) {
    file.read_rows<double>("rows", i, 1, row);
    basis->append(row);
  }
}

}  // namespace

LanczosCheckpoint::LanczosCheckpoint(const fs::path& root, const nlohmann::json& identity, int64_t capacity,
                                     std::chrono::duration<double> interval)
    : folder_(root / sha256_hex(identity.dump()).substr(0, 16)),
      identity_(identity.dump()),
      capacity_(capacity),
      interval_(interval),
      lock_(std::make_unique<FolderLock>(folder_)),
      last_save_(std::chrono::steady_clock::now()) {}

std::optional<LanczosCheckpoint::State> LanczosCheckpoint::load(int64_t n) {
  State state;
  for (const auto& path : segments(folder_)) {
    try {
      const ArtifactReader file(path, "ritzflow-checkpoint");
      if (file.attribute<std::string>("identity") != identity_)
        throw InputError(path.string() + ": of another run");
      KrylovFactorization factorization = read_factorization(file);
      append_rows(file, n, capacity_, state.basis);
      state.factorization = std::move(factorization);
      saved_ = state.factorization.products;
    } catch (const InputError& damage) {
      spdlog::warn("checkpoint segment passed over: {}", damage.what());
    }
  }
  if (state.factorization.size() == 0) return std::nullopt;
  return state;
}

void LanczosCheckpoint::offer(const LanczosProcess& process) {
  if (std::chrono::steady_clock::now() - last_save_ >= interval_) save(process);
}

void LanczosCheckpoint::save(const LanczosProcess& process) {
  const auto& f = process.factorization();
  const Basis& basis = process.basis();
  if (f.products <= saved_) return;
  const auto begin = std::chrono::steady_clock::now();
  const int64_t first = capacity_ > 0 ? basis.first_kept() : saved_;
  ArtifactWriter file(folder_ / fmt::format("segment-{:08}.h5", f.products), "ritzflow-checkpoint");
  file.attribute("identity", identity_);
  file.attribute("first_row", first);
  file.attribute("norm_estimate", f.norm_estimate());
  file.attribute("exhausted", f.exhausted);
  file.attribute("products", f.products);
  file.dataset("beta", f.beta);
  file.dataset("columns", packed(f.columns));
  if (!f.spike.empty()) file.dataset("spike", f.spike);
  file.dataset("residual_vector", f.residual_vector);
  auto rows = file.rows<double>("rows", basis.size() - first, basis.dim());
  for (int64_t i = first; i < basis.size(); ++i) rows.append(basis.row(i));
  file.commit();
  if (capacity_ > 0) remove_all_but_newest_two(folder_);
  saved_ = f.products;
  last_save_ = std::chrono::steady_clock::now();
  interval_ = std::max(interval_, std::chrono::duration<double>(last_save_ - begin) / kLargestShare);
}

void LanczosCheckpoint::remove() {
  for (const auto& path : segments(folder_)) fs::remove(path);
  for (const auto& path : unfinished(folder_)) fs::remove(path);
  lock_.reset();
  std::error_code ignored;  // folders that hold anything else stay
  fs::remove(folder_ / "lock", ignored);
  fs::remove(folder_, ignored);
  fs::remove(folder_.parent_path(), ignored);
}

}  // namespace ritzflow
