#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "stand_in_device.h"

namespace ritzflow::curvature::test {

inline at::Tensor on_device(const at::Tensor& t) { return t.to(stand_in_device()); }

/// The same shape and bits, one on the device and one on the host.
inline ::testing::AssertionResult same(const at::Tensor& device, const at::Tensor& host) {
  if (device.device() != stand_in_device()) return ::testing::AssertionFailure() << "not on the device";
  if (device.scalar_type() != host.scalar_type()) return ::testing::AssertionFailure() << "another type";
  return at::equal(device.cpu(), host) ? ::testing::AssertionSuccess()
                                       : ::testing::AssertionFailure() << device.cpu() << "\nis not\n"
                                                                       << host;
}

}  // namespace ritzflow::curvature::test
