"""Every product of a module as one graph of tensor operations, from which split.py cuts its functions.

With z = f(theta, x) the logits [rows, C], r and w vectors on the logits and v one on the parameters,

    g = J' w        u = J v        h = J' s + d/dtheta <J' r, v>   at fixed r.

With r = dl/dz and s = (d2l/dz2) u the last one is the Hessian product of the loss l, so that no loss is part
of the graph: losses, masks and weights stay in C++. u is the derivative of <J' w, v> with respect to w:
reverse mode alone, which exists for more operations than forward mode. `a` and `d` are inputs and output
gradients of layers, for K-FAC.
"""

from dataclasses import dataclass, replace

import torch
from script_cli import Refusal
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from products.inputs import Slots, arguments, inputs_of, samples_in
from products.modules import Model
from products.precision import exact
from products.taps import Tap, TapRecorder, distinct

aten = torch.ops.aten
NO_EFFECT = (aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default)


@dataclass
class Trace:
    """A graph without in-place operations; `inputs` and `outputs` map a slot's name to its node."""

    graph: torch.fx.Graph
    inputs: dict[str, torch.fx.Node]
    outputs: dict[str, torch.fx.Node]
    constants: dict[str, torch.Tensor]  # tensors that the module holds without calling them buffers
    taps: list[Tap]

    def distinct_taps(self, complete: list[bool]) -> tuple[dict[int, bool], list[str]]:
        return distinct(self.taps, complete)

    def with_taps(self, places: dict[int, bool]) -> "Trace":
        """The same with the layers at these places alone, numbered anew; the values say which are tied."""
        outputs = {name: node for name, node in self.outputs.items() if name[:2] not in ("a:", "d:")}
        for kind in "ad":
            outputs |= {f"{kind}:{new}": self.outputs[f"{kind}:{old}"] for new, old in enumerate(places)}
        taps = [replace(self.taps[i], tied=tied) for i, tied in places.items()]
        return replace(self, outputs=outputs, taps=taps)

    def computes_in(self, dtype: torch.dtype) -> bool:
        """Is there an operation whose result has this type?"""
        values = (node.meta.get("val") for node in self.graph.nodes if node.op == "call_function")
        return any(isinstance(value, torch.Tensor) and value.dtype == dtype for value in values)


def call(model: Model, theta: dict, buffers: dict, inputs: Slots) -> torch.Tensor:
    """z = f(theta, x) [rows, C]."""
    positional, named = arguments(inputs)
    output = functional_call(model.module, {**theta, **buffers}, positional, named, tie_weights=True)
    return model.logits(output)


def gradients(outputs, inputs, cotangents):
    """d<outputs, cotangents>/d inputs, itself differentiable; zero where nothing depends on an input."""
    return torch.autograd.grad(
        outputs, inputs, cotangents, create_graph=True, allow_unused=True, materialize_grads=True
    )


def products(model: Model, slots: dict[str, torch.Tensor]):
    """All outputs by name, and the layers tapped, at the values of all inputs."""

    def of(kind):
        return {name.split(":", 1)[1]: t for name, t in slots.items() if name.startswith(kind + ":")}

    with torch.enable_grad(), exact(slots["r"].dtype):
        theta = {name: t.detach().requires_grad_() for name, t in of("theta").items()}
        r, w = (slots[name].detach().requires_grad_() for name in ("r", "w"))
        leaves, v = list(theta.values()), list(of("v").values())
        with TapRecorder(model.module, theta, samples_in(slots)) as recorder:
            z = call(model, theta, of("buffer"), inputs_of(slots))
        g = gradients([z], leaves, [w])
        (u,) = gradients(g, [w], v)
        *h, u_of_hessian = gradients([*gradients([z], leaves, [r]), z], [*leaves, r], [*v, slots["s"]])
        d = gradients([z], [tap.output for tap in recorder.taps], [w]) if recorder.taps else []
    out = {"z": z, "u": u, "u_of_hessian": u_of_hessian}
    out |= {f"g:{name}": t for name, t in zip(theta, g)} | {f"h:{name}": t for name, t in zip(theta, h)}
    out |= {f"a:{i}": tap.input for i, tap in enumerate(recorder.taps)}
    out |= {f"d:{i}": tap.gradient(d[i]) for i, tap in enumerate(recorder.taps)}
    return out, recorder.taps


def example_slots(model: Model, x: Slots, logits: torch.Size) -> dict[str, torch.Tensor]:
    """Inputs of `products` by name, of the right shapes and types; the vectors are zero."""
    theta = {name: t.contiguous() for name, t in model.parameters.items()}
    buffers = {name: t.contiguous() for name, t in model.buffers.items()}
    vector = torch.zeros(logits, dtype=next(iter(theta.values())).dtype)
    slots = {f"theta:{name}": t for name, t in theta.items()}
    slots |= {f"buffer:{name}": t for name, t in buffers.items()} | x
    slots |= {name: vector.clone() for name in ("r", "w", "s")}
    return slots | {f"v:{name}": torch.zeros_like(t) for name, t in theta.items()}


def trace(model: Model, x: Slots, logits: torch.Size) -> Trace:
    """Traces `products` on tensors without values, so that nothing can depend on them; cleans the graph."""
    slots = example_slots(model, x, logits)
    names, values = list(slots), list(slots.values())
    known: dict[str, list] = {}

    def flat(*tensors):
        out, known["taps"] = products(model, dict(zip(names, tensors)))
        known["names"] = list(out)
        return list(out.values())

    once = traced(flat, values)
    module = traced(torch.func.functionalize(once, remove="mutations"), values)
    refuse_operations(module.graph)
    graph = cleaned(module)
    places = [node for node in graph.nodes if node.op == "placeholder"]
    inputs = dict(zip(names, places))
    constants = lift_constants(module, graph, inputs)
    results = next(node for node in graph.nodes if node.op == "output").args[0]
    return Trace(graph, inputs, dict(zip(known["names"], results)), constants, known["taps"])


def traced(function, values: list[torch.Tensor]) -> torch.fx.GraphModule:
    """`function` as a graph. Raises Refusal for what depends on values or cannot be differentiated twice."""
    try:
        return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*values)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(reason(error)) from error


def reason(error: Exception) -> str:
    """Why a module cannot be traced, in one line."""
    kind, text = type(error).__name__, " ".join(str(error).split())
    if "DataDependent" in kind or "data-dependent" in text or "GuardOnDataDependent" in kind:
        return f"control flow depends on data or weights, which one graph cannot follow ({text[:200]})"
    if "derivative for" in text or "does not require grad" in text or "double backward" in text:
        return f"an operation cannot be differentiated twice: {text[:200]}"
    if "omplex" in text:
        return f"complex numbers are not supported: {text[:200]}"
    return f"the module cannot be traced: {kind}: {text[:300]}"


def refuse_operations(graph: torch.fx.Graph) -> None:
    """Refuses chance, and buffers that change in a forward pass."""
    for node in graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            raise Refusal(f"{node.target} draws random numbers (dropout?): call .eval() on the module")
        if node.target._schema.is_mutable:
            raise Refusal(f"{node.target} changes a buffer or parameter in place during the forward pass")
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.is_complex():
            raise Refusal(f"{node.target} gives complex numbers, which are not supported")


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


def is_plain_copy(node: torch.fx.Node) -> bool:
    """A clone of the same layout: nothing is written in place any more."""
    if node.target is not aten.clone.default:
        return False
    old, new = node.args[0].meta["val"], node.meta["val"]
    return old.stride() == new.stride() and old.storage_offset() == 0 and old.is_contiguous()


def lift_constants(
    module: torch.fx.GraphModule, graph: torch.fx.Graph, inputs: dict
) -> dict[str, torch.Tensor]:
    """Turns tensors that the graph holds into inputs, like buffers."""
    constants: dict[str, torch.Tensor] = {}
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        name = f"constant.{len(constants)}"
        constants[name] = getattr(module, node.target).detach()
        with graph.inserting_before(next(iter(graph.nodes))):
            place = graph.placeholder(name.replace(".", "_"))
        place.meta["val"] = constants[name]
        inputs[f"buffer:{name}"] = place
        node.replace_all_uses_with(place)
        graph.erase_node(node)
    return constants
