#include "core/freed_memory.h"

#include <malloc.h>

#include <limits>

namespace ritzflow {

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc accepts
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

}  // namespace ritzflow
