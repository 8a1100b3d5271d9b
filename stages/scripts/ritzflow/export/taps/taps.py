"""Layers as K-FAC sees them: what goes in and which gradient comes back, for every use of a weight."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from ritzflow.export.module.inputs import Slots, arguments, is_shared, samples_in
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import exact
from ritzflow.export.module.replaced import replaced
from ritzflow.export.taps.layer_kinds import KINDS, Use
from ritzflow.export.taps.parameter_views import View, Views
from ritzflow.export.taps.recurrent import stepwise
from ritzflow.export.taps.sample_axis import SampleAxis, Shared, axis_of

Axes = dict[int, SampleAxis | Shared]  # of the first use, the second, ... that have one

# Functions of torch.nn.functional ask these whether somebody watches, and are then seen as a whole.
WATCHED = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


@dataclass
class Seen:
    """A use of a weight in a forward pass."""

    use: Use
    given: torch.Tensor  # the use's input
    output: torch.Tensor
    axis: SampleAxis | Shared

    def input(self) -> torch.Tensor:
        """[N, R, in], of an embedding [N, R]."""
        if self.use.kind == "embedding":
            return self.axis.in_front(self.axis.spread(self.given.unsqueeze(-1))).squeeze(-1)
        return self.axis.in_front(self.given)

    def gradient(self, d: torch.Tensor) -> torch.Tensor:
        """[N, R, out] of that of the output."""
        d = self.use.rows(d)
        if self.use.kind == "embedding":
            d = d * (self.given >= 0).unsqueeze(-1)
        return self.axis.in_front(d)


@dataclass
class Tap:
    """A layer, y = W a + b at each of R positions, those of all its uses (engine/model/autodiff/taps.h)."""

    kind: str
    weight: View  # [out, ...], of the first group
    bias: View | None
    groups: int
    seen: list[Seen]
    tied: bool = False

    @property
    def views(self) -> list[View]:
        return [self.weight] + ([self.bias] if self.bias else [])

    @property
    def parameters(self) -> list[str]:
        return [view.name for view in self.views]

    @property
    def outputs(self) -> list[torch.Tensor]:
        return [seen.output for seen in self.seen]

    def input(self) -> torch.Tensor:
        return torch.cat([seen.input() for seen in self.seen], 1).detach()

    def gradient(self, gradients: list[torch.Tensor]) -> torch.Tensor:
        """[N, R, out] of those of the outputs."""
        return torch.cat([seen.gradient(d) for seen, d in zip(self.seen, gradients)], 1)

    @property
    def name(self) -> str:
        """The weight's, with the rows that are meant as one would write the slice."""
        name, whole = self.weight.name.removesuffix(".weight"), self.weight.whole
        elements = torch.Size(self.weight.sizes).numel()
        if whole or elements * self.groups == torch.Size(self.weight.shape).numel():
            return name
        first, rest = divmod(self.weight.offset, self.weight.width)
        if rest or elements % self.weight.width:
            return f"{name}@{self.weight.offset}"
        return f"{name}[{first}:{first + elements // self.weight.width}]"

    @property
    def pieces(self) -> list[tuple[int, ...]]:
        """Of [W, b], of the first group: parameter (0 or 1), offset, rows, row stride, columns and their
        stride; none where it is the whole parameters side by side."""
        if self.kind in ("embedding", "norm"):
            return []
        if self.groups == 1 and self.weight.whole and (self.bias is None or self.bias.whole):
            return []
        return [(i, *matrix) for i, view in enumerate(self.views) for matrix in view.matrices()]


class TapRecorder(TorchFunctionMode):
    """Records every use of a weight of `theta` by a function that K-FAC knows, while it is entered.

    Downstream operations get a copy of the output, so that one that works in place leaves the recorded one
    alone. `axes` says where the samples are in each use; without it there are `witnesses` alone.
    """

    def __init__(self, theta: dict[str, torch.Tensor], axes: Axes | None = None) -> None:
        super().__init__()
        self.theta, self.views, self.axes = theta, Views(theta), axes or {}
        self.witnesses: list[tuple[str, torch.Tensor]] = []  # kind of each use and [*positions, size]
        self.seen: list[Seen] = []

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: Sequence[Any] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        named = named or {}
        steps = stepwise(function, tuple(arguments))
        if steps and any(self.views.name(t) for t in tensors_in(arguments)):
            with self:
                return steps(*arguments, **named)
        output = function(*arguments, **named)
        if function in KINDS and "out" not in named and not is_transformed(output):
            with torch.no_grad():
                use: Use | None = KINDS[function](*arguments, **named)
            if use and self.views.name(use.weight) and use.weight.numel():
                return self.recorded(use, output)
        return output

    def recorded(self, use: Use, output: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            witness = use.input() if use.kind == "linear" else use.rows(output)
        self.witnesses.append((use.kind, witness))
        axis = self.axes.get(len(self.witnesses))
        if axis is None or axis.positions != tuple(witness.shape[:-1]) or not output.requires_grad:
            return output
        output = axis.spread(output)
        with torch.no_grad():
            self.seen.append(Seen(use, use.input(), output, axis))
        return output.clone()

    def taps(self) -> list[Tap]:
        """Uses of the same weight and bias in the same way as one layer."""
        found: dict[tuple[Any, ...], Tap] = {}
        for seen in self.seen:
            use = seen.use
            weight = self.views.of(use.weight)
            bias = None if use.bias is None or self.views.name(use.bias) is None else self.views.of(use.bias)
            if weight is None or (bias and bias.sizes != weight.sizes[:1]):
                continue
            tap = found.setdefault(
                (use.kind, weight, bias, use.groups), Tap(use.kind, weight, bias, use.groups, [])
            )
            tap.seen.append(seen)
        whole = ("embedding", "norm")
        return [
            tap for tap in found.values() if tap.kind not in whole or all(view.whole for view in tap.views)
        ]


def tensors_in(arguments: Sequence[Any]) -> Iterator[torch.Tensor]:
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from tensors_in(argument)


def is_transformed(output: Any) -> bool:
    """Is it inside torch.func, where a tensor stands for many or for a function?"""
    return torch._C._functorch.is_functorch_wrapped_tensor(output)


@contextmanager
def recording(recorder: TapRecorder) -> Iterator[None]:
    """While it is entered, the recorder sees every function that a module calls."""
    with ExitStack() as stack:
        for name in WATCHED:
            stack.enter_context(replaced(F, name, lambda *_: False))
        stack.enter_context(recorder)
        yield


def called(model: Model, x: Slots, recorder: TapRecorder) -> Any:
    """What the module returns, with the recorder watching."""
    positional, named = arguments(x)
    with torch.enable_grad(), exact(model.dtype), recording(recorder):
        return functional_call(model.module, recorder.theta, positional, named, tie_weights=True)


def sample_axes(model: Model, x: Slots) -> Axes:
    """Where the samples are in each use of a weight: found by a call with all of them twice."""
    theta = {name: p.detach().requires_grad_() for name, p in model.parameters.items()}
    recorder, of_twice = TapRecorder(theta), TapRecorder(theta)
    z, once = model.logits(called(model, x, recorder)), recorder.witnesses
    try:
        called(model, {n: t if is_shared(n) else torch.cat([t, t]) for n, t in x.items()}, of_twice)
    except Exception:  # a module for batches of one size
        of_twice = recorder
    twice = of_twice.witnesses if len(of_twice.witnesses) == len(once) else once
    found: Axes = {}
    shared: Axes = {}
    samples = samples_in(x)
    for i, ((kind, a), (_, b)) in enumerate(zip(once, twice), 1):
        if axis := axis_of(a, b, samples):
            found[i] = axis
        elif kind == "embedding" and a is not b and a.shape == b.shape and a.dim() > 1:
            shared[i] = Shared(tuple(a.shape[:-1]), samples)
    return found | shared if may_spread(model, x, theta, shared, z) else found


def may_spread(model: Model, x: Slots, theta: dict[str, Any], shared: Axes, z: torch.Tensor) -> bool:
    """Are the logits the same where what samples share is repeated for each?"""
    try:
        repeated = model.logits(called(model, x, TapRecorder(theta, shared)))
    except Exception:  # the module needs the shape as it is
        return False
    return repeated.shape == z.shape and torch.allclose(repeated, z, rtol=1e-5, atol=1e-6)
