"""Are PyTorch's derivatives of each operation right? First and second ones against finite differences.

Some operations have a silently wrong second derivative, which eager autograd and a trace of it share. A
difference of the whole network cannot tell this from a kink: it crosses the kinks of some of its many ReLUs.
So every distinct operation is taken by itself, at what it was given on the user's data, slightly moved so
that nothing lies at a kink, and its derivatives are compared element by element. An element whose differences
at two steps disagree lies within a step of a kink, or is not finite, and says nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ritzflow.export.module.autograd import gradients
from ritzflow.export.module.tensors import as_real

STEPS = (1e-5, 2.5e-6)  # relative to the root mean square of each argument
TOLERANCE = 1e-4
ROUNDING = 1e-8  # of the largest value, in a difference of STEPS
JITTERS = ((1e-2, 1e-2), (1e-2, 0), (0, 0))  # relative move of what is not zero, and of zeros

FAR = 1e3  # times as large as the smallest tenth of the elements: no value, but infinity
NO_PADDING = -1  # the row of a padding index is a constant, to which a difference would give a derivative

aten = torch.ops.aten
WITHOUT_VALUES = (  # what takes no more than shape and type of a tensor
    aten.empty_like.default,
    aten.full_like.default,
    aten.new_empty.default,
    aten.new_empty_strided.default,
    aten.new_full.default,
    aten.new_ones.default,
    aten.new_zeros.default,
    aten.ones_like.default,
    aten.zeros_like.default,
)

Tensors = list[torch.Tensor]


@dataclass
class Fault:
    operation: str
    order: str  # first | second
    error: float


class Checked(torch.fx.Interpreter):
    """Runs a graph in float64, checking on the way every distinct operation that depends on `variables`."""

    def __init__(self, module: torch.fx.GraphModule, variables: set[torch.fx.Node], second: bool) -> None:
        super().__init__(module)
        self.varies, self.second = set(variables), second
        self.random = torch.Generator().manual_seed(0)
        self.seen: set[str] = set()
        self.faults: list[Fault] = []

    def run_node(self, node: Any) -> Any:
        value = super().run_node(node)
        if self.varies.isdisjoint(node.all_input_nodes) or not any(map(is_number, flat(value))):
            return value
        if node.target in WITHOUT_VALUES:
            return value
        self.varies.add(node)
        if isinstance(node.target, torch._ops.OpOverload):
            self.check(node)
        return value

    def check(self, node: Any) -> None:
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        if node.target is aten.embedding.default:
            args = (*args[:2], NO_PADDING, *args[3:])
        places = [i for i, a in enumerate(node.args) if self.moves(a, args[i])]
        key = f"{node.target} {places} {[described(a) for a in args]} {kwargs}"
        if key in self.seen or not places:
            return
        self.seen.add(key)
        used = used_results(node)
        lists = {i: len(args[i]) for i in places if isinstance(args[i], list | tuple)}
        given = [t.detach() for i in places for t in flat(args[i])]

        def call(tensors: Tensors) -> Tensors:
            pairs = zip(tensors, given)
            new, left = list(args), [torch.view_as_complex(t) if g.is_complex() else t for t, g in pairs]
            for i in places:
                new[i] = [left.pop(0) for _ in range(lists[i])] if i in lists else left.pop(0)
            results = flat(node.target(*new, **kwargs))
            return [as_real(t) for i, t in enumerate(results) if is_number(t) and (used is None or i in used)]

        fault = first_fault(call, [as_real(t) for t in given], self.second, self.random)
        if fault:
            self.faults.append(Fault(str(node.target), *fault))

    def moves(self, argument: Any, value: Any) -> bool:
        """Is this argument made from the variables, and real or complex?"""
        nodes = argument if isinstance(argument, list | tuple) else [argument]
        varies = any(isinstance(node, torch.fx.Node) and node in self.varies for node in nodes)
        return varies and all(map(is_number, flat(value)))


def is_number(value: Any) -> bool:
    if not isinstance(value, torch.Tensor):
        return False
    return (value.is_floating_point() or value.is_complex()) and value.numel() > 0


def flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def described(value: Any) -> Any:
    """What tells one call of an operation from another: shapes and types of tensors, all else by value."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.dtype
    return [described(item) for item in value] if isinstance(value, list | tuple) else value


def used_results(node: Any) -> set[int] | None:
    """Which of several results the graph reads; None where there is one."""
    if not isinstance(node.meta.get("val"), list | tuple):
        return None
    return {user.args[1] for user in node.users}


def first_fault(
    call: Callable[[Tensors], Tensors], at: Tensors, second: bool, random: torch.Generator
) -> tuple[str, float] | None:
    """The order of the wrong derivative of `call` near `at` with its error, or None where all are right."""
    at = moved(call, at, random)
    t = [structured_like(x, noise(x, random) * scale(x)) for x in at]
    leaves = [x.clone().requires_grad_() for x in at]
    with torch.enable_grad():
        y = call(leaves)
        w = [noise(result, random).requires_grad_() for result in y]
        g = gradients(y, leaves, w, graph=True)
        u = gradients(g, w, t, graph=True)
        h = gradients(g, leaves, t, graph=True) if second else []
    fault = adjoint_gap(g, t, w, u) or gap(u, *differences(call, at, t))
    if fault:
        return "first", fault
    if second:

        def gradient(x: Tensors) -> Tensors:
            x = [a.detach().requires_grad_() for a in x]
            with torch.enable_grad():
                return [a.detach() for a in gradients(call(x), x, [a.detach() for a in w])]

        fault = gap(h, *differences(gradient, at, t))
    return ("second", fault) if fault else None


@torch.no_grad()
def adjoint_gap(g: Tensors, t: Tensors, w: Tensors, u: Tensors) -> float:
    """The relative error of <J'w, t> = <w, J t>; 0 where it holds."""
    a, b = ([float((x * y).nansum()) for x, y in zip(*pair)] for pair in ((g, t), (w, u)))
    size = sum(float((x * y).abs().nansum()) for x, y in zip(g, t))
    error = abs(sum(a) - sum(b)) / size if size > 0 else 0.0
    return error if error > ROUNDING else 0.0


def moved(call: Callable[[Tensors], Tensors], at: Tensors, random: torch.Generator) -> Tensors:
    """`at` moved off kinks, as far as `call` stays finite where it was."""
    with torch.no_grad():
        finite = sum(int(torch.isfinite(y).sum()) for y in call(at))
        for of_value, of_zero in JITTERS:
            new = []
            for x in at:
                step = torch.where(x == 0, of_zero * scale(x), of_value * x)
                new.append(x + structured_like(x, noise(x, random) * torch.where(torch.isfinite(x), step, 0)))
            if sum(int(torch.isfinite(y).sum()) for y in call(new)) >= finite:
                return new
    return at


def noise(x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    return torch.randn(x.shape, generator=random, dtype=x.dtype)


def scale(x: torch.Tensor) -> float:
    """Root mean square of the elements; 1 where all are zero. Infinite ones and those that stand for it, such
    as the -1e9 of a mask, are left out."""
    size = x[torch.isfinite(x) & (x != 0)].abs()
    if not size.numel():
        return 1.0
    usual = size <= FAR * size.kthvalue(1 + size.numel() // 10).values
    return float((size[usual].square().sum() / (x.numel() - (~usual).sum())).sqrt())


def structured_like(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """`step`, made symmetric or triangular where x is: some operations are meant for such matrices alone."""
    if x.dim() < 2 or x.shape[-1] != x.shape[-2]:
        return step
    if torch.equal(x, x.mT):
        return (step + step.mT) / 2
    triangles = (part for part in (torch.tril, torch.triu) if torch.equal(x, part(x)))
    return next(triangles, lambda t: t)(step)


def differences(
    function: Callable[[Tensors], Tensors], at: Tensors, t: Tensors
) -> tuple[list[Tensors], Tensors]:
    """Central differences of `function` along t at each step, and its values."""
    found = []
    with torch.no_grad():
        for step in STEPS:
            ahead = function([x + step * a for x, a in zip(at, t)])
            backward = function([x - step * a for x, a in zip(at, t)])
            found.append([(a - b) / (2 * step) for a, b in zip(ahead, backward)])
        return found, function(at)


def gap(derivative: Tensors, steps: list[Tensors], values: Tensors) -> float:
    """The largest relative error over the elements whose differences agree; 0 where all are right.

    Infinity where few agree.
    """
    worst = 0.0
    for d, coarse, fine, value in zip(derivative, *steps, values):
        d, finite = d.detach(), torch.isfinite(value)
        floor = ROUNDING * float(value[finite].abs().max()) if finite.any() else 0.0
        agree = (coarse - fine).abs() <= TOLERANCE * (coarse.abs() + fine.abs()) / 2 + floor
        if agree[finite].sum() < finite.sum() / 2:
            return float("inf")
        bound = 2 * TOLERANCE * (d.abs() + fine.abs()) + 4 * floor
        wrong = agree & ~((d - fine).abs() <= bound)
        if wrong.any():
            size = (d.abs() + fine.abs())[wrong].max()
            worst = max(worst, float(torch.nan_to_num((d - fine)[wrong].abs().max() / size, nan=1.0)))
    return worst
