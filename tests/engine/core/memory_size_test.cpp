#include "core/memory_size.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace ritzflow::test {
namespace {

TEST(MemorySize, IsReadWithItsUnit) {
  EXPECT_EQ(parse_memory("--memory", "4GiB"), int64_t{4} << 30);
  EXPECT_EQ(parse_memory("--memory", "1.5 MiB"), 3 << 19);
  EXPECT_EQ(parse_memory("--memory", "1000"), 1000);
}

TEST(MemorySize, WrongOneNamesItsFlag) {
  for (const char* wrong : {"", "GiB", "4GB", "-1", "0", "nan", "4 GiB of it"}) {
    try {
      parse_memory("--basis-memory", wrong);
      ADD_FAILURE() << wrong;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find("--basis-memory is '" + std::string(wrong) + "'"), 0);
    }
  }
}

}  // namespace
}  // namespace ritzflow::test
