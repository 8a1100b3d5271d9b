"""Where the logits of the terms of the loss are in what a module returns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.module.data import Samples

WRAP = "wrap it: --module names a function that returns a module whose forward returns the logits"
AXES = {"second": 1, "last": -1}
SPAN = {"start_logits", "end_logits"}  # of models that answer questions


@dataclass(frozen=True)
class Layout:
    """From an output [N, ...] to logits [rows, C], a row a term of the loss."""

    outputs: int | None = None  # C; by default the last axis
    class_axis: int = -1

    def rows(self, z: torch.Tensor) -> torch.Tensor:
        if z.dim() == 1:
            return z.unsqueeze(1)
        if self.class_axis != -1:
            z = z.movedim(self.class_axis, -1)
        return z.flatten(0, -2) if self.outputs in (None, z.shape[-1]) else z.reshape(-1, self.outputs)


def tensor_of(output: Any) -> torch.Tensor:
    """The logits in what a module returns: a tensor, the first of several, or `logits` of an object or dict;
    of a span of tokens [N, 2, T], those of its start and its end. Raises Refusal."""
    if isinstance(output, dict) and output.keys() >= SPAN:
        return torch.stack([output["start_logits"], output["end_logits"]], 1)
    if isinstance(output, dict) and "logits" not in output:
        raise Refusal(f"the module returns {', '.join(map(str, output))}, but no logits; {WRAP}")
    found = output["logits"] if isinstance(output, dict) else getattr(output, "logits", output)
    output = found[0] if isinstance(found, tuple | list) and found else found
    if not isinstance(output, torch.Tensor):
        raise Refusal(f"the module returns {type(output).__name__} where its logits should be; {WRAP}")
    if output.is_complex():
        raise Refusal("the logits are complex; curvature is taken of real losses")
    return output


def layout_of(shape: Sequence[int], samples: Samples, count: int, axis: str | None, origin: str) -> Layout:
    """The layout of an output of this shape for `count` of the samples. Raises InputError where it does not
    fit them, or fits in two ways and --class-axis does not say which."""
    shape, terms, outputs = tuple(shape), samples.terms, samples.outputs
    if samples.real_targets:
        if squeezed(shape[1:]) == squeezed(samples.target_shape) and shape[:1] == (count,):
            return Layout(outputs)
        raise InputError(mismatch(origin, shape, [(count, *samples.target_shape)], samples))
    places = {"last": (count, *terms, outputs), "second": (count, outputs, *terms)}
    if shape == (count * samples.rows_per_sample, outputs) or (outputs == 1 and shape == (count, *terms)):
        return Layout(outputs)
    fitting = [name for name, place in places.items() if place == shape]
    if axis in fitting:
        return Layout(outputs, AXES[axis])
    if not fitting or axis is not None:
        expected = places.values() if axis is None else [places[axis]]
        raise InputError(mismatch(origin, shape, dict.fromkeys(expected), samples))
    if len(fitting) == 2 and samples.task != "language_modeling":
        raise InputError(
            f"{origin}: logits {list(shape)} hold the {outputs} classes along the second or along the last "
            "axis; say which by --class-axis second or --class-axis last"
        )
    return Layout(outputs, AXES[fitting[0]])


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def mismatch(origin: str, shape: Sequence[int], expected: Iterable[Sequence[int]], samples: Samples) -> str:
    wanted = " or ".join(str(list(place)) for place in expected)
    line = f"{origin}: logits have shape {list(shape)}, but the data need {wanted}"
    if len(shape) == 3 and shape[1] == 1 and samples.rows_per_sample > 1:
        line += (
            f"; it returns the logits of one position alone, as nanoGPT's does without targets: {WRAP} of all"
        )
    rows = (*shape[:1], *samples.target_shape)
    if samples.several_labels and shape in (
        (*rows, samples.outputs),
        (*shape[:1], samples.outputs, *rows[1:]),
    ):
        line += (
            "; where each element of targets is a class of its own, data.h5 says so by the attribute "
            "several_labels = false"
        )
    return line
