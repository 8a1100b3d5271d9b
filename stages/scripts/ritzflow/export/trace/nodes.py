"""What single operations of a graph are and give."""

import operator
from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten


def results(node: torch.fx.Node) -> list[torch.Tensor]:
    """The tensors that an operation gives."""
    value = node.meta.get("val") if node.op == "call_function" else None
    return [t for t in (value if isinstance(value, list | tuple) else [value]) if isinstance(t, torch.Tensor)]


def made_of_constants(graph: torch.fx.Graph, constants: set[torch.fx.Node]) -> set[torch.fx.Node]:
    """The nodes that neither parameters nor data change: these constants, and what is made of them."""
    found = set(constants)
    for node in graph.nodes:
        if node.op != "placeholder" and found.issuperset(node.all_input_nodes):
            found.add(node)
    return found


def is_mutable(node: torch.fx.Node) -> bool:
    """Does it change its arguments?"""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def is_free(node: Any) -> bool:
    """Costs nothing to make again: a view, a tensor filled with a number, one of several views.

    An operation with several new results (layer norm) is not a view, and its results are kept one by one.
    """
    if node.op == "placeholder":
        return False
    if node.target is operator.getitem:
        return is_free(node.args[0])
    schema = node.target._schema
    is_view = any(a.alias_info is not None and not a.alias_info.is_write for a in schema.arguments)
    return is_view or not node.all_input_nodes or node.target is aten._unsafe_view.default


def called(
    graph: torch.fx.Graph, after: torch.fx.Node, operation: Callable[..., Any], argument: torch.fx.Node
) -> torch.fx.Node:
    """A new operation on one tensor after a node."""
    with graph.inserting_after(after):
        node = graph.call_function(operation, (argument,))
    node.meta["val"] = operation(argument.meta["val"])
    return node
