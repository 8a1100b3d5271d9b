#include "core/huge_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "core/error.h"

namespace ritzflow {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kCacheLine = 64;
constexpr size_t kStep = 9 * kCacheLine;  // from one colour to the next: coprime to the sets of every level
constexpr size_t kColours = 64;

}  // namespace

HugeBuffer::HugeBuffer(size_t bytes, size_t colour) {
  const bool huge = bytes >= 2 * kHugePage;
  const size_t offset = huge ? colour % kColours * kStep : 0, alignment = huge ? kHugePage : kCacheLine;
  const size_t size = (bytes + offset + alignment - 1) / alignment * alignment;
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
  if (!memory_)
    throw Error(ExitCode::failure, "no memory for " + std::to_string(bytes) + " bytes of vectors");
  // The last, partly used huge page stays in small ones: no byte is touched that is not asked for.
  if (huge) madvise(memory_.get(), (bytes + offset) / kHugePage * kHugePage, MADV_HUGEPAGE);
  begin_ = memory_.get() + offset;
}

void HugeBuffer::Free::operator()(std::byte* p) const { std::free(p); }

}  // namespace ritzflow
