"""How a module's operations are carried out while it is traced or compared with its trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributions import Distribution
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from ritzflow.export.module import decompositions  # noqa: F401
from ritzflow.export.module.replaced import followed

DTYPES = {"float32": torch.float32, "float64": torch.float64}  # that products compute in
COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
WIDTHS = {torch.float16: 16, torch.bfloat16: 16, torch.float32: 32, torch.float64: 64}
WIDTHS |= {wide: WIDTHS[part] for part, wide in COMPLEX.items()}


def in_type(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A real tensor in this type, a complex one in that of such parts; any other as it is."""
    if tensor.is_complex():
        return tensor.to(COMPLEX[dtype])
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


class AtLeast(TorchDispatchMode):
    """Operations that name a narrower type for their result give `dtype`.

    Language models cast norms and softmax to float32, as bfloat16 would be too coarse; in float64 the same
    cast would throw digits away, as autocast to bfloat16 does in float32.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype = dtype

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if WIDTHS.get(kwargs.get("dtype", torch.float64), 64) < WIDTHS[self.dtype]:
            wide = COMPLEX[self.dtype] if kwargs["dtype"].is_complex else self.dtype
            kwargs = kwargs | {"dtype": wide}
        return func(*args, **kwargs)


@contextmanager
def exact(dtype: torch.dtype) -> Iterator[None]:
    """Attention by its definition, which alone has second derivatives; nothing narrower than `dtype`.

    torch.distributions do not check their arguments: a check is an `if` on values, which changes none.
    """
    usual, checked = torch.get_default_dtype(), Distribution._validate_args
    torch.set_default_dtype(dtype)
    Distribution.set_default_validate_args(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), AtLeast(dtype), followed():
            yield
    finally:
        torch.set_default_dtype(usual)
        Distribution.set_default_validate_args(checked)
