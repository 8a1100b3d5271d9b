// libFuzzer target of a model's spec: any architecture and training that are valid JSON become a network and
// options, or are refused. Sizes are cut to what a fuzzer can afford; the largest have tests of their own.
#include <nlohmann/json.hpp>

#include "artifact/json_file.h"
#include "core/error.h"
#include "model/autodiff/network.h"
#include "model/networks/networks.h"
#include "model/training/training.h"

namespace {

constexpr std::int64_t kMost = 64;

void cut_numbers(nlohmann::json& value) {
  if (value.is_structured()) {
    for (auto& part : value) cut_numbers(part);
  } else if (value.is_number_integer() && value > kMost) {
    value = kMost;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& shape :
       {ritzflow::model::DataShape{{1, 4, 4}, 3, false}, ritzflow::model::DataShape{{6}, 11, true}}) {
    try {
      auto spec = ritzflow::artifact::parse_json(text, "input");
      cut_numbers(spec);
      if (!spec.is_object()) return 0;
      ritzflow::model::parse_training(spec.value("training", nlohmann::json::object()), "cross_entropy");
      ritzflow::model::make_network(spec.value("architecture", nlohmann::json::object()), shape);
    } catch (const ritzflow::InputError&) {
      // a clear refusal is a good end
    }
  }
  return 0;
}
