#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "curvature/kfac_factors.h"
#include "curvature/restriction.h"
#include "krylov/linear_operator.h"

namespace ritzflow {

/// What stands for parameters without factors: an eigenvalue of 0 or 1, the exact Gauss-Newton block, or a
/// refusal.
enum class Uncovered { zero, identity, exact_ggn, refuse };

/// Throws InputError on another word.
Uncovered parse_uncovered(const std::string& word);

struct KroneckerOptions {
  bool ekfac = false;
  Uncovered uncovered = Uncovered::refuse;
  double damping = 0;  ///< lambda
  double power = 1;    ///< p: the operator is (K + lambda I)^p
};

/// An eigenvalue, its vector of unit length, and ||A x - theta x||: 0 where they are known in closed form.
struct Eigenpair {
  double value = 0;
  double residual = 0;
  std::vector<double> vector;
};

/// K = block diagonal of A (x) G over the layers, applied in the eigenbasis: a product costs four small
/// matrix products a layer and holds no more than Lambda, n numbers, beside the factors. K is positive
/// semi-definite, and with all eigenpairs at hand so is every power of K + lambda I.
class KroneckerOperator : public LinearOperator {
 public:
  /// `uncovered_block` acts on the parameters without factors, in their order, for Uncovered::exact_ggn.
  /// Throws Refusal that names them for Uncovered::refuse, InputError where layers do not fit `space`, the
  /// damping is negative, or the power does not exist.
  KroneckerOperator(const KroneckerFactors& factors, const ParamSpace& space, const KroneckerOptions& options,
                    std::unique_ptr<LinearOperator> uncovered_block = nullptr);

  int64_t dim() const override { return space_.size(); }
  void apply(VectorView v, VectorSpan out) override;

  /// All n eigenvalues, descending; empty where the exact Gauss-Newton block is part of the operator.
  std::vector<double> spectrum() const;

  /// The k leading eigenpairs, copies of multiple eigenvalues included; empty like spectrum().
  std::vector<Eigenpair> leading(int64_t k) const;

 private:
  struct Block {
    KroneckerLayer layer;
    at::Tensor u_a_t, u_g_t;  ///< transposed eigenvectors; undefined u_a_t: the identity
    at::Tensor lambda;        ///< [out, in], of the power
  };

  void add_block(const KroneckerLayer& layer, const KroneckerOptions& options);
  void apply_block(const Block& block, const ParamTensors& v, const ParamTensors& out) const;
  void apply_uncovered(VectorView v, VectorSpan out);

  std::vector<double> eigenvector(const Block& block, int64_t index) const;

  ParamSpace space_;
  std::vector<Block> blocks_;
  std::vector<Range> missing_;
  double missing_value_ = 0;  ///< of zero and identity, of the power
  std::unique_ptr<LinearOperator> uncovered_block_;
};

/// The coordinates of the parameters without factors, in order; empty where all are covered.
std::vector<Range> uncovered_ranges(const KroneckerFactors& factors, const ParamSpace& space);

}  // namespace ritzflow
