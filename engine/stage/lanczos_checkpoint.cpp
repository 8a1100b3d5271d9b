#include "stage/lanczos_checkpoint.h"

#include <spdlog/spdlog.h>

#include "core/error.h"

namespace ritzflow {
namespace {

constexpr const char* kFormat = "ritzflow-checkpoint";

// Rows that restarts have compressed away: the same throughout one chain of segments.
int64_t chain_of(const KrylovFactorization& f) { return f.products - f.size(); }

std::vector<double> packed(const std::vector<std::vector<double>>& columns) {
  std::vector<double> values;
  for (const auto& column : columns) values.insert(values.end(), column.begin(), column.end());
  return values;
}

KrylovFactorization read_factorization(const ArtifactReader& file) {
  KrylovFactorization f;
  f.beta = file.read<double>("beta");
  f.residual_vector = file.read<double>("residual_vector");
  f.spike = file.read<double>("spike");
  f.products = file.attribute<int64_t>("products");
  f.norm_estimate_ = file.attribute<double>("norm_estimate");
  f.exhausted = file.attribute<bool>("exhausted");
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

// Appends the segment's rows, or starts over with them where it needs none before them.
void append_rows(const ArtifactReader& file, int64_t n, int64_t capacity, bool begins_chain,
                 std::unique_ptr<Basis>& basis) {
  const auto first = file.attribute<int64_t>("first_row");
  const std::vector<int64_t> shape = file.shape("rows");
  if (shape[1] != n)
    throw InputError(file.path().string() + ": rows have another dimension than the operator");
  if (begins_chain) basis = make_ram_basis(n, {.capacity = capacity, .first = first});
  if (!basis || basis->size() != first)
    throw InputError(file.path().string() + ": an earlier segment is missing or damaged");
  std::vector<double> row(static_cast<size_t>(n));
  for (int64_t i = 0; i < shape[0]; ++i) {
    file.read_rows<double>("rows", i, 1, row);
    basis->append(row);
  }
}

}  // namespace

std::optional<LanczosCheckpoint::State> LanczosCheckpoint::load(int64_t n) {
  State state;
  folder_.read(kFormat, [&](const ArtifactReader& file) {
    KrylovFactorization factorization = read_factorization(file);
    const bool begins_chain = file.attribute<bool>("begins_chain");
    if (!begins_chain && chain_of(factorization) != chain_)
      throw InputError(file.path().string() +
                       ": the segment that its chain begins with is missing or damaged");
    append_rows(file, n, capacity_, begins_chain, state.basis);
    state.factorization = std::move(factorization);
    saved_ = state.factorization.products;
    chain_ = chain_of(state.factorization);
    if (begins_chain) chain_begin_ = saved_;
  });
  if (saved_ == 0) return std::nullopt;
  spdlog::info("goes on behind product {} from {}", saved_, folder_.folder().string());
  return state;
}

void LanczosCheckpoint::offer(const LanczosProcess& process) {
  if (folder_.due()) save(process);
}

void LanczosCheckpoint::save(const LanczosProcess& process) {
  const KrylovFactorization& f = process.factorization();
  const Basis& basis = process.basis();
  if (f.products <= saved_) return;
  const bool begins_chain = capacity_ > 0 || saved_ == 0 || chain_of(f) != chain_;
  const int64_t first = begins_chain ? basis.first_kept() : saved_ - chain_;
  folder_.write(f.products, kFormat, [&](ArtifactWriter& file) {
    file.attribute("begins_chain", begins_chain);
    file.attribute("first_row", first);
    file.attribute("products", f.products);
    file.attribute("norm_estimate", f.norm_estimate());
    file.attribute("exhausted", f.exhausted);
    file.dataset("beta", f.beta);
    file.dataset("columns", packed(f.columns));
    file.dataset("spike", f.spike);
    file.dataset("residual_vector", f.residual_vector);
    auto rows = file.contiguous_rows<double>("rows", basis.size() - first, basis.dim());
    for (int64_t i = first; i < basis.size(); ++i) rows.append(basis.row(i));
  });
  // The chain before the newest one stays: one segment may be damaged.
  if (begins_chain) folder_.remove_below(chain_begin_, kFormat);
  if (begins_chain) chain_begin_ = f.products;
  saved_ = f.products;
  chain_ = chain_of(f);
}

}  // namespace ritzflow
