#pragma once

namespace ritzflow::model {

/// Makes the memory of a freed tensor serve the next one of its size: a product frees and takes the same
/// tensors again, and each page that comes back from the system must be zeroed first (a third of the time of
/// small Hessian products). For the whole process, from its first tensor on.
///
/// malloc keeps what is freed, for buffers of up to 32 MiB, instead of handing it back; and tensors are
/// aligned inside blocks of malloc(), because glibc before 2.38 does not find a freed block again for
/// posix_memalign() of the same size, which is how LibTorch asks for it: large Hessian products took a
/// tenth more memory.
void reuse_tensor_memory();

}  // namespace ritzflow::model
