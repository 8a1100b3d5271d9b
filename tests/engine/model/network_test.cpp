#include "model/autodiff/network.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "model/networks/networks.h"
#include "model_testing.h"

namespace ritzflow::model {
namespace {

using namespace test;
using nlohmann::json;

std::vector<std::string> names(const Network& network) {
  std::vector<std::string> list;
  for (const auto& parameter : network.params().parameters()) list.push_back(parameter.name);
  return list;
}

std::vector<int64_t> shape_of(const Network& network, const std::string& name) {
  return network.params().parameters()[network.params().index(name)].shape;
}

std::string refusal(const json& architecture, const DataShape& shape = {{6}, 3, false}) {
  try {
    make_network(architecture, shape);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

void expect_refused(const json& architecture, const std::string& reason,
                    const DataShape& shape = {{6}, 3, false}) {
  const std::string message = refusal(architecture, shape);
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

const json transformer = {{"kind", "transformer"}, {"layers", 1}, {"heads", 2}, {"d_model", 4}};

TEST(Mlp, IsAffineMapsWithActivationsBetween) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", {3}}, {"activation", "tanh"}});
  const ParamTensors t = p.tensors(p.theta);
  const at::Tensor h = (p.inputs.matmul(t[0].t()) + t[1]).tanh();
  EXPECT_LT(relative_error(p.network->forward(t, p.inputs), h.matmul(t[2].t()) + t[3]), 1e-15);
}

TEST(Mlp, HasParametersInPyTorchsNamesAndShapes) {
  const auto network = make_network({{"kind", "mlp"}, {"hidden", {4}}}, {{2, 3}, 5, false});
  EXPECT_EQ(names(*network), (std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight",
                                                       "layers.1.bias"}));
  EXPECT_EQ(shape_of(*network, "layers.0.weight"), (std::vector<int64_t>{4, 6}));
}

TEST(Mlp, WithoutHiddenLayersIsALinearModel) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", json::array()}, {"bias", false}});
  const ParamTensors t = p.tensors(p.theta);
  EXPECT_EQ(t.size(), 1u);
  EXPECT_TRUE(p.network->forward(t, p.inputs).equal(p.inputs.matmul(t[0].t())));
}

TEST(Cnn, PoolsWhileTheImageHasTwoPixelsASide) {
  const json architecture = {{"kind", "cnn"}, {"channels", {4, 8, 8, 8}}};
  const auto network = make_network(architecture, {{8, 8}, 10, false});
  EXPECT_EQ(shape_of(*network, "blocks.0.conv.weight"), (std::vector<int64_t>{4, 1, 3, 3}));
  // 8 x 8 -> 4 x 4 -> 2 x 2 -> 1 x 1 -> 1 x 1
  EXPECT_EQ(shape_of(*network, "head.weight"), (std::vector<int64_t>{10, 8}));
  EXPECT_EQ(
      network->forward(network->params().blobs(at::ones({network->params().size()})), at::ones({2, 8, 8}))
          .sizes(),
      at::IntArrayRef({2, 10}));
}

TEST(Cnn, GroupNormStandardisesEachGroupOfASample) {
  const Problem p = make_problem({{"kind", "cnn"},
                                  {"channels", {4}},
                                  {"norm", "group"},
                                  {"groups", 2},
                                  {"pooling", "none"},
                                  {"activation", "identity"}});
  ParamTensors t = p.tensors(p.theta);
  t[2].fill_(1);
  t[3].fill_(0);
  const at::Tensor conv = at::conv2d(p.inputs, t[0], t[1], 1, 1).view({4, 2, -1});
  const at::Tensor centred = conv - conv.mean(2, true);
  const at::Tensor standard = centred / (centred.square().mean(2, true) + 1e-5).sqrt();
  EXPECT_LT(relative_error(p.network->forward(t, p.inputs), at::linear(standard.flatten(1), t[4], t[5])),
            1e-14);
}

TEST(Transformer, IsCausal) {
  const Problem p = make_problem(transformer);
  const ParamTensors t = p.tensors(p.theta);
  at::Tensor other = p.inputs.clone();
  other.select(1, 4).add_(1).remainder_(5);  // another token at position 4 of 6
  const at::Tensor z = p.network->forward(t, p.inputs).view({4, 6, 5});
  const at::Tensor changed = p.network->forward(t, other).view({4, 6, 5});
  EXPECT_TRUE(changed.slice(1, 0, 4).equal(z.slice(1, 0, 4)));
  EXPECT_FALSE(changed.select(1, 5).equal(z.select(1, 5)));
}

TEST(Transformer, TiedHeadIsTheTokenEmbedding) {
  json untied = transformer;
  untied["tie_embeddings"] = false;
  const Problem tied = make_problem(transformer), free = make_problem(untied);
  EXPECT_EQ(free.network->params().size() - tied.network->params().size(), 5 * 4);
  ParamTensors t = tied.tensors(tied.theta);
  const at::Tensor z = tied.network->forward(t, tied.inputs);
  t.push_back(t[0]);
  EXPECT_TRUE(free.network->forward(t, tied.inputs).equal(z));
}

TEST(Transformer, AcceptsShorterContexts) {
  const Problem p = make_problem(transformer);
  const ParamTensors t = p.tensors(p.theta);
  const at::Tensor z = p.network->forward(t, p.inputs).view({4, 6, 5});
  const at::Tensor part = p.network->forward(t, p.inputs.slice(1, 0, 3)).view({4, 3, 5});
  EXPECT_LT(relative_error(part, z.slice(1, 0, 3)), 1e-14);
}

TEST(Network, StartDependsOnTheSeedAlone) {
  for (const json& architecture :
       {json{{"kind", "mlp"}, {"hidden", {3}}}, json{{"kind", "cnn"}, {"channels", {4}}, {"norm", "group"}},
        transformer}) {
    const auto network = make_problem(architecture).network;
    std::vector<double> a(static_cast<size_t>(network->params().size()), 7.0), b(a.size(), -7.0), c(a);
    network->initialize(1, a);
    network->initialize(1, b);
    network->initialize(2, c);
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
  }
}

TEST(Network, MlpStartsWithinTheBoundOfItsFanIn) {
  const auto network = make_network({{"kind", "mlp"}, {"hidden", {50}}}, {{25}, 3, false});
  std::vector<double> theta(static_cast<size_t>(network->params().size()));
  network->initialize(1, theta);
  const auto [low, high] = std::ranges::minmax(std::span(theta).first(25 * 50));
  EXPECT_NEAR(low, -0.2, 0.01);
  EXPECT_NEAR(high, 0.2, 0.01);
}

TEST(Architecture, WrongSettingsAreRefusedWithWhatWouldBeRight) {
  expect_refused({{"hidden", {3}}}, "architecture.kind is missing");
  expect_refused({{"kind", "mpl"}}, "did you mean 'mlp'");
  expect_refused({{"kind", "mlp"}, {"hiden", {3}}}, "did you mean 'hidden'");
  expect_refused({{"kind", "mlp"}, {"hidden", 64}}, "architecture.hidden is 64; it must be a list");
  expect_refused({{"kind", "mlp"}, {"hidden", {64, 0}}}, "a list of integers >= 1");
  expect_refused({{"kind", "mlp"}, {"hidden", {int64_t{1} << 31}}}, "a list of integers >= 1 and < 2^31");
  expect_refused({{"kind", "cnn"}, {"channels", {INT32_MAX, INT32_MAX}}}, "more elements",
                 {{8, 8}, 3, false});
  expect_refused({{"kind", "mlp"}, {"hidden", {64}}, {"activation", "tahn"}}, "did you mean 'tanh'");
  expect_refused({{"kind", "mlp"}, {"hidden", {64}}, {"bias", "yes"}}, "true or false");
  const DataShape image{{8, 8}, 3, false};
  expect_refused({{"kind", "cnn"}, {"channels", {6}}, {"norm", "group"}}, "groups 4 must divide", image);
  expect_refused({{"kind", "cnn"}, {"channels", {6}}, {"norm", "batch"}}, "one of none, group", image);
  const DataShape tokens{{6}, 5, true};
  expect_refused({{"kind", "transformer"}, {"layers", 1}, {"heads", 3}, {"d_model", 4}}, "multiple of",
                 tokens);
}

TEST(Architecture, DataThatDoNotFitAreRefused) {
  const DataShape tokens{{6}, 5, true};
  expect_refused({{"kind", "mlp"}, {"hidden", {3}}}, "use transformer", tokens);
  expect_refused({{"kind", "cnn"}, {"channels", {3}}}, "use transformer", tokens);
  expect_refused({{"kind", "cnn"}, {"channels", {3}}}, "use mlp");
  expect_refused(transformer, "needs tokens");
}

}  // namespace
}  // namespace ritzflow::model
