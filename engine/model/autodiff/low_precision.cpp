#include "model/autodiff/low_precision.h"

namespace ritzflow::model {
namespace {

class InBfloat16 : public Network {
 public:
  explicit InBfloat16(std::shared_ptr<const Network> network) : network_(std::move(network)) {
    params_ = network_->params();
  }

  at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const override {
    return network_->features(narrowed(theta), inputs).to(at::kFloat);
  }

  std::optional<Layer> output_layer() const override { return network_->output_layer(); }

  void initialize(uint64_t seed, VectorSpan theta) const override { network_->initialize(seed, theta); }

 private:
  static ParamTensors narrowed(const ParamTensors& theta) {
    ParamTensors narrow;
    for (const at::Tensor& t : theta) narrow.push_back(t.to(at::kBFloat16));
    return narrow;
  }

  std::shared_ptr<const Network> network_;
};

}  // namespace

std::shared_ptr<const Network> in_bfloat16(std::shared_ptr<const Network> network) {
  return std::make_shared<InBfloat16>(std::move(network));
}

}  // namespace ritzflow::model
