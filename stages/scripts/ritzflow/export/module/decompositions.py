"""Operations whose own second derivative PyTorch lacks or has wrongly, as compositions of others.

Registered where autograd looks them up, so that eager autograd and a trace take the same way.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ritzflow.common.script_cli import Refusal


def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    return F.relu6(x + 3) / 6


def rrelu_with_noise(
    x: torch.Tensor,
    noise: torch.Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    if training:
        raise Refusal("rrelu draws random slopes where training=True")
    return F.leaky_relu(x, (lower + upper) / 2)


def prelu(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Its own derivative at 0 is `weight`, but 1 where that is differentiated again."""
    return torch.where(x > 0, x, weight * x)


def weight_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    norm = torch.norm_except_dim(v, 2, dim)
    return v * (g / norm), norm


def embedding_bag(
    weight: torch.Tensor,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    scale: bool = False,
    mode: int = 0,
    sparse: bool = False,
    factors: torch.Tensor | None = None,
    last: bool = False,
    padding: int = -1,
) -> tuple[torch.Tensor, ...]:
    if mode == 2:
        raise Refusal("an EmbeddingBag of mode max cannot be differentiated twice")
    bags = len(offsets) - last
    bag = torch.searchsorted(offsets[:bags], torch.arange(len(indices)), right=True) - 1
    counted = (indices != padding).to(weight.dtype)
    rows = F.embedding(indices, weight) * (counted if factors is None else counted * factors)[:, None]
    sums = weight.new_zeros(bags, weight.shape[1]).index_add(0, bag, rows)
    sizes = weight.new_zeros(bags).index_add(0, bag, counted)
    found = sums / sizes.clamp(min=1)[:, None] if mode == 1 else sums
    return found, bag, sizes.long(), sizes.long()


def cdist(x: torch.Tensor, y: torch.Tensor, p: float, compute_mode: int | None = None) -> torch.Tensor:
    return torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, -1)


def pdist(x: torch.Tensor, p: float = 2.0) -> torch.Tensor:
    first, second = torch.triu_indices(len(x), len(x), 1)
    return torch.linalg.vector_norm(x[first] - x[second], p, -1)


def trace(x: torch.Tensor) -> torch.Tensor:
    return x.diagonal().sum()


def copy(x: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    return source.to(x.dtype).expand(x.shape)


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: x.copy_(function(x, *args, **kwargs))


LIBRARY = torch.library.Library("aten", "IMPL")  # the registrations last as long as it
for name, function in {
    "hardsigmoid": hardsigmoid,
    "hardsigmoid_": in_place(hardsigmoid),
    "rrelu_with_noise": rrelu_with_noise,
    "rrelu_with_noise_": in_place(rrelu_with_noise),
    "_prelu_kernel": prelu,
    "_weight_norm_interface": weight_norm,
    "_embedding_bag": embedding_bag,
    "_cdist_forward": cdist,
    "_pdist_forward": pdist,
    "trace": trace,  # its own is wrong under the compiler, too (pytorch #190855)
    "copy": copy,  # what is left of copy_ in a graph without in-place operations
}.items():
    LIBRARY.impl(name, function, "AutogradCPU")
