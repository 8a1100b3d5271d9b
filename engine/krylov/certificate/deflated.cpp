#include "krylov/certificate/deflated.h"

#include <algorithm>

#include "core/kernels.h"

namespace ritzflow::krylov {

void Deflated::apply(VectorView v, VectorSpan out) {
  std::copy(v.begin(), v.end(), inner_.begin());
  project(inner_);
  operator_.apply(inner_, out);
  project(out);
}

// Twice: X'w is rounding noise afterwards.
void Deflated::project(VectorSpan w) const {
  std::vector<double> c(rows_.size());
  for (int pass = 0; pass < 2; ++pass) {
    dots(Rows(rows_), w, c);
    subtract(Rows(rows_), c, w);
  }
}

bool Deflated::add(VectorView x) {
  std::vector<double> q(x.begin(), x.end());
  project(q);
  const double length = norm(q);
  if (length < 0.5) return false;
  scale(1 / length, q);
  vectors_.push_back(std::move(q));
  rows_.push_back(vectors_.back().data());
  return true;
}

}  // namespace ritzflow::krylov
