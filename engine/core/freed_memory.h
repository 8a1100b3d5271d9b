#pragma once

namespace ritzflow {

/// Makes malloc keep what is freed, for buffers of up to 32 MiB, instead of handing it back to the system: a
/// product frees and takes the same tensors again, and each page that comes back from the system must be
/// zeroed first (a third of the time of small Hessian products). For the whole process; the peak does not
/// grow by it.
void keep_freed_memory();

}  // namespace ritzflow
