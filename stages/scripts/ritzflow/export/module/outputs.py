"""What a module returns, and how it lies in the rows that a loss of the user's own is of."""

from dataclasses import dataclass, field, is_dataclass
from typing import Any

import torch
from torch.utils._pytree import SUPPORTED_NODES, register_dataclass, tree_flatten, tree_unflatten


@dataclass
class RowLayout:
    """How the outputs of a module lie in rows."""

    shapes: list[tuple[Any, ...]]  # of a sample's outputs, one for each tensor
    tree: Any = None  # what the tensors are part of; None: one tensor
    others: list[Any] = field(default_factory=list[Any])  # what else is in there
    terms: int = 1  # of a sample
    channels: int | None = None  # axis of the outputs of a term; None: a sample is one row

    def rows(self, output: Any) -> torch.Tensor:
        """z [rows, C]."""
        tensors = self.tensors(output)
        if self.channels is not None:
            return tensors[0].movedim(self.channels, -1).flatten(0, -2)
        return torch.cat([t.reshape(len(t), -1) for t in tensors], 1)

    def tensors(self, output: Any) -> list[torch.Tensor]:
        if self.tree is None:
            z = logits_in(output)
            assert z is not None, "fitted to a module that returned a tensor"
            return [z]
        return [leaf for leaf in tree_flatten(output)[0] if is_output(leaf)]

    def outputs(self, z: torch.Tensor) -> Any:
        """What the function takes, from rows."""
        samples = len(z) // self.terms
        if self.channels is not None:
            shape = list(self.shapes[0])
            width = shape.pop(self.channels - 1)
            return z.reshape(samples, *shape, width).movedim(-1, self.channels)
        if self.tree is None:
            return z.reshape(samples, *self.shapes[0])
        sizes = [int(torch.Size(shape).numel()) for shape in self.shapes]
        parts = [p.reshape(samples, *shape) for p, shape in zip(z.split(sizes, 1), self.shapes)]
        left = iter(parts)
        return tree_unflatten([next(left) if o is TENSOR else o for o in self.others], self.tree)


TENSOR = object()  # stands for an output among what else a module returns


def as_tree(kind: type) -> None:
    """Makes a dataclass one of the kinds whose parts tree_flatten finds."""
    if is_dataclass(kind) and kind not in SUPPORTED_NODES:
        register_dataclass(kind)


def is_output(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.dim() > 0


def logits_in(output: Any) -> torch.Tensor | None:
    """The tensor that is meant where a module returns one, or an object or dict with `logits`; else None."""
    if isinstance(output, dict):
        output = output.get("logits")
    output = getattr(output, "logits", output)
    return output if isinstance(output, torch.Tensor) else None


def described(outputs: Any, y: torch.Tensor) -> str:
    shapes = [list(t.shape) for t in tree_flatten(outputs)[0] if isinstance(t, torch.Tensor)]
    kind = "integer" if not y.is_floating_point() else "real"
    listed = ", ".join(map(str, shapes))
    return f"outputs of shape {listed} and {kind} targets of shape {list(y.shape)}"
