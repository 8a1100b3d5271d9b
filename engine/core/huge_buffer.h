#pragma once
#include <cstddef>
#include <memory>

namespace ritzflow {

/// Uninitialised memory for long vectors, on huge pages where the system lends them: a pass over many rows at
/// once then misses the translation cache once in 2 MiB. Buffers of different `colour` begin at different
/// offsets within a page, so that the same element of many rows does not fall into one cache set. Throws
/// Error where the memory is not to be had.
class HugeBuffer {
 public:
  HugeBuffer(size_t bytes, size_t colour);

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(begin_);
  }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::byte* begin_;
};

}  // namespace ritzflow
