"""Which elements of a parameter a tensor is."""

from dataclasses import dataclass
from math import prod

import torch


@dataclass(frozen=True)
class View:
    """A parameter `name` of `shape`, or a part of it, as a tensor of strides over its elements."""

    name: str
    shape: tuple[int, ...]
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """All of the parameter, in its own order."""
        return self.matrices() == [(0, self.shape[0], self.width, self.width, 1)]

    @property
    def width(self) -> int:
        """Elements of a row of the parameter."""
        return prod(self.shape[1:])

    def matrices(self) -> list[tuple[int, int, int, int, int]]:
        """[rows, -1] as matrices side by side: offset, rows, row stride, columns, column stride of each."""
        axes = [(size, step) for size, step in zip(self.sizes[1:], self.strides[1:]) if size > 1]
        columns, stride = axes.pop() if axes else (1, 1)
        while axes and axes[-1][1] == columns * stride:
            columns *= axes.pop()[0]
        offsets = [self.offset]
        for size, step in axes:
            offsets = [offset + i * step for offset in offsets for i in range(size)]
        rows, row_stride = self.sizes[0], self.strides[0] if self.sizes[0] > 1 else columns
        return [(offset, rows, row_stride, columns, stride) for offset in offsets]


class Views:
    """Finds the parameters of `theta` that tensors in a module are views of."""

    def __init__(self, theta: dict[str, torch.Tensor]) -> None:
        self._known = {id(base_of(t)): (name, t) for name, t in theta.items()}

    def name(self, tensor: object) -> str | None:
        """The parameter that a tensor is or is a view of."""
        if not isinstance(tensor, torch.Tensor):
            return None
        known = self._known.get(id(base_of(tensor)))
        return known[0] if known else None

    def of(self, tensor: torch.Tensor) -> View | None:
        """Where in its parameter a tensor lies; none where it is not part of one, or repeats elements."""
        known = self._known.get(id(base_of(tensor)))
        repeats = any(step == 0 and size > 1 for size, step in zip(tensor.shape, tensor.stride()))
        if known is None or repeats or not known[1].is_contiguous():
            return None
        name, parameter = known
        offset = int(tensor.storage_offset() - parameter.storage_offset())
        return View(name, tuple(parameter.shape), offset, tuple(tensor.shape), tensor.stride())


def base_of(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor._base is None else tensor._base
