"""Export of a loss of the user's own: verified, and written as packages beside those of the module."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ritzflow.export.losses.loss_checks import curvature_of, verify_loss
from ritzflow.export.losses.loss_trace import functions_of, trace_loss
from ritzflow.export.losses.losses import CustomLoss
from ritzflow.export.module.data import Samples
from ritzflow.export.module.inputs import Slots, typed
from ritzflow.export.module.modules import Model
from ritzflow.export.module.tensors import like, sketch
from ritzflow.export.package import package
from ritzflow.export.trace.split import Function
from ritzflow.export.trace.trace import Trace
from ritzflow.export.trace.verify import CompiledRunner, Runner, require_check, tolerance_of

LOSS_BATCHES = 16  # micro-batches on which the curvature of a loss is looked at
CHECKED = 4  # rows whose outputs and targets model.h5 holds


class LossExport:
    """A loss at outputs z [rows, C] and targets y of one micro-batch."""

    def __init__(self, loss: CustomLoss, z: torch.Tensor, y: torch.Tensor) -> None:
        self.loss, self.z = loss, z.detach().double()
        self.y = self.typed(y, torch.float64)
        rows = min(CHECKED, len(z))
        self.outputs, self.targets = self.z[:rows], loss.row_targets(self.y)[:rows]
        self.keys: dict[str, str] = {}

    @staticmethod
    def typed(y: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return y.to(dtype) if y.is_floating_point() else y

    def runner(self, dtype: torch.dtype) -> tuple[Trace, dict[str, Function], Runner]:
        """The trace in a type, its functions, and them at work."""
        y = self.typed(self.y, dtype).reshape(-1, *self.loss.target_shape)
        found = trace_loss(self.loss, self.z.to(dtype), y)
        functions = functions_of(found)
        slots = {"z": self.z.to(dtype), "y": y, "u": torch.zeros_like(self.z, dtype=dtype)}
        slots |= {f"buffer:{name}": value for name, value in found.constants.items()}
        return found, functions, Runner(functions, slots)

    def verified(self, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Raises Refusal where the loss is not what it should be; `batches` of (z, y) tell its curvature, the
        first being that of this object."""
        found, _, runner = self.runner(torch.float64)
        typed = [
            (z.double(), self.typed(y, torch.float64).reshape(-1, *self.loss.target_shape))
            for z, y in batches
        ]
        errors = verify_loss(self.loss, runner, *typed[0], typed[-1], tolerance_of(found))
        print(f"loss {self.loss.origin}: verified against eager autograd: {errors}", file=sys.stderr)
        self.curvature = curvature_of(self.loss, runner, typed)
        if self.curvature == "zero":
            print(
                f"loss {self.loss.origin}: its second derivative in the outputs is zero wherever it exists: "
                "it has no Gauss-Newton matrix",
                file=sys.stderr,
            )
        self.constants = found.constants
        self.check = self.check_values(runner)

    def check_values(self, runner: Runner) -> dict[str, list[float]]:
        """Sketches of l, r and s at the stored rows again and again."""
        z, y = runner.slots["z"], runner.slots["y"]
        rows = torch.arange(len(z)) % len(self.outputs)
        runner.slots |= {
            "z": self.outputs[rows].to(z.dtype),
            "y": self.targets[rows].to(y.dtype).reshape(y.shape),
        }
        found, gradients = runner.run("loss")
        curvature = runner.run("loss_curvature", u=like([runner.slots["z"]], 1)[0])
        return {"l": sketch([found]), "r": sketch([gradients]), "s": sketch(curvature)}

    def write(self, dtype: torch.dtype, folder: Path, micro_batch: int, compiled: bool) -> None:
        """The package of this type, unless it exists."""
        found, functions, runner = self.runner(dtype)
        name, tolerance = str(dtype).removeprefix("torch."), tolerance_of(found)
        require_check(self.check_values(runner), self.check, tolerance, f"{self.loss.origin} in {name}")
        facts = {
            "dtype": name,
            "computes_in_float32": found.computes_in(torch.float32),
            "micro_batch": micro_batch,
            "input_shape": list(self.loss.target_shape),
            "tokens": False,
            "outputs": self.z.shape[1],
            "tied": [],
        }
        writer = package.Writer(folder, package.manifest(found, functions, facts, compiled))
        self.keys[name] = writer.key

        def of_compiled(part: Path) -> None:
            values = self.check_values(CompiledRunner(functions, runner.slots, part))
            require_check(values, self.check, tolerance, f"{self.loss.origin} compiled")

        if not writer.exists():
            writer.write(functions, of_compiled if compiled else None)
        print(f"package {writer.key[:12]} ({name}): the loss, in {folder}", file=sys.stderr)

    def training(self) -> dict[str, Any]:
        """What `spec` says of the loss."""
        return {"loss": self.loss.origin, "loss_packages": self.keys, "loss_curvature": self.curvature}

    def datasets(self) -> dict[str, Any]:
        """What model.h5 holds of it."""
        data = {"loss/outputs": self.outputs.numpy(), "loss/targets": self.targets.numpy()}
        return data | {f"check/{name}": np.array(values) for name, values in self.check.items()}


@dataclass
class SamplesInRows(Samples):
    """Samples whose targets are as the loss takes them, and whose weights are those of its rows."""

    loss: CustomLoss = field(kw_only=True)

    def part(self, rows: np.ndarray) -> tuple[Slots, torch.Tensor, torch.Tensor]:
        x, y, weights = super().part(rows)
        return x, self.loss.row_targets(y), self.loss.row_weights(weights, len(rows))


def fitted(loss: CustomLoss, model: Model, samples: Samples, micro_batch: int) -> SamplesInRows:
    """Lets the module return its outputs in the rows that the loss is of, and gives the samples in those.
    Raises Refusal, InputError."""
    loss.to(model.dtype)
    x, y, _ = samples.batch(micro_batch)
    output = model.output_of(typed(x, model.dtype))
    loss.fit(output, y.to(model.dtype) if y.is_floating_point() else y)
    loss.hook_into(model.module)
    return SamplesInRows(**vars(samples), loss=loss)


def verified_loss(model: Model, loss: CustomLoss, samples: Samples, micro_batch: int) -> LossExport:
    """The loss at the outputs of the first samples, its curvature by those of more."""
    outputs = []
    for first in range(0, len(samples.targets), micro_batch)[:LOSS_BATCHES]:
        x, y, _ = samples.part((first + np.arange(micro_batch)) % len(samples.targets))
        outputs.append((model.output_of(typed(x, model.dtype)).detach(), y))
    found = LossExport(loss, *outputs[0])
    found.verified(outputs)
    loss.to(model.dtype)
    return found
