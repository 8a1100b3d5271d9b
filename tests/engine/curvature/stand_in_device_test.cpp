#include "stand_in_device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "problems.h"

namespace ritzflow::test {
namespace {

TEST(StandInDevice, First) {
  const at::Tensor x = random_matrix(3, 4, 1);
  const at::Tensor d = x.to(stand_in_device());
  const at::Tensor y = (d + d).mm(d.t()).tanh().cpu();
  EXPECT_TRUE(at::equal(y, (x + x).mm(x.t()).tanh()));
  EXPECT_THROW(d + x, c10::Error);
  EXPECT_THROW(d.mm(x.t()), c10::Error);
}

}  // namespace
}  // namespace ritzflow::test
