// dense-operator operator.h5 out.h5: the operator as a matrix, column j its product with the unit vector e_j.
// For tests: out.h5 holds `matrix` [n, n].
#include <hdf5.h>
#include <tbb/global_control.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "artifact/hdf5/handle.h"
#include "core/error.h"
#include "curvature/operator_file.h"

namespace {

using namespace ritzflow;

/// [n, n] row-major; row j is A e_j = column j.
std::vector<double> columns(krylov::LinearOperator& op) {
  const auto n = static_cast<size_t>(op.dim());
  std::vector<double> matrix(n * n), unit(n);
  for (size_t j = 0; j < n; ++j) {
    unit[j] = 1;
    op.apply(unit, VectorSpan(matrix).subspan(j * n, n));
    unit[j] = 0;
  }
  return matrix;
}

std::vector<double> transposed(const std::vector<double>& a, size_t n) {
  std::vector<double> b(a.size());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) b[j * n + i] = a[i * n + j];
  }
  return b;
}

void write(const std::string& path, const std::vector<double>& matrix, hsize_t n) {
  const artifact::Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  const hsize_t dims[] = {n, n};
  const artifact::Handle space(H5Screate_simple(2, dims, nullptr), H5Sclose);
  const artifact::Handle set(
      H5Dcreate2(file.get(), "matrix", H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose);
  if (H5Dwrite(set.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, matrix.data()) < 0) {
    throw IoError(path + ": cannot be written");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("error: usage: dense-operator operator.h5 out.h5 [threads]\n", stderr);
    return 2;
  }
  try {
    std::unique_ptr<tbb::global_control> threads;
    if (argc > 3) {
      threads = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                      std::strtoul(argv[3], nullptr, 10));
    }
    const curvature::OpenOperator opened = curvature::open_operator(argv[1]);
    const auto n = static_cast<size_t>(opened.op->dim());
    write(argv[2], transposed(columns(*opened.op), n), n);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
