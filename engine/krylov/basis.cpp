#include "krylov/basis.h"

#include <algorithm>
#include <vector>

#include "core/kernels.h"

namespace ritzflow {
namespace {

class RamBasis final : public Basis {
 public:
  RamBasis(int64_t n, int64_t capacity, int64_t first) : n_(n), capacity_(capacity), size_(first) {}

  int64_t dim() const override { return n_; }
  int64_t size() const override { return size_; }
  int64_t first_kept() const override { return size_ - static_cast<int64_t>(rows_.size()); }
  int64_t bytes() const override { return static_cast<int64_t>(rows_.size()) * n_ * int64_t{sizeof(double)}; }

  void append(VectorView q) override {
    if (capacity_ > 0 && static_cast<int64_t>(rows_.size()) == capacity_) {
      std::rotate(rows_.begin(), rows_.begin() + 1, rows_.end());  // the oldest row's memory is used again
      std::copy(q.begin(), q.end(), rows_.back().begin());
    } else {
      rows_.emplace_back(q.begin(), q.end());
    }
    pointers_.clear();
    for (const auto& row : rows_) pointers_.push_back(row.data());
    ++size_;
  }

  VectorView row(int64_t i) const override { return rows_.at(static_cast<size_t>(i - first_kept())); }

  void dots(int64_t first, VectorView w, std::span<double> h) const override {
    ritzflow::dots(rows(first, h.size()), w, h);
  }
  void subtract(int64_t first, std::span<const double> c, VectorSpan w) const override {
    ritzflow::subtract(rows(first, c.size()), c, w);
  }
  void subtract_then_dots(int64_t first, std::span<const double> c, VectorSpan w,
                          std::span<double> g) const override {
    ritzflow::subtract_then_dots(rows(first, c.size()), c, w, g);
  }
  void combine(int64_t first, std::span<const double> c, VectorSpan out) const override {
    ritzflow::combine(rows(first, c.size()), c, out);
  }

  void compress(const Eigen::MatrixXd& s) override {
    std::vector<double*> all;
    for (auto& row : rows_) all.push_back(row.data());
    recombine(all, {s.data(), static_cast<size_t>(s.size())}, n_);
    rows_.resize(static_cast<size_t>(s.cols()));
    pointers_.resize(rows_.size());
    size_ = s.cols();
  }

 private:
  Rows rows(int64_t first, size_t count) const {
    return Rows(pointers_).subspan(static_cast<size_t>(first - first_kept()), count);
  }

  int64_t n_, capacity_, size_;
  std::vector<std::vector<double>> rows_;
  std::vector<const double*> pointers_;
};

}  // namespace

std::unique_ptr<Basis> make_ram_basis(int64_t n, int64_t capacity, int64_t first) {
  return std::make_unique<RamBasis>(n, capacity, first);
}

}  // namespace ritzflow
