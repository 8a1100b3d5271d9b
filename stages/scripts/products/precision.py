"""How a module's operations are carried out while it is traced or compared with its trace."""

from contextlib import contextmanager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode


class InDouble(TorchDispatchMode):
    """Operations that name float32 as the type of their result give float64.

    Language models cast norms and softmax to float32 lest bfloat16 be too coarse; in float64 the same cast
    would throw digits away.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if kwargs.get("dtype") == torch.float32:
            kwargs = kwargs | {"dtype": torch.float64}
        return func(*args, **kwargs)


@contextmanager
def exact(dtype: torch.dtype):
    """Attention by its definition, which alone has second derivatives; float64 without casts to float32."""
    with sdpa_kernel(SDPBackend.MATH), InDouble() if dtype == torch.float64 else nullcontext():
        yield
