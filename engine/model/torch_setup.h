#pragma once

namespace ritzflow::model {

/// Sets LibTorch up for the whole process, before any other thread uses it: `threads` inside an operation,
/// memory of tensors that is used again (tensor_memory.h), and MKL's vector functions resolved.
///
/// MKL chooses the kernel of each vector function (tanh, exp, ...) at its first call. Where two threads make
/// that call at once, one of them may get a kernel of low accuracy for it (relative errors up to 1e-4 in
/// float32, of PyTorch's issue 188792): each function is called here once, by one thread.
void set_up_torch(int threads);

}  // namespace ritzflow::model
