#include "problem/dataset.h"

#include "core/error.h"
#include "problem/data_file.h"

namespace ritzflow::problem {

std::string default_loss(const Dataset& data) {
  if (data.task == Task::regression) return "mse";
  return data.targets.is_floating_point() ? "bce" : "cross_entropy";
}

void require_loss_fits(const std::string& loss, const Dataset& data) {
  if (loss == "cross_entropy" && data.targets.is_floating_point()) {
    throw InputError("training.loss cross_entropy needs one class label a sample; for task " +
                     word(data.task) + " with such targets use " + default_loss(data));
  }
  if (loss == "bce" && data.task == Task::regression) {
    throw InputError("training.loss bce needs labels in [0, 1]; for task regression use mse");
  }
}

Dataset load_dataset(const std::filesystem::path& path) {
  DataFile file = read_data_file(path);
  model::require_built_in(file.inputs);
  return std::move(file.data);
}

}  // namespace ritzflow::problem
