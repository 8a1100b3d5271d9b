#include "model/autodiff/param_space.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace ritzflow::model {
namespace {

ParamSpace two_parameters() {
  ParamSpace params;
  params.add("weight", {2, 3});
  params.add("bias", {2});
  return params;
}

TEST(ParamSpace, OffsetsFollowTheOrderOfAddition) {
  const ParamSpace params = two_parameters();
  EXPECT_EQ(params.size(), 8);
  EXPECT_EQ(params.parameters()[1].offset, 6);
  EXPECT_EQ(params.parameters()[1].size, 2);
  EXPECT_EQ(params.index("bias"), 1u);
}

TEST(ParamSpace, SizesBeyond64BitsAreRefusedByName) {
  ParamSpace params = two_parameters();
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{int64_t{1} << 31, int64_t{1} << 31, 9}, {INT64_MAX - 7}}) {
    try {
      params.add("large", shape);
      ADD_FAILURE();
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("'large'"), std::string::npos);
    }
  }
  EXPECT_EQ(params.size(), 8);
}

TEST(ParamSpace, BlobsAreViewsOfTheFlatVectorWithOneStorageEach) {
  const ParamSpace params = two_parameters();
  const at::Tensor flat = at::arange(8, at::kDouble);
  const ParamTensors blobs = params.blobs(flat);
  EXPECT_TRUE(blobs[0].equal(flat.slice(0, 0, 6).view({2, 3})));
  EXPECT_EQ(blobs[1].data_ptr(), flat.data_ptr<double>() + 6);
  EXPECT_EQ(blobs[1].storage_offset(), 0);
  EXPECT_EQ(blobs[1].storage().nbytes(), 2 * sizeof(double));
}

TEST(ParamSpace, BlobsKeepTheFlatVectorAlive) {
  const ParamTensors blobs = two_parameters().blobs(at::full({8}, 3.0, at::kDouble));
  EXPECT_EQ(blobs[1][1].item<double>(), 3.0);
}

TEST(ParamSpace, RefusesANameTwiceAnUnknownNameAndAWrongLength) {
  ParamSpace params = two_parameters();
  EXPECT_THROW(params.add("bias", {1}), InputError);
  EXPECT_THROW(params.index("biass"), InputError);
  EXPECT_THROW(params.blobs(at::zeros({7})), std::invalid_argument);
  EXPECT_THROW(params.blobs(at::zeros({16}).slice(0, 0, 16, 2)), std::invalid_argument);
}

}  // namespace
}  // namespace ritzflow::model
