#include "core/chunks.h"

#include <tbb/parallel_for.h>

#include <atomic>
#include <thread>

namespace ritzflow {
namespace {

// The only place below LibTorch where threads meet. ThreadSanitizer does not see how libtbb, which is not
// built for it, waits for its tasks: to it the threads are plain ones.
#ifdef __SANITIZE_THREAD__
void run_in_parallel(int64_t count, const std::function<void(int64_t)>& run) {
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t i = next++; i < count; i = next++) run(i);
  };
  std::thread other(work);
  work();
  other.join();
}
#else
void run_in_parallel(int64_t count, const std::function<void(int64_t)>& run) {
  tbb::parallel_for(int64_t{0}, count, run);
}
#endif

}  // namespace

void for_each_chunk(int64_t first, int64_t last, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t chunks = (last - first + kChunk - 1) / kChunk;
  const auto run = [&](int64_t c) { body(first + c * kChunk, std::min(last, first + (c + 1) * kChunk)); };
  if (chunks == 1) return run(0);
  run_in_parallel(chunks, run);
}

void for_each_chunk(int64_t n, const std::function<void(int64_t, int64_t)>& body) {
  for_each_chunk(0, n, body);
}

}  // namespace ritzflow
