#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "krylov/process/linear_operator.h"

namespace ritzflow::curvature {

/// A symmetric matrix in memory: n x n values in row-major order, or n values of a diagonal.
struct Matrix {
  int64_t n = 0;
  bool diagonal = false;
  std::vector<double> values;
};

/// Where a matrix lies: FILE.h5:/dataset. Throws InputError on another form.
struct MatrixPlace {
  std::filesystem::path file;
  std::string dataset;
};
MatrixPlace parse_matrix_place(const std::string& text);

/// Reads a [n,n] dataset, or a 1-D one as a diagonal, of any HDF5 file. Throws InputError if it is not a
/// matrix of finite numbers or not symmetric: |a_ij - a_ji| > 1e-12 max |a|. Smaller differences are the
/// rounding of the program that wrote it: the matrix becomes (A + A')/2, and one line of the log says by how
/// much.
Matrix read_matrix(const MatrixPlace& place);

/// SHA-256 over shape and values.
std::string digest(const Matrix& matrix);

/// v -> A v; each row is one dot product in a fixed order, so that no bit depends on the number of threads.
std::unique_ptr<krylov::LinearOperator> make_matrix_operator(std::shared_ptr<const Matrix> matrix);

}  // namespace ritzflow::curvature
