#include "curvature/risk_point.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "model/device.h"
#include "problem/data_file.h"
#include "problem/model_file.h"
#include "problem/sample_draw.h"

namespace ritzflow::curvature {
namespace {

at::ScalarType scalar_type(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::bfloat16) return at::kBFloat16;
  return arithmetic == Arithmetic::float32 ? at::kFloat : at::kDouble;
}

/// The loss that the model came with; else `training.loss` of its spec, or the task's own.
std::shared_ptr<const model::Loss> loss_of(const problem::ModelPoint& model, const problem::Dataset& data) {
  if (model.loss) return model.loss;
  const auto training = model.spec.value("training", nlohmann::json::object());
  const auto named = training.is_object() ? training.value("loss", nlohmann::json()) : nlohmann::json();
  if (named.is_null() || named.is_string()) {
    const std::string name = named.is_null() ? problem::default_loss(data) : named.get<std::string>();
    problem::require_loss_fits(name, data);
    return model::make_loss(name);
  }
  throw InputError("training.loss of the model's spec is " + training.at("loss").dump() +
                   ", expected one of cross_entropy, mse, bce");
}

void choose_batch_size(const problem::Dataset& data, int64_t most, RiskSettings& settings) {
  if (most > 0 && settings.batch_size > most) {
    throw InputError(fmt::format("--batch-size is {}, but the model was exported for micro-batches of {}",
                                 settings.batch_size, most));
  }
  if (most > 0 && settings.batch_size == 0) settings.batch_size = most;
  if (settings.batch_size == 0) settings.batch_size = default_batch_size(data);
  settings.batch_size = std::min(settings.batch_size, data.samples);
}

/// Was the model exported for all samples as one batch? Throws Refusal where these are not as many.
bool takes_whole_batch(const problem::ModelPoint& model, const problem::Dataset& data, int64_t batch_size) {
  const auto& architecture = model.spec.at("architecture");
  if (!architecture.is_object() || architecture.value("whole_batch", nlohmann::json()) != true) return false;
  if (data.samples == model.micro_batch && (batch_size == 0 || batch_size == data.samples)) return true;
  throw Refusal(
      fmt::format("the model was exported by --whole-batch for {} samples that depend on one another; "
                  "{} samples in batches of {} are another function",
                  model.micro_batch, data.samples, batch_size == 0 ? data.samples : batch_size));
}

}  // namespace

int64_t default_batch_size(const problem::Dataset& data) {
  const int64_t by_rows = 512 / data.rows_per_sample;
  const int64_t by_elements = (int64_t{1} << 20) * data.samples / data.inputs.numel();
  return std::clamp<int64_t>(std::min(by_rows, by_elements), 1, data.samples);
}

RiskPoint load_risk(const RiskSettings& settings, const RiskUse& use, const Digests& expected) {
  const at::Device device = model::open_device(settings.device);
  const at::ScalarType dtype = scalar_type(settings.dtype_compute);
  RiskPoint point;
  point.settings = settings;
  problem::DataFile file = problem::read_data_file(settings.data);
  require_digest(settings.data, file.data.sha256, expected.data);
  const problem::ModelPoint model = problem::load_model(settings.model, settings.step, file, settings.data);
  require_digest(settings.model, model.sha256, expected.model);
  if (settings.samples > 0) {
    file.data =
        problem::draw_samples(file.data, settings.samples, static_cast<uint64_t>(settings.samples_seed));
  }
  const problem::Dataset& data = file.data;
  point.digests.data = data.sha256;
  point.digests.model = model.sha256;
  point.settings.step = std::to_string(model.step);
  if (model.micro_batch > 0 && dtype == at::kBFloat16) {
    throw InputError("--dtype-compute bfloat16: an exported model computes in the type of its export");
  }
  point.whole_batch = takes_whole_batch(model, data, settings.batch_size);
  choose_batch_size(data, model.micro_batch, point.settings);
  point.risk = std::make_shared<const problem::EmpiricalRisk>(
      model.network, loss_of(model, data), data, model.theta,
      problem::RiskOptions{.batch_size = point.settings.batch_size,
                           .dtype = dtype,
                           .lifetime = model::Lifetime::one_product,
                           .compute_threads = static_cast<int>(use.compute_threads),
                           .device = device});
  if (model.check) model.check(point.risk->theta(), use.hessian);
  return point;
}

}  // namespace ritzflow::curvature
