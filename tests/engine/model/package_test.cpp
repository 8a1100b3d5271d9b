#include "model/package/package.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/package/operator_calls.h"

namespace ritzflow::model {
namespace {

using nlohmann::json;

json reg(int number) { return {{"r", number}}; }

json call(const std::string& op, const std::string& overload, json arguments, std::vector<int> results,
          std::vector<int> freed = {}) {
  return {{"op", op},
          {"overload", overload},
          {"arguments", std::move(arguments)},
          {"results", std::move(results)},
          {"free", std::move(freed)}};
}

TEST(OperatorCalls, ArgumentsOfEveryKindReachTheirOperators) {
  // y = cat(split(x, [1, 2]) in turned order) * 0.5, then a norm over dimension 0 that keeps it.
  const json half = {{"float", "0x1.0p-1"}};
  const json listed = {{"inputs", 1},
                       {"registers", 6},
                       {"calls",
                        {call("aten::split_with_sizes", "", {reg(0), {1, 2}, 0}, {1, 2}),
                         call("aten::cat", "", {{reg(2), reg(1)}, 0}, {3}, {1, 2}),
                         call("aten::mul", "Scalar", {reg(3), half}, {4}, {3}),
                         call("aten::sum", "dim_IntList", {reg(4), json::array({0}), true, nullptr}, {5})}},
                       {"outputs", {4, 5}}};
  const at::Tensor x = at::arange(6, at::kDouble).reshape({3, 2});
  const auto found = OperatorCalls(listed).run({x}, x.device());
  const at::Tensor expected = at::cat({x.narrow(0, 1, 2), x.narrow(0, 0, 1)}) * 0.5;
  EXPECT_TRUE(at::equal(found[0], expected));
  EXPECT_TRUE(at::equal(found[1], expected.sum(0, true)));
}

TEST(OperatorCalls, ANumberMayStandForATensor) {
  const json listed = {{"inputs", 1},
                       {"registers", 2},
                       {"calls", {call("aten::mul", "Tensor", {reg(0), 2}, {1})}},
                       {"outputs", {1}}};
  const at::Tensor x = at::arange(3, at::kFloat);
  const at::Tensor y = OperatorCalls(listed).run({x}, x.device())[0];
  EXPECT_TRUE(at::equal(y, 2 * x) && y.scalar_type() == at::kFloat);
}

TEST(OperatorCalls, RunOnTheDeviceOfTheirInputs) {
  const json listed = json::parse(R"({"registers": 2, "inputs": 1, "outputs": [1], "calls": [
    {"op": "aten::zeros_like", "overload": "", "results": [1], "free": [],
     "arguments": [{"r": 0}, null, null, "cpu", null, null]}]})");
  const at::Tensor x = at::empty({3}, at::TensorOptions(at::kMeta));
  EXPECT_EQ(OperatorCalls(listed).run({x}, x.device())[0].device().type(), at::kMeta);
}

TEST(OperatorCalls, WithoutInputsTheyRunOnTheDeviceThatIsGiven) {
  const json listed = json::parse(R"({"registers": 1, "inputs": 0, "outputs": [0], "calls": [
    {"op": "aten::ones", "overload": "", "results": [0], "free": [],
     "arguments": [[2], null, null, "cpu", null]}]})");
  EXPECT_EQ(OperatorCalls(listed).run({}, at::kMeta)[0].device().type(), at::kMeta);
}

TEST(OperatorCalls, AnOptionalListMayHaveGaps) {
  const json listed = {
      {"inputs", 2},
      {"registers", 3},
      {"calls", {call("aten::index", "Tensor", {reg(0), json::array({nullptr, reg(1)})}, {2})}},
      {"outputs", {2}}};
  const at::Tensor x = at::arange(6).reshape({2, 3}), columns = at::tensor({2, 0});
  EXPECT_TRUE(at::equal(OperatorCalls(listed).run({x, columns}, at::kCPU)[0], x.index_select(1, columns)));
}

TEST(OperatorCalls, AnUnknownOperatorIsNamed) {
  const json listed = {{"inputs", 0},
                       {"registers", 1},
                       {"calls", {call("aten::no_such_thing", "", json::array(), {0})}},
                       {"outputs", {0}}};
  EXPECT_THROW(OperatorCalls{listed}, InputError);
}

TEST(OperatorCalls, ARegisterThatThereIsNotIsAnInputError) {
  const json mul = call("aten::mul", "Tensor", {reg(0), 2}, {1}, {0});
  const json right = {{"inputs", 1}, {"registers", 2}, {"calls", {mul}}, {"outputs", {1}}};
  EXPECT_NO_THROW(OperatorCalls{right});
  for (const char* place :
       {"/calls/0/arguments/0/r", "/calls/0/results/0", "/calls/0/free/0", "/outputs/0"}) {
    for (const int64_t number : {int64_t{-1}, int64_t{2}, INT64_MAX}) {
      json wrong = right;
      wrong[json::json_pointer(place)] = number;
      EXPECT_THROW(OperatorCalls{wrong}, InputError) << place << " " << number;
    }
  }
  json wrong = right;
  wrong["inputs"] = 3;
  EXPECT_THROW(OperatorCalls{wrong}, InputError);
  EXPECT_THROW(OperatorCalls(right).run({}, at::kCPU), InputError);
}

/// A package with one function, z = f(x), on the layout of x that is asked for.
class PackageSlots : public testing::Test {
 protected:
  Package make(const std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>& f,
               const json& outputs = json::array({1}), const json& inputs = json::array({0})) {
    const json slot = {{"shape", {2, 3}}, {"strides", {1, 2}}, {"dtype", "float32"}};
    json x = slot, z = slot, other = slot;
    x["name"] = "x", z["name"] = "z", other["name"] = "other";
    const json manifest = {{"micro_batch", 2},
                           {"tokens", false},
                           {"outputs", 3},
                           {"computes_in_float32", true},
                           {"slots", {x, z, other}},
                           {"taps", json::array()},
                           {"functions", {{"primal", {{"inputs", inputs}, {"outputs", outputs}}}}}};
    return Package(manifest, [f](const std::string&) {
      return [f](const std::vector<at::Tensor>& in, at::Device) { return f(in); };
    });
  }
};

TEST_F(PackageSlots, AFunctionSeesTheStridesThatItWasMadeFor) {
  std::vector<int64_t> seen;
  const Package package = make([&](const std::vector<at::Tensor>& in) {
    seen = in[0].strides().vec();
    return in;
  });
  const at::Tensor x = at::arange(6, at::kFloat).reshape({2, 3});
  SlotValues values = {x, {}, {}};
  package.run("primal", values);
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(at::equal(values[1], x));
}

TEST_F(PackageSlots, AnotherShapeOrTypeIsAnError) {
  const Package package = make([](const std::vector<at::Tensor>& in) { return in; });
  for (const at::Tensor& wrong : {at::zeros({3, 2}), at::zeros({2, 3}, at::kDouble), at::Tensor()}) {
    SlotValues values = {wrong, {}, {}};
    EXPECT_THROW(package.run("primal", values), std::invalid_argument);
  }
}

TEST_F(PackageSlots, OnlyWhatLaterFunctionsReadIsKept) {
  const Package package = make([](const std::vector<at::Tensor>& in) { return in; });
  SlotValues values = {at::zeros({2, 3}), at::zeros({2, 3}), at::zeros({2, 3})};
  package.keep_for({"primal"}, values);
  EXPECT_TRUE(values[0].defined());
  EXPECT_FALSE(values[1].defined() || values[2].defined());
}

TEST_F(PackageSlots, AFunctionWithoutResultsIsNotEvenLoaded) {
  const Package package = make({}, json::array(), json::array());
  SlotValues values = {at::zeros({2, 3}), {}, {}};
  package.run("primal", values);
  EXPECT_TRUE(values[0].defined());
  package.run_last("primal", values);
  EXPECT_FALSE(values[0].defined());
}

TEST_F(PackageSlots, AFunctionWithoutInputsGivesItsConstants) {
  const Package package = make([](const auto&) { return std::vector<at::Tensor>{at::ones({2, 3})}; },
                               json::array({1}), json::array());
  SlotValues values(3);
  package.run("primal", values);
  EXPECT_TRUE(at::equal(values[1], at::ones({2, 3})));
}

TEST_F(PackageSlots, ASlotThatThereIsNotIsAnInputError) {
  for (const int64_t place : {-1, 3}) EXPECT_THROW(make({}, json::array({place})), InputError);
}

TEST_F(PackageSlots, AFunctionThatWasNotExportedIsNamed) {
  const Package package = make([](const std::vector<at::Tensor>& in) { return in; });
  SlotValues values(3);
  EXPECT_THROW(package.run("hvp_primal", values), InputError);
}

}  // namespace
}  // namespace ritzflow::model
