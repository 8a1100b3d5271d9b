#include "curvature/operators/restriction.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

std::string names(const model::ParamSpace& space) {
  std::string text;
  for (const auto& p : space.parameters()) text += (text.empty() ? "" : ", ") + p.name;
  return text;
}

/// Sets `selected` for the parameters that match `glob`.
void mark(const model::ParamSpace& space, const std::string& glob, bool value, std::vector<bool>& selected) {
  bool found = false;
  for (size_t i = 0; i < selected.size(); ++i) {
    if (fnmatch(glob.c_str(), space.parameters()[i].name.c_str(), 0) != 0) continue;
    selected[i] = value;
    found = true;
  }
  if (!found) {
    throw InputError(
        fmt::format("--params-filter: '{}' matches no parameter; there are {}", glob, names(space)));
  }
}

class Restriction : public krylov::LinearOperator {
 public:
  Restriction(std::shared_ptr<krylov::LinearOperator> full, std::vector<IndexRange> ranges)
      : full_(std::move(full)),
        ranges_(std::move(ranges)),
        v_(static_cast<size_t>(full_->dim())),
        product_(v_.size()) {
    for (const auto& range : ranges_) dim_ += range.count;
  }

  int64_t dim() const override { return dim_; }

  void apply(VectorView v, VectorSpan out) override {
    const double* from = v.data();
    for (const auto& range : ranges_) {
      std::copy_n(from, range.count, v_.data() + range.first);
      from += range.count;
    }
    full_->apply(v_, product_);
    double* to = out.data();
    for (const auto& range : ranges_) to = std::copy_n(product_.data() + range.first, range.count, to);
  }

 private:
  std::shared_ptr<krylov::LinearOperator> full_;
  std::vector<IndexRange> ranges_;
  int64_t dim_ = 0;
  std::vector<double> v_;  // P' v: zero outside the ranges
  std::vector<double> product_;
};

}  // namespace

std::vector<IndexRange> select_parameters(const model::ParamSpace& space,
                                          const std::vector<std::string>& globs) {
  const auto excludes = [](const std::string& glob) { return glob.starts_with('!'); };
  std::vector<bool> selected(space.parameters().size(), std::all_of(globs.begin(), globs.end(), excludes));
  for (const auto& glob : globs) {
    if (!excludes(glob)) mark(space, glob, true, selected);
  }
  for (const auto& glob : globs) {
    if (excludes(glob)) mark(space, glob.substr(1), false, selected);
  }
  std::vector<IndexRange> ranges;
  for (size_t i = 0; i < selected.size(); ++i) {
    const auto& p = space.parameters()[i];
    if (selected[i]) ranges.push_back({p.offset, p.size});
  }
  if (ranges.empty()) throw InputError("--params-filter leaves no parameter; there are " + names(space));
  return ranges;
}

std::unique_ptr<krylov::LinearOperator> make_restriction(std::shared_ptr<krylov::LinearOperator> full,
                                                         std::vector<IndexRange> ranges) {
  return std::make_unique<Restriction>(std::move(full), std::move(ranges));
}

}  // namespace ritzflow::curvature
