"""Which layers have Kronecker factors: those that account for all that their parameters do."""

import torch

from ritzflow.export.module.tensors import like
from ritzflow.export.taps.parameter_views import View
from ritzflow.export.taps.taps import Tap
from ritzflow.export.trace.verify import Runner


def elements(view: View, flat: torch.Tensor, group: int, groups: int) -> list[torch.Tensor]:
    """A view of one group as matrices side by side, on the parameter's elements `flat`."""
    shift = group * (len(flat) // groups)
    return [
        flat.as_strided((rows, columns), (row_stride, stride), offset + shift)
        for offset, rows, row_stride, columns, stride in view.matrices()
    ]


def add_gradient(tap: Tap, a: torch.Tensor, d: torch.Tensor, to: dict[str, torch.Tensor]) -> None:
    """Adds the gradients of a layer's parameters, from what it was given and what came back, to flat ones."""
    if tap.kind == "embedding":
        used = a >= 0
        to[tap.weight.name].view(tap.weight.shape).index_add_(0, a[used], d[used])
        return
    if tap.kind == "norm":
        to[tap.weight.name] += (a * d).sum((0, 1))
        if tap.bias:
            to[tap.bias.name] += d.sum((0, 1))
        return
    for group, (inputs, outputs) in enumerate(zip(a.chunk(tap.groups, 2), d.chunk(tap.groups, 2))):
        gradient, column = outputs.flatten(0, 1).T @ inputs.flatten(0, 1), 0
        for part in elements(tap.weight, to[tap.weight.name], group, tap.groups):
            part += gradient[:, column : column + part.shape[1]]
            column += part.shape[1]
        if tap.bias:
            elements(tap.bias, to[tap.bias.name], group, tap.groups)[0][:, 0] += outputs.sum((0, 1))


def add_coverage(tap: Tap, to: dict[str, torch.Tensor]) -> None:
    """Counts the elements of a layer's parameters."""
    for view in tap.views:
        for group in range(tap.groups):
            for part in elements(view, to[view.name], group, tap.groups):
                part += 1


def is_tied(taps: list[Tap]) -> bool:
    """Is a weight the token embedding and the output layer, and no more?"""
    kinds = sorted(tap.kind for tap in taps)
    return kinds == ["embedding", "linear"] and all(tap.weight.whole for tap in taps)


def keeps_samples_apart(runner: Runner, samples: int) -> list[bool]:
    """For each tap: what comes back from the logits of one sample is about that sample's part of it alone."""
    r = runner.slots["r"]
    rows, apart = len(r) // samples, []
    runner.run("primal")
    runner.run("taps")
    for sample in sorted({0, samples - 1}):
        w = torch.zeros_like(r)
        w[sample * rows : (sample + 1) * rows] = like([r[:rows]], 2)[0]
        others = [i for i in range(samples) if i != sample]
        apart.append([not d[others].any() for d in runner.run("taps_vjp", w=w)])
    return [all(tap) for tap in zip(*apart)]


class TapChoice:
    """The layers of an export whose parameters they, and nothing else, use."""

    def __init__(self, runner: Runner, taps: list[Tap], samples: int, tolerance: float) -> None:
        self.taps, self.tolerance = taps, tolerance
        apart = keeps_samples_apart(runner, samples)
        self.unaccounted = self.differing(runner)
        self.unaccounted |= {name for tap, fit in zip(taps, apart) if not fit for name in tap.parameters}

    def differing(self, runner: Runner) -> set[str]:
        """Parameters whose gradient is not the sum of what their layers contribute, to rounding."""
        runner.run("primal")
        g = runner.run("vjp", w=like([runner.slots["r"]], 2)[0])
        right = {name[2:]: t.reshape(-1) for name, t in zip(runner.functions["vjp"].outputs, g)}
        found, size = ({name: torch.zeros_like(t) for name, t in right.items()} for _ in range(2))
        a, d = runner.run("taps")[: len(self.taps)], runner.run("taps_vjp")
        for tap, given, back in zip(self.taps, a, d):
            add_gradient(tap, given, back, found)
            add_gradient(tap, given if tap.kind == "embedding" else given.abs(), back.abs(), size)
        return {
            name
            for name, t in right.items()
            if not (found[name] - t).norm() <= self.tolerance * max(t.norm(), size[name].norm())
        }

    def chosen(self) -> dict[int, bool]:
        """Places of the layers that are kept, each with whether it is tied: a parameter without one of its
        layers has none."""
        bad = set(self.unaccounted)
        while True:
            places = [i for i, tap in enumerate(self.taps) if bad.isdisjoint(tap.parameters)]
            tied = {name for name in self.weights(places) if is_tied(self.uses(places, name))}
            left = {name for i, tap in enumerate(self.taps) if i not in places for name in tap.parameters}
            more = left | self.overlapping(places, tied)
            if more <= bad:
                return {i: self.taps[i].weight.name in tied for i in places}
            bad |= more

    def weights(self, places: list[int]) -> set[str]:
        return {self.taps[i].weight.name for i in places}

    def uses(self, places: list[int], weight: str) -> list[Tap]:
        return [self.taps[i] for i in places if self.taps[i].weight.name == weight]

    def overlapping(self, places: list[int], tied: set[str]) -> set[str]:
        """Parameters with elements that are in no layer, or in several."""
        shapes = {view.name: view.shape for i in places for view in self.taps[i].views}
        counts = {
            name: torch.zeros(torch.Size(shape).numel(), dtype=torch.int64) for name, shape in shapes.items()
        }
        for i in places:
            add_coverage(self.taps[i], counts)
        return {name for name, count in counts.items() if name not in tied and not (count == 1).all()}
