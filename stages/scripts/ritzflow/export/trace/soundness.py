"""Are a module's own derivatives those of what it computes?

Eager autograd and a trace of it are wrong alike where a module stops a gradient, has an autograd.Function
with a wrong derivative, or uses an operation whose second derivative is wrong in PyTorch. The graph of the
forward pass alone knows nothing of the first two: its derivatives by PyTorch's formulas are compared with the
module's own, and those formulas with finite differences, operation by operation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.inputs import Slots, first, samples_in
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import exact
from ritzflow.export.trace.derivatives import Checked, flat
from ritzflow.export.trace.eager import Eager, Loss
from ritzflow.export.trace.functional_graph import reason
from ritzflow.export.trace.trace import forward
from ritzflow.export.trace.verify import relative_error

SAMPLES = 4  # suffice: derivatives are wrong in every sample, or in none
MOVE = 0.03  # of the parameters, relative to their root mean square: nothing is hidden by a zero


WORDS = {"jvp": "Jacobian product", "gradient": "gradient", "hessian": "Hessian product"}


def require_sound(
    model: Model,
    loss: str | Loss,
    x: Slots,
    y: torch.Tensor,
    weights: torch.Tensor,
    tolerance: float,
    second: bool,
) -> None:
    """Raises Refusal where the module's first or, if `second`, second derivative is wrong or unknown."""
    try:
        require_right(model, loss, x, y, weights, tolerance, second)
    except (NotImplementedError, RuntimeError) as error:  # of a way that the module itself does not take
        raise Refusal(f"{model.origin}: {reason(error, model.places)}") from error


def require_right(
    model: Model,
    loss: str | Loss,
    x: Slots,
    y: torch.Tensor,
    weights: torch.Tensor,
    tolerance: float,
    second: bool,
) -> None:
    count = model.samples_taken(x, SAMPLES)
    rows = count * (len(weights) // samples_in(x))
    x, y, weights = first(x, count), y[:rows], weights[:rows]
    graph = forward(model, x)
    with moved(model, x):
        constants = [*model.buffers.values(), *x.values()]
        own = Eager(model, loss, x, y, weights)
        plain = Eager(model, loss, x, y, weights, lambda: graph(*own.parameters, *constants))
        torch.manual_seed(1)
        v = [torch.randn_like(p) for p in own.parameters]
        for name, arguments in {"jvp": [v], "gradient": [], "hessian": [v]}.items():
            if name == "hessian" and not second:
                continue
            error = relative_error(*(flat(getattr(eager, name)(*arguments)) for eager in (own, plain)))
            if not error <= tolerance:
                raise Refusal(
                    f"{model.origin}: autograd's {WORDS[name]} is not that of what the module computes "
                    f"(relative difference {error:.1e}); see {own_ways(model, own)}"
                )
        refuse_wrong_operations(model, graph, [*own.parameters, *constants], second)


def refuse_wrong_operations(
    model: Model, graph: torch.fx.GraphModule, values: list[torch.Tensor], second: bool
) -> None:
    places = [node for node in graph.graph.nodes if node.op == "placeholder"]
    checked = Checked(graph, set(places[: len(model.parameters)]), second)
    values = [t.detach().double() if t.is_floating_point() else t for t in values]
    with exact(torch.float64):
        checked.run(*values)
    for fault in checked.faults:
        raise Refusal(
            f"{model.origin}: {fault.operation}{model.places.of(fault.operation)} has no right {fault.order} "
            f"derivative in PyTorch: it differs from finite differences by {fault.error:.1e}"
        )


@contextmanager
def moved(model: Model, x: Slots) -> Iterator[None]:
    """The parameters at a place near theirs where none is zero, unless the module cannot take it."""
    before = {name: p.detach().clone() for name, p in model.variables.items()}
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.variables.values():
            step = torch.randn(p.shape, generator=random, dtype=torch.float64).to(p.dtype)
            p.add_(step, alpha=MOVE * (float(p.square().mean().sqrt()) or 1.0))
    try:
        with exact(model.dtype):
            finite = torch.isfinite(model.values(x)).all()
        if not finite:
            restore(model, before)
        yield
    finally:
        restore(model, before)


def restore(model: Model, values: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, p in model.variables.items():
            p.copy_(values[name])


def own_ways(model: Model, eager: Eager) -> str:
    """Where the module departs from plain differentiation, as far as can be seen."""
    found = [f"autograd.Function {name}" for name in sorted(own_functions(eager.logits().grad_fn))]
    stops = [(word, model.places.at(word)) for word in (".detach()", "torch.no_grad()")]
    found += [f"`{word}`{place}" for word, place in stops if place]
    return ", ".join(found) or "hooks on gradients"


def own_functions(node: Any) -> set[str]:
    """Names of the user's autograd.Functions reached from a node of autograd's graph."""
    seen, todo, names = set(), [node], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo.extend(following for following, _ in node.next_functions)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            names.add(type(node).__name__.removesuffix("Backward"))
    return names
