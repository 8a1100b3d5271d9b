"""Functions of PyTorch that a trace cannot follow: one that changes no value is left out, one is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
import torch._dynamo
import torch._functorch.eager_transforms
import torch.nn.modules.transformer
import torch.utils.checkpoint

from ritzflow.common.script_cli import Refusal

PACKED = (
    "pack_padded_sequence depends on the lengths in the data, which one graph cannot follow: give the layer "
    "padded sequences and take its output at each one's last step, where padding that follows plays no part"
)


class WithoutRecomputation:
    """In place of reentrant activation checkpointing, which saves memory and changes no value."""

    @staticmethod
    def apply(function: Callable[..., Any], _preserve_random_state: object, *arguments: Any) -> Any:
        return function(*arguments)


def refuse_packing(*_: object) -> NoReturn:
    raise Refusal(PACKED)


def told_causal(mask: torch.Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """In place of a look at the mask, by which nn.Transformer chooses between ways of equal value."""
    return bool(is_causal)


def by_reverse_mode(
    function: Callable[..., Any],
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """In place of jacfwd, by which torch.func.hessian works: forward mode cannot be traced everywhere."""
    return torch.func.jacrev(function, argnums, has_aux=has_aux, chunk_size=chunk_size)


@contextmanager
def replaced(place: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = getattr(place, name)
    setattr(place, name, function)
    try:
        yield
    finally:
        setattr(place, name, before)


@contextmanager
def followed() -> Iterator[None]:
    """While it is entered, what a module calls can be traced, or is refused by its name."""
    with (
        replaced(torch.utils.checkpoint, "CheckpointFunction", WithoutRecomputation),
        replaced(torch.nn.modules.transformer, "_detect_is_causal_mask", told_causal),
        replaced(torch._functorch.eager_transforms, "jacfwd", by_reverse_mode),
        replaced(torch.func, "jacfwd", by_reverse_mode),
        replaced(torch._VF, "_pack_padded_sequence", refuse_packing),
        torch.compiler.set_stance("force_eager"),  # decorated functions as they were written
        torch._dynamo.config.patch(error_on_nested_fx_trace=False),
    ):
        yield
