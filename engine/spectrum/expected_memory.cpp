#include "spectrum/expected_memory.h"

#include <spdlog/spdlog.h>

namespace ritzflow::spectrum {

int64_t state_memory(int64_t loaded, int64_t products, int64_t vectors) {
  if (products == 0) return 0;
  const auto mib = [](int64_t bytes) { return (bytes >> 20) + 1; };
  const int64_t all = loaded + products + vectors;
  spdlog::info("memory: about {} MiB at the peak: {} loaded, {} for products, {} for vectors beside them",
               mib(all), mib(loaded), mib(products), mib(vectors));
  return all;
}

}  // namespace ritzflow::spectrum
