"""An objective of the user's own, `--objective package.module:name`: losses not of the outputs alone.

    function(module, inputs, targets) -> losses of the samples [N]

It calls the module as it likes: with derivatives by the inputs, on parts of a sample, on the whole batch. It
is exported as a module whose only output is the loss of a sample and which takes the targets as one more
input; l(z) = z is the loss after it. J is then the gradients of the samples, and the Hessian that of their
mean.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import nn

from ritzflow.common.script_cli import InputError, Refusal
from ritzflow.export.losses.losses import takes
from ritzflow.export.module.data import Samples
from ritzflow.export.module.inputs import Slots
from ritzflow.export.module.objects import found_object

TARGETS = "targets"  # what the input is called that holds them


def load(place: str) -> Callable[..., Any]:
    """The function, the callable object, or what a factory without arguments returns. Raises InputError."""
    found = found_object(place, "--objective")
    if inspect.isclass(found) or (not takes(found, 3) and takes(found, 0)):
        found = found()
    if not takes(found, 3):
        raise InputError(f"--objective: {place} cannot be called with (module, inputs, targets)")
    return found


class Losses(nn.Module):
    """A module of the same parameters and buffers that returns the losses of an objective [N, 1]."""

    def __init__(
        self, module: nn.Module, objective: Callable[..., Any], origin: str, one_input: bool
    ) -> None:
        super().__init__()
        for kind in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            self.__dict__[kind] = module.__dict__[
                kind
            ]  # the same dictionaries: what is replaced in one is in both
        self.__dict__["inner"] = module
        self.objective, self.origin, self.one_input = objective, origin, one_input

    def forward(self, targets: torch.Tensor, **inputs: Any) -> torch.Tensor:
        given = inputs["inputs"] if self.one_input else inputs
        wanted = torch.is_grad_enabled()
        with torch.enable_grad():  # derivatives inside the objective need a graph
            losses = self.objective(self.inner, fresh(given), targets)
        losses = self.of_samples(losses, len(targets))
        return losses if wanted else losses.detach()

    def of_samples(self, losses: object, count: int) -> torch.Tensor:
        place = f"--objective: {self.origin}: returns"
        if not isinstance(losses, torch.Tensor):
            raise Refusal(f"{place} {type(losses).__name__}, expected the losses of the samples [N]")
        if losses.shape not in ((count,), (count, 1)):
            hint = ": one for each; terms that all samples share, as a penalty, are added to each"
            raise Refusal(f"{place} losses of shape {list(losses.shape)} for {count} samples{hint}")
        return losses.reshape(count, 1)


def fresh(inputs: Any) -> Any:
    """Tensors that the objective may differentiate by."""
    if isinstance(inputs, dict):
        return {name: value.detach() for name, value in inputs.items()}
    return inputs.detach()


class Identity:
    """l(z) = z."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def __call__(self, z: torch.Tensor, y: object) -> torch.Tensor:
        return z[:, 0]

    def training(self) -> dict[str, Any]:
        """What `spec` says of the loss."""
        return {"objective": self.origin}


@dataclass
class SamplesWithTargets(Samples):
    """Samples whose targets are one more input, as they lie in data.h5."""

    def part(self, rows: np.ndarray) -> tuple[Slots, torch.Tensor, torch.Tensor]:
        weights = np.ones(len(rows)) if self.weights is None else self.weights[rows].astype(np.float64)
        mask = np.ones(len(rows)) if self.mask is None else self.mask[rows]
        return self.slots(rows), torch.zeros(len(rows)), torch.from_numpy(weights * mask)


def with_targets(samples: Samples, path: Path) -> SamplesWithTargets:
    """The samples of a data.h5 for an objective. Raises InputError, Refusal."""
    given = samples.inputs if isinstance(samples.inputs, dict) else {"inputs": samples.inputs}
    if TARGETS in given:
        raise InputError(
            f"--data: {path}: an input is called '{TARGETS}', as the targets are for an objective"
        )
    for name in ("mask", "weights"):
        values = getattr(samples, name)
        if values is not None and values.ndim > 1:
            raise Refusal(
                f"--data: {path}: '{name}' {list(values.shape)} is of tokens, but an objective gives one "
                "loss a sample; let it be an input"
            )
    with h5py.File(path) as file:
        raw = file["targets"][...]
    targets = raw.astype(np.float64 if raw.dtype.kind == "f" else np.int64)
    fields = {field: getattr(samples, field) for field in ("mask", "task", "shared", "weights")}
    return SamplesWithTargets({**given, TARGETS: targets}, samples.targets, outputs=1, **fields)
