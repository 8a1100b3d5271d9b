#include "krylov/basis/basis.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/gram.h"
#include "core/huge_buffer.h"
#include "core/kernels.h"

namespace ritzflow::krylov {
namespace {

// Memory is fetched ahead on a few streams at once: rows lie in at most so many panels, in each of which
// their lines are interleaved, so that a pass line by line over all rows reads one stream a panel.
constexpr int64_t kPanels = 4;
constexpr int64_t kUnknown = 8;  // rows of a panel where the number of rows is not known

// Rows of a panel for `expected` rows (0: unknown), so that few or none are allocated in vain.
int64_t panel_rows(int64_t expected) {
  const int64_t least = std::max<int64_t>(1, (expected + kPanels - 1) / kPanels);
  if (expected == 0) return kUnknown;
  if (expected <= kUnknown) return expected;
  const auto allocated = [&](int64_t width) { return (expected + width - 1) / width * width; };
  int64_t best = least;
  for (int64_t width = least + 1; width <= 2 * least; ++width) {
    if (allocated(width) < allocated(best)) best = width;
  }
  return best;
}

template <class T>
class RamBasis final : public Basis {
 public:
  RamBasis(int64_t n, const BasisSize& size)
      : n_(n),
        capacity_(size.capacity),
        size_(size.first),
        width_(panel_rows(size.capacity > 0 ? size.capacity : size.expected)) {}

  int64_t dim() const override { return n_; }
  int64_t size() const override { return size_; }
  int64_t first_kept() const override { return size_ - kept_; }
  int64_t bytes() const override { return kept_ * n_ * int64_t{sizeof(T)}; }

  void append(VectorView q) override {
    if (capacity_ > 0 && kept_ == capacity_) {
      std::rotate(rows_.begin(), rows_.begin() + 1, rows_.end());  // the oldest row's memory is used again
    } else {
      if (kept_ == static_cast<int64_t>(rows_.size())) add_panel();
      ++kept_;
    }
    scatter(q, rows_[static_cast<size_t>(kept_ - 1)], stride());
    ++size_;
  }

  void copy_row(int64_t i, VectorSpan out) const override {
    gather<T>(rows_.at(static_cast<size_t>(i - first_kept())), stride(), out);
  }

  void dots(int64_t first, VectorView w, std::span<double> h) const override {
    ritzflow::dots(rows(first, h.size()), w, h);
  }
  void subtract(int64_t first, std::span<const double> c, VectorSpan w) const override {
    ritzflow::subtract(rows(first, c.size()), c, w);
  }
  double subtract_then_dots(int64_t first, std::span<const double> c, VectorSpan w,
                            std::span<double> g) const override {
    return ritzflow::subtract_then_dots(rows(first, c.size()), c, w, g);
  }
  void combine(int64_t first, std::span<const double> c, VectorSpan out) const override {
    ritzflow::combine(rows(first, c.size()), c, out);
  }

  std::vector<double> gram() const override {
    return ritzflow::gram(rows(0, static_cast<size_t>(size_)), n_);
  }

  void compress(const Eigen::MatrixXd& s) override {
    recombine<T>(std::span(rows_).first(static_cast<size_t>(kept_)), stride(),
                 {s.data(), static_cast<size_t>(s.size())}, n_);
    kept_ = size_ = s.cols();
  }

 private:
  int64_t stride() const { return width_ * kLine; }

  void add_panel() {
    const auto bytes = static_cast<size_t>((n_ + kLine - 1) / kLine * stride()) * sizeof(T);
    panels_.emplace_back(bytes, panels_.size());
    for (int64_t i = 0; i < width_; ++i) rows_.push_back(panels_.back().as<T>() + i * kLine);
  }

  BasicRows<T> rows(int64_t first, size_t count) const {
    return BasicRows<T>({rows_.data() + (first - first_kept()), count}, stride());
  }

  int64_t n_, capacity_, size_, width_, kept_ = 0;
  std::vector<HugeBuffer> panels_;
  std::vector<T*> rows_;  // where each row begins; those from kept_ on are free
};

}  // namespace

double unit_roundoff(BasisType type) { return type == BasisType::float32 ? 0x1p-24 : 0x1p-53; }

int64_t element_bytes(BasisType type) { return type == BasisType::float32 ? 4 : 8; }

std::vector<double> Basis::row(int64_t i) const {
  std::vector<double> q(static_cast<size_t>(dim()));
  copy_row(i, q);
  return q;
}

std::vector<double> Basis::loss_of_orthogonality() const {
  const std::vector<double> g = gram();
  const auto m = static_cast<size_t>(size());
  std::vector<double> loss(m, 0.0);
  for (size_t j = 0; j < m; ++j) {
    for (size_t i = 0; i < j; ++i) loss[j] = std::max(loss[j], std::abs(g[j * m + i]));
  }
  return loss;
}

std::unique_ptr<Basis> make_ram_basis(int64_t n, const BasisSize& size, BasisType type) {
  if (type == BasisType::float32) return std::make_unique<RamBasis<float>>(n, size);
  return std::make_unique<RamBasis<double>>(n, size);
}

}  // namespace ritzflow::krylov
