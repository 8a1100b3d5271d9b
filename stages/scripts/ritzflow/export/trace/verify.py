"""The traced products against eager autograd on the module itself."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.module.inputs import Slots, typed
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import exact
from ritzflow.export.module.tensors import like, sketch
from ritzflow.export.trace.eager import Eager, Loss, length
from ritzflow.export.trace.split import Function
from ritzflow.export.trace.trace import Trace

TOLERANCE = 1e-8  # of float64 products
SINGLE = 1e-4  # of products that compute in float32, in part or as a whole


def tolerance_of(trace: Trace) -> float:
    return SINGLE if trace.computes_in(torch.float32) else TOLERANCE


class Runner:
    """Functions at work in Python: a value for every slot, as CompiledNetwork keeps them in C++."""

    def __init__(self, functions: Mapping[str, Any], slots: dict[str, torch.Tensor]) -> None:
        self.functions, self.slots = functions, dict(slots)

    def run(self, name: str, **vectors: Any) -> list[torch.Tensor]:
        """The results of a function, which become slots, after r, s, w or `v` (a list) were set."""
        function = self.functions[name]
        for slot, value in vectors.items():
            if slot == "v":
                self.slots |= dict(zip([n for n in self.slots if n.startswith("v:")], value))
            else:
                self.slots[slot] = value
        with torch.no_grad():
            results = self.call(name, [self.slots[slot] for slot in function.inputs])
        self.slots |= dict(zip(function.outputs, results))
        return list(results)

    def forget(self) -> None:
        """Drops all results."""
        results = {slot for function in self.functions.values() for slot in function.outputs}
        self.slots = {name: value for name, value in self.slots.items() if name not in results}

    def call(self, name: str, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        return torch.fx.Interpreter(torch.nn.Module(), graph=self.functions[name].graph).run(*inputs)


class CompiledRunner(Runner):
    """The same with the compiled functions of a package."""

    def __init__(self, functions: dict[str, Function], slots: dict[str, torch.Tensor], folder: Path) -> None:
        super().__init__(functions, slots)
        self.loaded = {
            name: torch._inductor.aoti_load_package(str(folder / f"{name}.pt2"))
            for name, function in functions.items()
            if function.outputs
        }

    def call(self, name: str, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        if name not in self.loaded:
            return []
        results = self.loaded[name](*inputs)
        return [results] if isinstance(results, torch.Tensor) else list(results)


def graph_module(function: Function) -> torch.fx.GraphModule:
    return torch.fx.GraphModule(torch.nn.Module(), function.graph)


def relative_error(actual: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """||actual - expected|| / ||expected|| over all tensors; the absolute error where all is zero."""
    gap = length([a - b for a, b in zip(actual, expected)])
    norm = length(expected)
    return gap / norm if norm > 0 else gap


def verify(
    model: Model,
    runner: Runner,
    loss: str | Loss,
    x: Slots,
    y: torch.Tensor,
    weights: torch.Tensor,
    tolerance: float,
) -> dict[str, float]:
    """Relative errors of the split functions against eager autograd. Raises Refusal above the tolerance."""
    torch.manual_seed(0)
    v = [torch.randn_like(t) for t in model.parameters.values()]
    eager = Eager(model, loss, x, y, weights)
    errors = first_order_errors(eager, runner, v)
    if "hvp_primal" in runner.functions:
        errors |= second_order_errors(eager, runner, v)
    require(errors, tolerance, f"{model.origin}: the traced", "eager autograd")
    return errors


def first_order_errors(eager: Eager, runner: Runner, v: list[torch.Tensor]) -> dict[str, float]:
    """Of logits, J v, gradient and Gauss-Newton product."""
    runner.slots |= eager.x
    z, *_ = runner.run("primal")
    u = runner.run("jvp", v=v)
    r, s = eager.on_logits(z), eager.on_logits(z, *u)
    gradient, gauss_newton = runner.run("vjp", w=r), runner.run("vjp", w=s)
    runner.forget()
    with exact(eager.model.dtype):
        errors = {"logits": relative_error([z], [eager.logits().detach()])}
    errors["jvp"] = relative_error(u, [eager.jvp(v)])
    errors["gradient"] = relative_error(gradient, eager.gradient())
    errors["ggn"] = relative_error(gauss_newton, eager.vjp(s))
    return errors


def second_order_errors(eager: Eager, runner: Runner, v: list[torch.Tensor]) -> dict[str, float]:
    """Of J v and H v in the Hessian's functions."""
    z, *_ = runner.run("primal")
    runner.run("hvp_primal", r=eager.on_logits(z))
    u, *_ = runner.run("hvp_jvp", v=v)
    found = runner.run("hvp_vjp", s=eager.on_logits(z, u))
    runner.forget()
    return {
        "hvp_jvp": relative_error([u], [eager.jvp(v)]),
        "hessian": relative_error(found, eager.hessian(v)),
    }


def require(errors: dict[str, float], tolerance: float, what: str, right: str) -> None:
    """Raises Refusal for the first error above the tolerance."""
    for name, error in errors.items():
        if math.isnan(error):
            raise Refusal(
                f"{what} {name} holds NaN or infinity: so has the derivative of a square root or logarithm "
                "at 0, also where torch.where leaves its value out"
            )
        if not error <= tolerance:
            raise Refusal(f"{what} {name} differs from {right} by {error:.1e}, more than {tolerance:g}")


def check_values(runner: Runner, inputs: Slots) -> dict[str, list[float]]:
    """Sketches of z, u, g and, where exported, h at `inputs` and fixed vectors: what a package must give."""
    theta = [t for name, t in runner.slots.items() if name.startswith("theta:")]
    runner.slots |= typed(inputs, theta[0].dtype)
    v, (logits,) = like(theta, 0), [runner.slots["r"]]
    r, w, s = (like([logits], stream)[0] for stream in (1, 2, 3))
    z, *_ = runner.run("primal")
    values = {"z": [z], "u": runner.run("jvp", v=v), "g": runner.run("vjp", w=w)}
    if "hvp_primal" in runner.functions:
        runner.run("hvp_primal", r=r)
        runner.run("hvp_jvp", v=v)
        values["h"] = runner.run("hvp_vjp", s=s)
    return {name: sketch(tensors) for name, tensors in values.items()}


def require_check(values: dict[str, Any], expected: dict[str, Any], tolerance: float, what: str) -> None:
    """Raises Refusal where a sketch is not the expected one, relative to the norm."""
    for name in values:
        right = expected[name]
        gap = max(abs(a - b) for a, b in zip(values[name], right))
        norm = max(right[0], 1e-300)
        if not gap <= tolerance * norm:
            raise Refusal(f"{what}: '{name}' is off by {gap / norm:.1e} of its norm, more than {tolerance:g}")
