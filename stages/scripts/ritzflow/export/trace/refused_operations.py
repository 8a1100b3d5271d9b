"""Operations that a graph may not have: its products would be of another function, or less precise."""

from typing import Any

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.precision import WIDTHS
from ritzflow.export.trace.nodes import is_mutable, made_of_constants, results

aten = torch.ops.aten
NARROW = "; let the tensor that it is given be a buffer, or convert it: tensor.to(x.dtype)"


def refuse_operations(graph: torch.fx.Graph, model: Any) -> None:
    """Refuses chance, buffers that change in a forward pass, and float32 where float64 is asked for."""
    constant = made_of_constants(graph, set())
    for node in graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        what = f"{model.origin}: {node.target}{model.places.of(str(node.target))}"
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            raise Refusal(
                f"{what} draws random numbers, also in evaluation mode: take their mean there, or let them "
                "be an input"
            )
        if is_mutable(node):
            raise Refusal(f"{what} changes a buffer or parameter in place during the forward pass")
        if node.target is aten._local_scalar_dense.default:
            raise Refusal(f"{what} (`.item()`) takes a value out of the graph, and its derivative with it")
        if any(not isinstance(size, int) for t in results(node) for size in t.shape):
            raise Refusal(
                f"{what} gives a result whose shape depends on values, which one graph cannot follow"
            )
        narrow = [t.dtype for t in results(node) if WIDTHS.get(t.dtype, 64) < WIDTHS[model.dtype]]
        if narrow and node not in constant:
            raise Refusal(
                f"{what} gives {name_of(narrow[0])} where {name_of(model.dtype)} is asked for{NARROW}"
            )


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
