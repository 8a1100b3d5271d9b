#pragma once
#include <vector>

#include "artifact/compare/compare.h"
#include "artifact/hdf5/item.h"

namespace ritzflow::artifact {

/// Every dataset and attribute outside /provenance in which two open HDF5 files differ.
std::vector<Deviation> item_deviations(const FileView& a, const FileView& b);

/// The largest difference of two arrays of numbers of one shape, met in C order; NaN equals NaN.
class LargestDifference {
 public:
  explicit LargestDifference(std::vector<std::int64_t> shape) : shape_(std::move(shape)) {}

  /// The next elements of both.
  void add(const std::vector<double>& a, const std::vector<double>& b);

  Deviation result(const std::string& quantity) const;

 private:
  std::vector<std::int64_t> shape_;
  std::int64_t next_ = 0;
  double largest_ = 0, scale_ = 0;
  std::string where_;
};

/// A quantity of which only words can be given.
Deviation differing(const std::string& quantity, const std::string& what);

}  // namespace ritzflow::artifact
