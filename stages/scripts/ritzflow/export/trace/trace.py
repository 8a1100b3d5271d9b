"""Every product of a module as one graph of tensor operations, from which split.py cuts its functions.

With z = f(theta, x) the logits [rows, C], r and w vectors on the logits and v one on the parameters,

    g = J' w        u = J v        h = J' s + d/dtheta <J' r, v>   at fixed r.

With r = dl/dz and s = (d2l/dz2) u the last one is the Hessian product of the loss l, so that no loss is part
of the graph: losses, masks and weights stay in C++. u is the derivative of <J' w, v> with respect to w:
reverse mode alone, which exists for more operations than forward mode. `a` and `d` are inputs and output
gradients of layers, for K-FAC.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.func import functional_call

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.inputs import Slots, arguments, inputs_of
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import COMPLEX, exact
from ritzflow.export.module.tensors import as_real
from ritzflow.export.taps.taps import Axes, Tap, TapRecorder, recording
from ritzflow.export.trace.functional_graph import functional
from ritzflow.export.trace.graph_cleaning import cleaned, keep_as_real, lift_constants
from ritzflow.export.trace.nodes import made_of_constants, results
from ritzflow.export.trace.refused_operations import refuse_operations

aten = torch.ops.aten
SCATTERS = (aten.slice_scatter.default, aten.select_scatter.default)  # what is left of x[...] = y


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
