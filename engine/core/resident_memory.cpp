#include "core/resident_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace ritzflow {

int64_t resident_memory() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace ritzflow
