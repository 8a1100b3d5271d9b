"""A function of tensors as a graph of operations, or the reason why there is none."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.places import Places, line_of
from ritzflow.export.trace.nodes import is_mutable

# What PyTorch says where a second derivative is missing.
NOT_TWICE = (
    "derivative for",
    "not differentiable",
    "does not require grad",
    "double backward",
    "differentiate twice",
)


def functional(
    function: Callable[..., Any], values: list[torch.Tensor], places: Places
) -> torch.fx.GraphModule:
    """`function` as a graph without in-place operations."""
    module = traced(function, values, places)
    if any(is_mutable(node) for node in module.graph.nodes):
        module = traced(torch.func.functionalize(module, remove="mutations"), values, places)
    return module


def traced(function: Callable[..., Any], values: list[torch.Tensor], places: Places) -> torch.fx.GraphModule:
    """`function` as a graph. Raises Refusal for what depends on values or cannot be differentiated twice."""
    try:
        module = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*values)
        name_types(module.graph)
        module.recompile()
        return module
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(reason(error, places)) from error


def name_types(graph: torch.fx.Graph) -> None:
    """Names the types of tensors made from nothing: PyTorch's default may be another where a graph runs."""
    for node in graph.nodes:
        made = not node.all_input_nodes and isinstance(node.target, torch._ops.OpOverload)
        if made and any(a.name == "dtype" and a.kwarg_only for a in node.target._schema.arguments):
            node.kwargs = {**node.kwargs, "dtype": node.meta["val"].dtype}


def reason(error: Exception, places: Places) -> str:
    """Why a module cannot be traced and where, in one line."""
    kind, text = type(error).__name__, " ".join(str(error).split())
    text, place = text.split(" While executing ")[0][:300], line_of(error)
    if "DataDependent" in kind or "data-dependent" in text or "GuardOnDataDependent" in kind:
        return (
            "control flow depends on data or weights, which one graph cannot follow: an `if`, `assert`, "
            "`float()` or `.item()` on a tensor's value, or rows picked by it (x[mask], nonzero)"
            f"{place}; torch.where takes both ways"
        )
    if "DynamicOutputShape" in kind:
        return f"{text} gives a result whose shape depends on values, which one graph cannot follow{place}"
    if ".numpy()" in text:
        return f"`.numpy()` takes values out of the graph, and their derivative with them{place}"
    if any(words in text for words in NOT_TWICE):
        operation = re.search(r"aten::(\w+)|'(\w+)'", text)
        place = places.of(operation[1] or operation[2]) if operation else place
        return f"an operation cannot be differentiated twice{place}: {text}"
    if "omplex" in text:
        return f"an operation on complex numbers cannot be traced{place}: {text}"
    return f"the module cannot be traced{place}: {kind}: {text}"
