#include "model/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros_like.h>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::model {
namespace {

/// w [rows] as a column of the type of z.
at::Tensor column(const at::Tensor& w, const at::Tensor& z) { return w.to(z.scalar_type()).unsqueeze(1); }

/// Targets with 0 in the rows of weight 0: a label of -100 or a NaN there must not reach the arithmetic.
at::Tensor without_masked(const at::Tensor& y, const at::Tensor& w) {
  const at::Tensor masked = w.eq(0);
  return y.masked_fill(y.dim() == 1 ? masked : masked.unsqueeze(1), 0);
}

/// Targets as values [rows, C]; class indices with C > 1 become unit vectors.
at::Tensor values(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) {
  const at::Tensor clean = without_masked(y, w);
  if (y.dim() == 1 && z.size(1) > 1) {
    return at::zeros_like(z).scatter_(1, clean.to(at::kLong).unsqueeze(1), 1);
  }
  return clean.to(z.scalar_type()).reshape(z.sizes());
}

/// Columns of a diagonal matrix, a row of logits a row.
Columns diagonal_columns(const at::Tensor& diagonal) {
  return [diagonal](int64_t c) {
    at::Tensor column = at::zeros_like(diagonal);
    column.select(1, c).copy_(diagonal.select(1, c));
    return column;
  };
}

class CrossEntropy : public Loss {
 public:
  std::string name() const override { return "cross_entropy"; }

  at::Tensor value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    const at::Tensor rows = at::log_softmax(z, 1).gather(1, labels(y, w)).squeeze(1);
    return -(rows.to(at::kDouble) * w.to(at::kDouble)).sum();
  }

  // w (p - e_y)
  at::Tensor gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    const at::Tensor minus_one = -at::ones({z.size(0), 1}, z.options());
    return at::softmax(z, 1).scatter_add(1, labels(y, w), minus_one) * column(w, z);
  }

  // w (p o u - p (p' u))
  at::Tensor curvature(const at::Tensor& z, const at::Tensor&, const at::Tensor& w,
                       const at::Tensor& u) const override {
    const at::Tensor p = at::softmax(z, 1);
    return p * (u - (p * u).sum(1, /*keepdim=*/true)) * column(w, z);
  }

  // S = diag(sqrt p) - p sqrt(p)', since S S' = diag p - p p'
  Columns root_columns(const at::Tensor& z, const at::Tensor&, const at::Tensor&) const override {
    const at::Tensor p = at::softmax(z, 1), root = p.sqrt();
    return [p, root](int64_t c) {
      at::Tensor column = p * -root.narrow(1, c, 1);
      column.select(1, c).add_(root.select(1, c));
      return column;
    };
  }

 private:
  static at::Tensor labels(const at::Tensor& y, const at::Tensor& w) {
    return without_masked(y, w).to(at::kLong).unsqueeze(1);
  }
};

/// Independent yes or no answers: C Bernoulli variables of probability sigma(z).
class BinaryCrossEntropy : public Loss {
 public:
  std::string name() const override { return "bce"; }

  at::Tensor value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    const at::Tensor rows = (at::softplus(z) - z * values(z, y, w)).to(at::kDouble).sum(1);
    return (rows * w.to(at::kDouble)).sum();
  }

  // w (sigma - y)
  at::Tensor gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    return (z.sigmoid() - values(z, y, w)) * column(w, z);
  }

  // w sigma o (1 - sigma) o u
  at::Tensor curvature(const at::Tensor& z, const at::Tensor&, const at::Tensor& w,
                       const at::Tensor& u) const override {
    const at::Tensor p = z.sigmoid();
    return p * (1 - p) * u * column(w, z);
  }

  // S = diag sqrt(sigma o (1 - sigma))
  Columns root_columns(const at::Tensor& z, const at::Tensor&, const at::Tensor&) const override {
    const at::Tensor p = z.sigmoid();
    return diagonal_columns((p * (1 - p)).sqrt());
  }
};

class MeanSquaredError : public Loss {
 public:
  std::string name() const override { return "mse"; }

  at::Tensor value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    const at::Tensor rows = (z - values(z, y, w)).to(at::kDouble).square().sum(1);
    return 0.5 * (rows * w.to(at::kDouble)).sum();
  }

  at::Tensor gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override {
    return (z - values(z, y, w)) * column(w, z);
  }

  at::Tensor curvature(const at::Tensor& z, const at::Tensor&, const at::Tensor& w,
                       const at::Tensor& u) const override {
    return u * column(w, z);
  }

  // S = I
  Columns root_columns(const at::Tensor& z, const at::Tensor&, const at::Tensor&) const override {
    return diagonal_columns(at::ones_like(z));
  }
};

}  // namespace

const std::vector<std::string>& loss_names() {
  static const std::vector<std::string> names = {"cross_entropy", "mse", "bce"};
  return names;
}

std::unique_ptr<Loss> make_loss(const std::string& name) {
  if (name == "cross_entropy") return std::make_unique<CrossEntropy>();
  if (name == "mse") return std::make_unique<MeanSquaredError>();
  if (name == "bce") return std::make_unique<BinaryCrossEntropy>();
  throw InputError("unknown loss '" + name + "'" + did_you_mean(name, loss_names()) +
                   " (one of cross_entropy, mse, bce)");
}

}  // namespace ritzflow::model
