#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/vector.h"
#include "settings/choices.h"

namespace ritzflow::krylov {

class RowFile;

/// Relative rounding of a stored element: 2^-53 or 2^-24.
double unit_roundoff(BasisType type);

/// Bytes of a stored element: 8 or 4.
int64_t element_bytes(BasisType type);

/// What Ritz vectors need of a basis: combinations of its rows.
class Combinations {
 public:
  virtual ~Combinations() = default;

  virtual int64_t dim() const = 0;  ///< n

  /// out <- sum_i c_i q_(first+i).
  virtual void combine(int64_t first, std::span<const double> c, VectorSpan out) const = 0;

  /// [m] max_(i<j) |q_i' q_j|; empty where no rows are held.
  virtual std::vector<double> loss_of_orthogonality() const { return {}; }
};

/// The rows q_0, q_1, ... of a Krylov basis and the few operations on them that the modes need; host memory
/// and disk are implementations that give the same bits, and no algorithm asks which it has. Rows are
/// numbered from the first vector of the run; a basis of limited capacity keeps the newest ones only.
class Basis : public Combinations {
 public:
  virtual int64_t size() const = 0;        ///< vectors appended so far
  virtual int64_t first_kept() const = 0;  ///< the oldest row that is still held
  virtual int64_t bytes() const = 0;       ///< of the rows that are held

  /// The file that holds the rows, row i at place i, or null for host memory.
  virtual RowFile* file() const { return nullptr; }

  virtual void append(VectorView q) = 0;
  virtual void copy_row(int64_t i, VectorSpan out) const = 0;
  std::vector<double> row(int64_t i) const;  ///< a copy

  /// h_i = q_(first+i)' w for h.size() rows.
  virtual void dots(int64_t first, VectorView w, std::span<double> h) const = 0;

  /// w <- w - sum_i c_i q_(first+i).
  virtual void subtract(int64_t first, std::span<const double> c, VectorSpan w) const = 0;

  /// The same, and g_i = q_(first+i)' w of the new w, in one read of the rows. Returns ||w||.
  virtual double subtract_then_dots(int64_t first, std::span<const double> c, VectorSpan w,
                                    std::span<double> g) const = 0;

  /// q_i' q_j for i <= j at [j size + i], of the rows, all of which are held: one read of them.
  virtual std::vector<double> gram() const = 0;
  std::vector<double> loss_of_orthogonality() const override;

  /// Replaces the rows, all of which are held, by the combinations Q <- S'Q, S [size, kept].
  virtual void compress(const Eigen::MatrixXd& s) = 0;
};

/// How many rows a basis keeps. The first vector appended gets the number `first`: not 0 where a run resumes
/// from its newest rows.
struct BasisSize {
  int64_t capacity = 0;  ///< the newest rows that are kept; 0: all of them
  int64_t first = 0;
  int64_t expected = 0;  ///< rows at most where all are kept, if known: memory is cut to it
};

/// A basis in host memory.
std::unique_ptr<Basis> make_ram_basis(int64_t n, const BasisSize& size = {},
                                      BasisType type = BasisType::float64);

}  // namespace ritzflow::krylov
