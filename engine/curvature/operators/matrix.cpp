#include "curvature/operators/matrix.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <tbb/parallel_for.h>

#include <cmath>

#include "artifact/digest/file_digest.h"
#include "artifact/hdf5/item.h"
#include "core/error.h"
#include "core/kernels.h"
#include "core/sha256.h"

namespace ritzflow::curvature {
namespace {

constexpr double symmetry_tolerance = 1e-12;
constexpr int64_t rows_per_task = 64;

[[noreturn]] void wrong(const MatrixPlace& place, const std::string& what) {
  throw InputError(fmt::format("{}:{} {}", place.file.string(), place.dataset, what));
}

void require_finite(const Matrix& a, const MatrixPlace& place) {
  for (size_t k = 0; k < a.values.size(); ++k) {
    if (std::isfinite(a.values[k])) continue;
    const auto i = static_cast<int64_t>(k);
    const std::string index = a.diagonal ? fmt::format("[{}]", i) : fmt::format("[{}, {}]", i / a.n, i % a.n);
    wrong(place, fmt::format("is {} at {}, expected finite numbers", a.values[k], index));
  }
}

/// A <- (A + A')/2 if A is symmetric up to rounding.
void symmetrize(Matrix& a, const MatrixPlace& place) {
  double largest = 0, worst = 0;
  int64_t row = 0, column = 0;
  for (int64_t i = 0; i < a.n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double& lower = a.values[static_cast<size_t>(i * a.n + j)];
      double& upper = a.values[static_cast<size_t>(j * a.n + i)];
      largest = std::max({largest, std::abs(lower), std::abs(upper)});
      if (std::abs(lower - upper) > worst) worst = std::abs(lower - upper), row = i, column = j;
      lower = upper = lower == upper ? lower : 0.5 * lower + 0.5 * upper;
    }
  }
  if (worst > symmetry_tolerance * largest) {
    wrong(place,
          fmt::format("is not symmetric: |a_ij - a_ji| = {:.6g} at [{}, {}], expected at most {:g} max|a| "
                      "= {:.6g}",
                      worst, row, column, symmetry_tolerance, symmetry_tolerance * largest));
  }
  if (worst > 0) spdlog::info("matrix symmetrised: |a_ij - a_ji| was at most {:.3g}", worst);
}

class DenseMatrix : public krylov::LinearOperator {
 public:
  explicit DenseMatrix(std::shared_ptr<const Matrix> a) : a_(std::move(a)) {
    for (int64_t i = 0; i < a_->n; ++i) rows_.push_back(a_->values.data() + i * a_->n);
  }

  int64_t dim() const override { return a_->n; }

  void apply(VectorView v, VectorSpan out) override {
    tbb::parallel_for(int64_t{0}, (a_->n + rows_per_task - 1) / rows_per_task, [&](int64_t block) {
      const auto first = static_cast<size_t>(block * rows_per_task);
      const size_t count = std::min<size_t>(rows_per_task, rows_.size() - first);
      dots(Rows(rows_).subspan(first, count), v, out.subspan(first, count));
    });
  }

 private:
  std::shared_ptr<const Matrix> a_;
  std::vector<const double*> rows_;
};

class DiagonalMatrix : public krylov::LinearOperator {
 public:
  explicit DiagonalMatrix(std::shared_ptr<const Matrix> a) : a_(std::move(a)) {}

  int64_t dim() const override { return a_->n; }

  void apply(VectorView v, VectorSpan out) override {
    for (size_t i = 0; i < v.size(); ++i) out[i] = a_->values[i] * v[i];
  }

 private:
  std::shared_ptr<const Matrix> a_;
};

}  // namespace

MatrixPlace parse_matrix_place(const std::string& text) {
  const size_t colon = text.rfind(":/");
  if (colon == std::string::npos || colon == 0 || colon + 2 >= text.size()) {
    throw InputError("--matrix is '" + text + "', expected FILE.h5:/dataset");
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

Matrix read_matrix(const MatrixPlace& place) {
  artifact::check_user_block(place.file);
  const artifact::Handle file = artifact::open_hdf5(place.file);
  const artifact::Item item({file.get(), place.file.string(), std::filesystem::file_size(place.file)},
                            place.dataset);
  const auto& shape = item.shape();
  if (shape.empty() || shape.size() > 2 || shape.front() != shape.back() || item.count() == 0) {
    wrong(place, "has shape " + artifact::shape_text(shape) + ", expected [n, n], or [n] for a diagonal");
  }
  Matrix a{shape.front(), shape.size() == 1, std::vector<double>(static_cast<size_t>(item.count()))};
  item.read(H5T_NATIVE_DOUBLE, a.values.data());
  require_finite(a, place);
  if (!a.diagonal) symmetrize(a, place);
  return a;
}

std::string digest(const Matrix& matrix) {
  Sha256 sha;
  sha.update(fmt::format("{} {}\n", matrix.diagonal ? "diagonal" : "dense", matrix.n));
  sha.update(matrix.values.data(), matrix.values.size() * sizeof(double));
  return sha.hex();
}

std::unique_ptr<krylov::LinearOperator> make_matrix_operator(std::shared_ptr<const Matrix> matrix) {
  if (matrix->diagonal) return std::make_unique<DiagonalMatrix>(std::move(matrix));
  return std::make_unique<DenseMatrix>(std::move(matrix));
}

}  // namespace ritzflow::curvature
