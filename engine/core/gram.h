#pragma once
#include <span>

#include "core/kernels.h"

namespace ritzflow {

/// g[j k + i] = rows_i' rows_j for i <= j, of k rows of length n: one read of the rows, of which a stretch of
/// all is in cache while each is multiplied with those before it. The bits are those of dots().
template <class T>
void gram(BasicRows<T> rows, int64_t n, std::span<double> g);
template <class T>
void gram(const RowSource<T>& rows, int64_t n, std::span<double> g);

}  // namespace ritzflow
