#include "core/resident_memory.h"

#include <unistd.h>

#include <fstream>

namespace ritzflow {

int64_t resident_memory() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace ritzflow
