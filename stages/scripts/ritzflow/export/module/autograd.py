"""Gradients by PyTorch's autograd, with zero where nothing depends on an input."""

from collections.abc import Sequence
from typing import Any

import torch


def gradients(
    outputs: Any, inputs: Sequence[torch.Tensor], cotangents: Any = None, graph: bool = False
) -> list[torch.Tensor]:
    """d<outputs, cotangents>/d inputs; `graph`: itself differentiable.

    outputs, cotangents: a tensor each, or lists of them; without cotangents the one output is a number.
    """
    if not inputs:
        return []
    if isinstance(cotangents, list | tuple):
        pairs = [(o, c) for o, c in zip(outputs, cotangents) if o.requires_grad]
        if not pairs:
            return [torch.zeros_like(t) for t in inputs]
        outputs, cotangents = zip(*pairs)
    return list(
        torch.autograd.grad(
            outputs, inputs, cotangents, create_graph=graph, allow_unused=True, materialize_grads=True
        )
    )
