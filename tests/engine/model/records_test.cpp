#include "model/autodiff/records.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ritzflow::model {
namespace {

// Fields of one, four and eight bytes an element, so that none begins where its type would.
struct Example {
  std::vector<at::Tensor> arrays;
  std::vector<InputField> fields;
};

Example example(int64_t samples) {
  const std::vector<at::Tensor> arrays = {
      at::arange(3 * samples).reshape({samples, 3}).remainder(2).to(at::kBool),
      at::arange(6 * samples, at::kDouble).reshape({samples, 2, 3}).sin(), at::arange(samples, at::kLong),
      at::arange(5 * samples, at::kFloat).reshape({samples, 5}).cos()};
  const std::vector<InputField> fields = {{"mask", {3}, at::kBool},
                                          {"image", {2, 3}, at::kDouble},
                                          {"node", {}, at::kLong},
                                          {"features", {5}, at::kFloat}};
  return {arrays, fields};
}

TEST(Records, GiveBackWhatWasPacked) {
  for (const int64_t samples : {1, 2, 7}) {
    const auto [arrays, fields] = example(samples);
    const at::Tensor records = packed(arrays);
    EXPECT_EQ(records.sizes(), (at::IntArrayRef{samples, 3 + 6 * 8 + 8 + 5 * 4}));
    const auto found = unpacked(records, fields);
    for (size_t i = 0; i < arrays.size(); ++i) {
      EXPECT_EQ(found[i].scalar_type(), fields[i].type) << fields[i].name;
      EXPECT_TRUE(found[i].equal(arrays[i])) << fields[i].name;
    }
  }
}

TEST(Records, OfSomeSamplesAreThoseSamples) {
  const auto [arrays, fields] = example(7);
  const auto found = unpacked(packed(arrays).narrow(0, 2, 3), fields);
  for (size_t i = 0; i < arrays.size(); ++i) EXPECT_TRUE(found[i].equal(arrays[i].narrow(0, 2, 3)));
}

TEST(Records, TakeArraysThatLieAcross) {
  const at::Tensor across = at::arange(6, at::kFloat).reshape({2, 3}).t();
  EXPECT_TRUE(unpacked(packed({across}), {{"x", {2}, at::kFloat}})[0].equal(across));
}

}  // namespace
}  // namespace ritzflow::model
