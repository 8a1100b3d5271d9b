"""What a data.h5 asks of a module, and samples of it for verification."""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from ritzflow.common.script_cli import InputError
from ritzflow.export.module.inputs import Slots

ROWS = 512  # of a micro-batch where the user names no size, as in build-operator
MASKED = -100  # a label that counts nothing


@dataclass
class Samples:
    """N samples. A *row* is one term of the loss: a sample, or one of its tokens, pixels or elements."""

    inputs: np.ndarray | dict[str, np.ndarray]  # one array, or several by name; a sample a row
    targets: np.ndarray  # labels [N, *terms], or values [N, ...]: several labels a sample, regression
    mask: np.ndarray | None
    task: str
    outputs: int  # C of a row
    shared: dict[str, np.ndarray] = field(default_factory=dict)  # arguments that all samples share
    weights: np.ndarray | None = None  # of the samples [N]

    @property
    def tokens(self) -> bool:
        """Are `inputs` tokens of the same vocabulary as the targets?"""
        return self.task == "language_modeling" and not isinstance(self.inputs, dict)

    @property
    def plain(self) -> bool:
        """Is there one array of inputs, real or tokens, and no more?"""
        if isinstance(self.inputs, dict) or self.shared:
            return False
        return self.tokens or self.inputs.dtype.kind == "f"

    @property
    def input_shape(self) -> Any:
        if isinstance(self.inputs, dict):
            return {name: list(values.shape[1:]) for name, values in self.inputs.items()}
        return list(self.inputs.shape[1:])

    @property
    def real_targets(self) -> bool:
        return self.targets.dtype.kind == "f"

    @property
    def several_labels(self) -> bool:
        return self.task == "classification" and self.real_targets

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.targets.shape[1:]

    @property
    def terms(self) -> tuple[int, ...]:
        """Shape of a sample's terms of the loss; values are one term unless the mask tells them apart."""
        single = self.real_targets and self.outputs == prod(self.target_shape)
        return () if single else self.target_shape

    @property
    def rows_per_sample(self) -> int:
        return prod(self.terms)

    @property
    def usual_loss(self) -> str:
        if self.task == "regression":
            return "mse"
        return "bce" if self.real_targets else "cross_entropy"

    @property
    def usual_micro_batch(self) -> int:
        return min(len(self.targets), max(1, ROWS // self.rows_per_sample))

    def slots(self, rows: np.ndarray) -> Slots:
        """What a module is called with for these samples."""
        if isinstance(self.inputs, dict):
            found = {f"x:{name}": values[rows] for name, values in self.inputs.items()}
        else:
            found = {"x": self.inputs[rows]}
        found |= {f"shared:{name}": values for name, values in self.shared.items()}
        return {name: torch.from_numpy(values) for name, values in found.items()}

    def batch(self, count: int) -> tuple[Slots, torch.Tensor, torch.Tensor]:
        """Inputs, targets and weights by row of `count` samples; the first again where there are fewer."""
        return self.part(np.arange(count) % len(self.targets))

    def part(self, rows: np.ndarray) -> tuple[Slots, torch.Tensor, torch.Tensor]:
        """Inputs, targets and weights by row of the samples with these numbers."""
        x, y = self.slots(rows), torch.from_numpy(self.targets[rows])
        terms = (len(rows), self.rows_per_sample)
        factors = np.ones(terms)
        for given in (self.mask, self.weights):  # one number a sample, or a term
            if given is not None:
                factors = factors * given[rows].astype(np.float64).reshape(len(rows), -1)
        weights = torch.from_numpy(factors).reshape(-1)
        if self.real_targets:
            return x, y.reshape(-1, self.outputs), weights
        y = y.reshape(-1)
        return x, y.clamp(min=0), weights * (y != MASKED)


def load(path: Path) -> Samples:
    """Reads a data.h5; build-operator checks it as a whole. Raises InputError."""
    if not path.is_file():
        raise InputError(f"--data: {path}: no such file")
    try:
        with h5py.File(path) as file:
            task = file.attrs["task"]
            inputs, shared = arrays(file["inputs"]), arrays(file["shared"]) if "shared" in file else {}
            targets = file["targets"][...]
            mask = file["mask"][...] if "mask" in file else None
            weights = file["weights"][...] if "weights" in file else None
            classes = int(file.attrs.get("num_classes", 0))
            several = file.attrs.get("several_labels")
    except (OSError, KeyError) as error:
        raise InputError(f"--data: {path}: not a data.h5 ({error}); prepare_data.py writes one") from None
    require_names(path, inputs, shared)
    if task == "regression" or (task == "classification" and holds_several_labels(targets, classes, several)):
        targets = targets.reshape(len(targets), -1) if targets.ndim == 1 else targets
        elements = any(given is not None and given.shape == targets.shape for given in (mask, weights))
        outputs = 1 if elements else prod(targets.shape[1:])
        return Samples(inputs, targets.astype(np.float64), mask, task, outputs, shared, weights)
    return Samples(inputs, targets.astype(np.int64), mask, task, classes, shared, weights)


def holds_several_labels(targets: np.ndarray, classes: int, stated: Any) -> bool:
    """Is a row [N, C] of a classification yes or no for each class, rather than C labels?"""
    if stated is not None:
        return bool(stated)
    if targets.ndim != 2 or targets.dtype.kind == "f":
        return targets.dtype.kind == "f"
    return classes in (0, targets.shape[1]) and bool(np.isin(targets, (0, 1)).all())


def arrays(thing: Any) -> Any:
    """A dataset, or the datasets of a group in order of name; integers as int64, as C++ reads them."""
    if isinstance(thing, h5py.Group):
        return {name: arrays(thing[name]) for name in sorted(thing)}
    values = thing[...]
    return values.astype(np.int64) if values.dtype.kind in "iu" else values


def require_names(path: Path, inputs: Any, shared: dict[str, Any]) -> None:
    """Names of arguments are those of Python, and each is there once."""
    names = [*inputs, *shared] if isinstance(inputs, dict) else list(shared)
    for name in names:
        if not name.isidentifier():
            raise InputError(f"--data: {path}: '{name}' is not a name that an argument of a module can have")
        if names.count(name) > 1:
            raise InputError(f"--data: {path}: '{name}' is in both inputs and shared")


def target_shape(path: Path) -> tuple[int, ...]:
    """Shape of a sample's targets as they lie in the file."""
    with h5py.File(path) as file:
        return file["targets"].shape[1:]
