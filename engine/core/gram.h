#pragma once
#include <vector>

#include "core/kernels.h"

namespace ritzflow {

/// [k k] rows_i' rows_j at [j k + i] for i <= j, of k rows of length n: one read of the rows, of which a
/// stretch of all is in cache while each is multiplied with those before it. Bitwise equal to dots().
template <class T>
std::vector<double> gram(BasicRows<T> rows, int64_t n);
template <class T>
std::vector<double> gram(const RowSource<T>& rows, int64_t n);

}  // namespace ritzflow
