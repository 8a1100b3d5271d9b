"""Every product of a module as one graph of tensor operations, from which split.py cuts its functions.

With z = f(theta, x) the logits [rows, C], r and w vectors on the logits and v one on the parameters,

    g = J' w        u = J v        h = J' s + d/dtheta <J' r, v>   at fixed r.

With r = dl/dz and s = (d2l/dz2) u the last one is the Hessian product of the loss l, so that no loss is part
of the graph: losses, masks and weights stay in C++. u is the derivative of <J' w, v> with respect to w:
reverse mode alone, which exists for more operations than forward mode. `a` and `d` are inputs and output
gradients of layers, for K-FAC.
"""

import operator
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.inputs import Slots, arguments, inputs_of
from ritzflow.export.module.modules import Model
from ritzflow.export.module.places import Places, line_of
from ritzflow.export.module.precision import COMPLEX, WIDTHS, exact
from ritzflow.export.module.tensors import as_real
from ritzflow.export.taps.taps import Axes, Tap, TapRecorder, recording

aten = torch.ops.aten
NO_EFFECT = (aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default)
SCATTERS = (aten.slice_scatter.default, aten.select_scatter.default)  # what is left of x[...] = y
# What PyTorch says where a second derivative is missing.
NOT_TWICE = (
    "derivative for",
    "not differentiable",
    "does not require grad",
    "double backward",
    "differentiate twice",
)


@dataclass
class Trace:
    """A graph without in-place operations; `inputs` and `outputs` map a slot's name to its node."""

    graph: torch.fx.Graph
    inputs: dict[str, torch.fx.Node]
    outputs: dict[str, torch.fx.Node]
    constants: dict[str, torch.Tensor]  # tensors that the module holds without calling them buffers
    taps: list[Tap]

    def with_taps(self, places: dict[int, bool]) -> "Trace":
        """The same with the layers at these places alone, numbered anew; the values say which are tied."""
        outputs = {name: node for name, node in self.outputs.items() if name[:2] not in ("a:", "d:")}
        for kind in "ad":
            outputs |= {f"{kind}:{new}": self.outputs[f"{kind}:{old}"] for new, old in enumerate(places)}
        taps = [replace(self.taps[i], tied=tied) for i, tied in places.items()]
        return replace(self, outputs=outputs, taps=taps)

    def computes_in(self, dtype: torch.dtype) -> bool:
        """Is there an operation on values whose result has this type?"""
        constant = made_of_constants(self.graph, {self.inputs[f"buffer:{name}"] for name in self.constants})
        nodes = [node for node in self.graph.nodes if node not in constant]
        return any(value.dtype in (dtype, COMPLEX[dtype]) for node in nodes for value in results(node))


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


def call(model: Model, theta: dict[str, Any], buffers: dict[str, Any], inputs: Slots) -> torch.Tensor:
    """z = f(theta, x) [rows, C]."""
    positional, named = arguments(inputs)
    output = functional_call(model.module, {**theta, **buffers}, positional, named, tie_weights=True)
    return model.logits(output)


def products(
    model: Model, slots: dict[str, torch.Tensor], second: bool, axes: Axes
) -> tuple[Slots, list[Tap]]:
    """All outputs by name, and the layers tapped, at the values of all inputs; h only if `second`. `axes`:
    where the samples are in each use of a weight."""

    def of(kind: str) -> Slots:
        return {name.split(":", 1)[1]: t for name, t in slots.items() if name.startswith(kind + ":")}

    with torch.enable_grad(), exact(slots["r"].dtype):
        theta = {name: t.detach().requires_grad_() for name, t in of("theta").items()}
        r, w = (slots[name].detach().requires_grad_() for name in ("r", "w"))
        leaves, v = list(theta.values()), list(of("v").values())
        recorder = TapRecorder(theta, axes)
        held = model.buffers
        buffers = {
            n: torch.view_as_complex(t) if held[n].is_complex() else t for n, t in of("buffer").items()
        }
        with recording(recorder) if axes else nullcontext():
            z = call(model, theta, buffers, inputs_of(slots))
        if not z.requires_grad:
            raise Refusal("no output depends on a parameter: the curvature is zero")
        g = gradients([z], leaves, [w], graph=True)
        (u,) = gradients(g, [w], v, graph=True)
        taps = recorder.taps()
        of_outputs = iter(gradients([z], [output for tap in taps for output in tap.outputs], [w], graph=True))
        d = [tap.gradient([next(of_outputs) for _ in tap.outputs]) for tap in taps]
        out = {"z": z, "u": u} | {f"g:{name}": t for name, t in zip(theta, g)}
        if second:
            slope = gradients([z], leaves, [r], graph=True)
            *h, out["u_of_hessian"] = gradients([*slope, z], [*leaves, r], [*v, slots["s"]], graph=True)
            out |= {f"h:{name}": t for name, t in zip(theta, h)}
    out |= {f"a:{i}": tap.input() for i, tap in enumerate(taps)}
    out |= {f"d:{i}": gradient for i, gradient in enumerate(d)}
    return out, taps


def example_slots(model: Model, x: Slots, logits: torch.Size) -> dict[str, torch.Tensor]:
    """Inputs of `products` by name, of the right shapes and types; the vectors are zero."""
    theta = {name: t.contiguous() for name, t in model.parameters.items()}
    buffers = {name: as_real(t).contiguous() for name, t in model.buffers.items()}
    vector = torch.zeros(logits, dtype=next(iter(theta.values())).dtype)
    slots = {f"theta:{name}": t for name, t in theta.items()}
    slots |= {f"buffer:{name}": t for name, t in buffers.items()} | x
    slots |= {name: vector.clone() for name in ("r", "w", "s")}
    return slots | {f"v:{name}": torch.zeros_like(t) for name, t in theta.items()}


def trace(model: Model, x: Slots, logits: torch.Size, second: bool, axes: Axes) -> Trace:
    """Traces `products` on tensors without values, so that nothing can depend on them; cleans the graph."""
    slots = example_slots(model, x, logits)
    names, values = list(slots), list(slots.values())
    known: dict[str, list[Any]] = {}

    def flat(*tensors: torch.Tensor) -> Any:
        out, known["taps"] = products(model, dict(zip(names, tensors)), second, axes)
        known["names"] = list(out)
        return list(out.values())

    module = functional(flat, values, model.places)
    refuse_operations(module.graph, model)
    graph = cleaned(module)
    places = [node for node in graph.nodes if node.op == "placeholder"]
    inputs = dict(zip(names, places))
    constants = lift_constants(module, graph, inputs)
    keep_as_real(graph)
    ends = next(node for node in graph.nodes if node.op == "output").args[0]
    return Trace(graph, inputs, dict(zip(known["names"], ends)), constants, known["taps"])


def forward(model: Model, x: Slots) -> torch.fx.GraphModule:
    """z = f(theta, x) as a graph of PyTorch's operators, of parameters, buffers and inputs in this order.

    It does not know where the module stops gradients or has derivatives of its own.
    """
    theta, buffers = model.parameters, model.buffers
    names = [*theta, *buffers, *x]

    def flat(*tensors: torch.Tensor) -> Any:
        values = dict(zip(names, tensors))
        with torch.enable_grad(), exact(model.dtype):
            leaves = {name: values[name].detach().requires_grad_() for name in theta}
            return call(model, leaves, {n: values[n] for n in buffers}, {n: values[n] for n in x})

    module = functional(flat, [*theta.values(), *buffers.values(), *x.values()], model.places)
    graph = cleaned(module)
    for node in graph.nodes:
        if node.target in SCATTERS and node.meta["val"].is_complex():
            node.target = of_pairs(node.target)
    return torch.fx.GraphModule(module, graph)


def of_pairs(scatter: Callable[..., Any]) -> Callable[..., Any]:
    """Of complex tensors by their parts: autograd knows it for real ones alone."""

    def scattered(x: torch.Tensor, source: torch.Tensor, dim: int = 0, *place: Any) -> torch.Tensor:
        x, source = (torch.view_as_real(t.resolve_conj()) for t in (x, source))
        return torch.view_as_complex(scatter(x, source, dim % (x.dim() - 1), *place))

    return scattered


def functional(
    function: Callable[..., Any], values: list[torch.Tensor], places: Places
) -> torch.fx.GraphModule:
    """`function` as a graph without in-place operations."""
    module = traced(function, values, places)
    if any(is_mutable(node) for node in module.graph.nodes):
        module = traced(torch.func.functionalize(module, remove="mutations"), values, places)
    return module


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def is_mutable(node: torch.fx.Node) -> bool:
    """Does it change its arguments?"""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


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


def cleaned(module: torch.fx.GraphModule) -> torch.fx.Graph:
    """The graph without operations that have no effect, equal subexpressions, and what nothing uses."""
    from torch._functorch.compile_utils import fx_graph_cse

    graph = module.graph
    for node in list(graph.nodes):
        if node.target in NO_EFFECT or is_plain_copy(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    graph = fx_graph_cse(graph)
    graph.eliminate_dead_code()
    return graph


def is_plain_copy(node: Any) -> bool:
    """A clone of the same layout: nothing is written in place any more."""
    if node.target is not aten.clone.default:
        return False
    old, new = node.args[0].meta["val"], node.meta["val"]
    return old.stride() == new.stride() and old.storage_offset() == 0 and old.is_contiguous()


def lift_constants(
    module: torch.fx.GraphModule, graph: torch.fx.Graph, inputs: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """Turns tensors that the graph holds into inputs, like buffers."""
    constants: dict[str, torch.Tensor] = {}
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        name = f"constant.{len(constants)}"
        value = getattr(module, node.target).detach()
        constants[name] = as_real(value)
        with graph.inserting_before(next(iter(graph.nodes))):
            place = graph.placeholder(name.replace(".", "_"))
        place.meta["val"] = constants[name]
        inputs[f"buffer:{name}"] = place
        if value.is_complex():
            place = called(graph, node, aten.view_as_complex.default, place)
        node.replace_all_uses_with(place)
        graph.erase_node(node)
    return constants


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


def keep_as_real(graph: torch.fx.Graph) -> None:
    """Puts a copy in pairs of real numbers after every complex result: packages hold real values alone."""
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.is_complex() and not is_free(node):
            pairs = called(graph, node, aten.view_as_real.default, node)
            copied = called(graph, pairs, aten.clone.default, pairs)
            again = called(graph, copied, aten.view_as_complex.default, copied)
            node.replace_all_uses_with(again, delete_user_cb=lambda user, pairs=pairs: user is not pairs)


def called(
    graph: torch.fx.Graph, after: torch.fx.Node, operation: Callable[..., Any], argument: torch.fx.Node
) -> torch.fx.Node:
    """A new operation on one tensor after a node."""
    with graph.inserting_after(after):
        node = graph.call_function(operation, (argument,))
    node.meta["val"] = operation(argument.meta["val"])
    return node
