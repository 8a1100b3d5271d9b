"""Fixed vectors that PyTorch in Python and in C++ make alike, for checks of a stored product."""

import math
from collections.abc import Sequence

import torch


def wave(count: int, stream: int) -> torch.Tensor:
    """sin(phi (stream + 1) i), i = 1 .. count, float64: bounded and without a period."""
    phi = (1 + math.sqrt(5)) / 2
    return torch.sin(torch.arange(1, count + 1, dtype=torch.float64) * (phi * (stream + 1)))


def check_input(shape: Sequence[int], tokens: int, dtype: torch.dtype) -> torch.Tensor:
    """An input of a model: token i is 7919 i modulo the vocabulary, a real input is a wave."""
    count = math.prod(shape)
    if tokens:
        return (torch.arange(1, count + 1) * 7919 % tokens).reshape(shape)
    return wave(count, 0).reshape(shape).to(dtype)


def like(tensors: list[torch.Tensor], stream: int) -> list[torch.Tensor]:
    """One wave cut into pieces of the shapes and types of `tensors`."""
    flat = wave(sum(t.numel() for t in tensors), stream).split([t.numel() for t in tensors])
    return [piece.reshape(t.shape).to(t.dtype) for piece, t in zip(flat, tensors)]


def sketch(tensors: list[torch.Tensor]) -> list[float]:
    """The norm of all elements, and their products with four waves: equal sketches mean equal tensors."""
    flat = torch.cat([t.detach().double().reshape(-1) for t in tensors])
    return [float(flat.norm()), *(float(flat @ wave(len(flat), stream)) for stream in range(4, 8))]


def as_real(tensor: torch.Tensor) -> torch.Tensor:
    """A complex tensor as pairs of real numbers [..., 2], which is how packages and model.h5 hold it."""
    return torch.view_as_real(tensor.resolve_conj()).contiguous() if tensor.is_complex() else tensor
