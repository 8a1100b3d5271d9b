#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ritzflow::model {

/// Column c of a matrix for every row of the logits: [rows, C].
using Columns = std::function<at::Tensor(int64_t c)>;

/// A loss on logits with its derivatives. Row i has weight w_i (0: masked out);
/// every result is a weighted *sum* over rows, and division by the total weight is left to EmpiricalRisk,
/// so that averages are exact for any cut into batches.
///
/// Shapes: logits z [rows, C] float32 or float64; targets: class indices [rows] (i64), or values [rows, C]
/// (mse and bce, where class indices with C > 1 mean unit vectors); weights [rows]. Targets of masked
/// rows are never used: they may be -100 or NaN.
class Loss {
 public:
  virtual ~Loss() = default;
  virtual std::string name() const = 0;

  /// Whether d2l/dz2 is positive semi-definite for all z and y.
  virtual bool is_convex() const { return true; }

  /// Whether l(z, y) = -log p(y | z) of a distribution that draw_targets() can draw from.
  virtual bool is_likelihood() const { return true; }

  /// Throws Refusal with the reason where the Gauss-Newton matrix says nothing about this loss.
  virtual void require_gauss_newton() const {}

  /// sum_i w_i l(z_i, y_i), a float64 scalar.
  virtual at::Tensor value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const = 0;

  /// Row i: w_i dl/dz_i [rows, C].
  virtual at::Tensor gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const = 0;

  /// Row i: w_i H_i u_i with H_i = d2l/dz_i2 [rows, C].
  virtual at::Tensor curvature(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w,
                               const at::Tensor& u) const = 0;

  /// The C columns of S with S S' = H_i in the rows of weight > 0; w itself is not a factor of them. Throws
  /// Refusal where there is no such root.
  virtual Columns root_columns(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const = 0;
};

/// cross_entropy, mse, bce.
const std::vector<std::string>& loss_names();

/// `cross_entropy`: l = logsumexp(z) - z_y, H = diag p - p p' with p = softmax z.
/// `mse`: l = 1/2 ||z - y||^2, H = I.
/// `bce`: l = sum_c log(1 + exp z_c) - z_c y_c with labels y_c in [0, 1], H = diag s o (1 - s) with s_c = 1 /
/// (1 + exp(-z_c)).
/// Throws InputError on another name.
std::unique_ptr<Loss> make_loss(const std::string& name);

}  // namespace ritzflow::model
