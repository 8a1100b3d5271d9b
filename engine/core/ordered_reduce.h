#pragma once
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace ritzflow {

/// for i = 0 .. count - 1: add(map(i)), with the maps in parallel and the additions in order, so that no bit
/// depends on the number of threads. At most two maps a thread, and at most `limit`, are in flight: memory
/// does not grow with `count`.
template <class Map, class Add>
void ordered_reduce(int64_t count, const Map& map, const Add& add, int64_t limit = int64_t{1} << 20) {
  using Result = std::invoke_result_t<Map, int64_t>;
  const auto in_flight =
      static_cast<size_t>(std::min<int64_t>(limit, 2 * tbb::this_task_arena::max_concurrency()));
  int64_t next = 0;
  const auto source = [&](tbb::flow_control& control) {
    if (next == count) control.stop();
    return next++;
  };
  tbb::parallel_pipeline(in_flight,
                         tbb::make_filter<void, int64_t>(tbb::filter_mode::serial_in_order, source) &
                             tbb::make_filter<int64_t, Result>(tbb::filter_mode::parallel, map) &
                             tbb::make_filter<Result, void>(tbb::filter_mode::serial_in_order, add));
}

}  // namespace ritzflow
