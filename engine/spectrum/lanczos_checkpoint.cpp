#include "spectrum/lanczos_checkpoint.h"

#include <spdlog/spdlog.h>

#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::spectrum {
namespace {

constexpr const char* kFormat = "ritzflow-checkpoint";

// Rows that restarts have compressed away: the same throughout one chain of segments.
int64_t chain_of(const krylov::KrylovFactorization& f) { return f.products - f.size(); }

std::vector<double> packed(const std::vector<std::vector<double>>& columns) {
  std::vector<double> values;
  for (const auto& column : columns) values.insert(values.end(), column.begin(), column.end());
  return values;
}

krylov::KrylovFactorization read_factorization(const artifact::ArtifactReader& file) {
  krylov::KrylovFactorization f = {.columns = {},
                                   .beta = file.read<double>("beta"),
                                   .residual_vector = file.read<double>("residual_vector"),
                                   .spike = file.read<double>("spike"),
                                   .norm_estimate = file.attribute<double>("norm_estimate"),
                                   .products = file.attribute<int64_t>("products"),
                                   .exhausted = file.attribute<bool>("exhausted")};
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

std::string row_sha256(const krylov::RowFile& file, int64_t i, int64_t row_bytes) {
  std::vector<std::byte> row(static_cast<size_t>(row_bytes));
  file.read(i * row_bytes, row);
  return sha256_hex(row);
}

// The file of rows that a segment names, every row of the segment checked.
std::unique_ptr<krylov::RowFile> open_rows(const artifact::ArtifactReader& segment, int64_t first,
                                           int64_t row_bytes) {
  const std::filesystem::path name = segment.attribute<std::string>("rows_file");
  try {
    auto rows = krylov::RowFile::open(segment.path().parent_path() / name.filename());
    int64_t i = first;
    for (const std::string& digest : segment.read<std::string>("rows_sha256")) {
      if (row_sha256(*rows, i, row_bytes) != digest)
        throw InputError(
            fmt::format("{}: row {} of {} is damaged", segment.path().string(), i, name.string()));
      ++i;
    }
    return rows;
  } catch (const IoError& gone) {
    throw InputError(segment.path().string() + ": " + gone.what());
  }
}

}  // namespace

std::optional<LanczosCheckpoint::State> LanczosCheckpoint::load(int64_t n) {
  State state;
  folder_.read(kFormat, [&](const artifact::ArtifactReader& file) {
    krylov::KrylovFactorization factorization = read_factorization(file);
    const bool begins_chain = file.attribute<bool>("begins_chain");
    if (!begins_chain && chain_of(factorization) != chain_)
      throw InputError(file.path().string() +
                       ": the segment that its chain begins with is missing or damaged");
    append_rows(file, n, begins_chain, state.basis);
    state.factorization = std::move(factorization);
    saved_ = state.factorization.products;
    chain_ = chain_of(state.factorization);
    if (begins_chain) chain_begin_ = saved_;
  });
  if (saved_ == 0) return std::nullopt;
  spdlog::info("resuming after product {} from {}", saved_, folder_.folder().string());
  return state;
}

// Appends the segment's rows, or starts over with them where it needs none before them.
void LanczosCheckpoint::append_rows(const artifact::ArtifactReader& file, int64_t n, bool begins_chain,
                                    std::unique_ptr<krylov::Basis>& basis) {
  const auto first = file.attribute<int64_t>("first_row");
  if (!begins_chain && (!basis || basis->size() != first))
    throw InputError(file.path().string() + ": an earlier segment is missing or damaged");
  if (!file.has_attribute("rows_file")) {
    if (file.shape("rows")[1] != n)
      throw InputError(file.path().string() + ": rows have another dimension than the operator");
    if (begins_chain) basis = plan_.make(n, first);
    return spectrum::append_rows(file, "rows", *basis);
  }
  const int64_t row_bytes = n * krylov::element_bytes(plan_.type);
  auto rows = open_rows(file, first, row_bytes);
  const auto last = first + file.shape("rows_sha256")[0];
  rows_ = rows->path();
  if (begins_chain) {
    basis = plan_.new_file
                ? krylov::open_disk_basis(n, plan_.type, krylov::RowFile::open(rows_), plan_.new_file)
                : plan_.make(n, first);
  }
  if (basis->file() != nullptr && basis->file()->path() == rows_)
    return static_cast<krylov::DiskBasis&>(*basis).adopt(last);
  auto source = krylov::open_disk_basis(n, plan_.type, std::move(rows), plan_.new_file);
  source->adopt(last);
  for (int64_t i = first; i < last; ++i) basis->append(source->row(i));
}

void LanczosCheckpoint::write_rows(artifact::ArtifactWriter& file, const krylov::Basis& basis,
                                   int64_t first) const {
  file.attribute("first_row", first);
  krylov::RowFile* spilled = basis.file();
  if (spilled == nullptr) return spectrum::write_rows(file, "rows", basis, plan_.type, first, true);
  spilled->keep();
  std::vector<std::string> digests;
  for (int64_t i = first; i < basis.size(); ++i)
    digests.push_back(row_sha256(*spilled, i, basis.bytes() / basis.size()));
  file.attribute("rows_file", spilled->path().filename().string());
  file.strings("rows_sha256", digests);
}

void LanczosCheckpoint::offer(const krylov::LanczosProcess& process) {
  if (folder_.due()) save(process);
}

void LanczosCheckpoint::save(const krylov::LanczosProcess& process) {
  const krylov::KrylovFactorization& f = process.factorization();
  const krylov::Basis& basis = process.basis();
  if (f.products <= saved_) return;
  const bool begins_chain = plan_.size.capacity > 0 || saved_ == 0 || chain_of(f) != chain_;
  const int64_t first = begins_chain ? basis.first_kept() : saved_ - chain_;
  folder_.write(f.products, kFormat, [&](artifact::ArtifactWriter& file) {
    file.attribute("begins_chain", begins_chain);
    file.attribute("products", f.products);
    file.attribute("norm_estimate", f.norm_estimate);
    file.attribute("exhausted", f.exhausted);
    file.dataset("beta", f.beta);
    file.dataset("columns", packed(f.columns));
    file.dataset("spike", f.spike);
    file.dataset("residual_vector", f.residual_vector);
    write_rows(file, basis, first);
  });
  // The chain before the newest one stays: one segment may be damaged.
  const std::filesystem::path rows = basis.file() != nullptr ? basis.file()->path() : "";
  if (begins_chain) {
    folder_.remove_below(chain_begin_, kFormat);
    folder_.keep_rows({rows, rows_});
    chain_begin_ = f.products;
  }
  rows_ = rows;
  saved_ = f.products;
  chain_ = chain_of(f);
}

}  // namespace ritzflow::spectrum
