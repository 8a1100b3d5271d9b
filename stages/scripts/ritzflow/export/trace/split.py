"""Partial evaluation: one graph of all products cut into the functions that C++ calls.

    primal        theta, x            -> z, residuals     once a point and micro-batch
    jvp           residuals, v        -> u = J v          once a product, as all below
    vjp           residuals, w        -> g = J' w
    hvp_primal    residuals, r        -> more residuals   once a point and micro-batch
    hvp_jvp       residuals, v        -> u, intermediates
    hvp_vjp       intermediates, s    -> h = J' s + d/dtheta <J' r, v>
    taps          theta, x            -> inputs of layers
    taps_vjp      residuals, w        -> output gradients of layers

A residual is a value that the linear functions need and that depends on theta and x alone (and r, for the
Hessian). Views and tensors made from nothing are made again where they are used instead of being kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from ritzflow.export.trace.nodes import is_free
from ritzflow.export.trace.trace import Trace

aten = torch.ops.aten

# The functions of each product; the first ones are the base of all.
BASE = ("primal", "jvp", "vjp")
PRODUCTS = {"ggn": (), "hessian": ("hvp_primal", "hvp_jvp", "hvp_vjp"), "kfac": ("taps", "taps_vjp")}


@dataclass
class Function:
    """A graph with the slots that it reads and writes, in the order of its arguments and results."""

    graph: torch.fx.Graph
    inputs: list[str]
    outputs: list[str]


class Splitter:
    """Cuts functions out of a trace; `slots` names every value that passes from one function to another."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.order = {node: i for i, node in enumerate(trace.graph.nodes)}
        self.slots = {node: name for name, node in trace.inputs.items()}
        self.varies: dict[torch.fx.Node, set[str]] = {}
        for node in trace.graph.nodes:
            own = {self.slots[node]} & {"r", "w", "s"} if node in self.slots else set()
            if self.slots.get(node, "").startswith("v:"):
                own = {"v"}
            self.varies[node] = own.union(*(self.varies[a] for a in node.all_input_nodes))

    def split(self) -> dict[str, Function]:
        out = self.trace.outputs
        ends = {kind: [n for n in out if n.startswith(kind + ":")] for kind in "ghad"}
        gauss_newton = self.residuals(["u", *ends["g"]], set())
        functions = {
            "primal": self.function(["z"], gauss_newton),
            "jvp": with_zeros(self.function(["u"]), "w"),
            "vjp": self.function(ends["g"]),
        }
        shared = dict(self.slots)
        if self.trace.taps:
            functions["taps"] = self.function(ends["a"], self.residuals(ends["d"], set()))
            functions["taps_vjp"] = self.function(ends["d"])
        if "u_of_hessian" not in out:
            return functions
        self.slots = shared  # the Hessian's functions run without those of the taps
        hessian = self.residuals(["u_of_hessian", *ends["h"]], {"r"})
        functions["hvp_primal"] = self.function([], hessian)
        between = self.intermediates("u_of_hessian", ends["h"])
        functions["hvp_jvp"] = self.function(["u_of_hessian"], between)
        functions["hvp_vjp"] = self.function(ends["h"])
        return functions

    def residuals(self, outputs: list[str], constant: set[str]) -> list[torch.fx.Node]:
        """What the linear computation of `outputs` needs that depends on theta, x and `constant` alone."""
        found = set()

        def fixed(node: torch.fx.Node) -> bool:
            return self.varies[node] <= constant

        for node in self.ancestors([self.trace.outputs[name] for name in outputs], stop=fixed):
            if fixed(node):
                found |= {base for base in self.bases(node) if base not in self.slots}
        return sorted(found, key=self.order.__getitem__)

    def intermediates(self, first: str, last: list[str]) -> list[torch.fx.Node]:
        """Values on the way to `first` that `last` needs as well."""
        known = set(self.ancestors([self.trace.outputs[first]], stop=self.slots.__contains__))
        found = set()

        def stop(node: torch.fx.Node) -> bool:
            return node in known or node in self.slots

        for node in self.ancestors([self.trace.outputs[name] for name in last], stop=stop):
            if node in known:
                found |= {base for base in self.bases(node) if base not in self.slots}
        return sorted(found, key=self.order.__getitem__)

    def ancestors(
        self, nodes: Iterable[torch.fx.Node], stop: Callable[[torch.fx.Node], bool]
    ) -> set[torch.fx.Node]:
        """All nodes that `nodes` are made from, up to and with those where `stop` holds."""
        seen, todo = set(), list(nodes)
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            if not stop(node):
                todo.extend(node.all_input_nodes)
        return seen

    def bases(self, node: torch.fx.Node) -> set[torch.fx.Node]:
        """The values that must be kept for `node`: itself, or what it is a view of."""
        if not is_free(node):
            return {node}
        return set().union(*(self.bases(argument) for argument in node.all_input_nodes))

    def function(self, ends: list[str], kept: Sequence[torch.fx.Node] = ()) -> Function:
        """The function that computes `ends` and `kept` from slots; `kept` become slots thereafter."""
        results = [self.trace.outputs[name] for name in ends] + list(kept)
        new = [node for node in kept if node not in self.slots]
        graph, copies, inputs = torch.fx.Graph(), {}, []
        needed = sorted(self.ancestors(results, stop=self.slots.__contains__), key=self.order.__getitem__)
        for node in needed:
            if node in self.slots:
                copies[node] = graph.placeholder(node.name)
                copies[node].meta = node.meta
                inputs.append(self.slots[node])
        for node in needed:
            if node not in self.slots:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[node] for node in results))
        for node in new:
            self.slots[node] = f"c:{node.name}"
        return Function(graph, inputs, [*ends, *(self.slots[node] for node in kept)])


def with_zeros(function: Function, slot: str) -> Function:
    """The function with zeros in the place of a slot on whose values its results do not depend.

    J'w is linear in w, so that u is the same at every w; but where PyTorch writes the derivative of a linear
    operation by one that is not (matrix_exp), the graph of u reads w.
    """
    if slot not in function.inputs:
        return function
    arguments = list(function.graph.find_nodes(op="placeholder"))
    node = arguments[function.inputs.index(slot)]
    value = node.meta["val"]
    with function.graph.inserting_after(arguments[-1]):
        zeros = function.graph.call_function(
            aten.full.default, (list(value.shape), 0), {"dtype": value.dtype}
        )
    zeros.meta["val"] = value
    node.replace_all_uses_with(zeros)
    function.graph.erase_node(node)
    inputs = [name for name in function.inputs if name != slot]
    return Function(function.graph, inputs, function.outputs)
