"""What an export needs of data.h5: shapes, and the first samples to verify on."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from script_cli import InputError

ROWS = 512  # of a micro-batch where the user names no size, as in build-operator


@dataclass
class Samples:
    inputs: np.ndarray
    targets: np.ndarray  # labels [N] or [N,T], or values [N,C] (several labels a sample, regression)
    mask: np.ndarray | None
    task: str
    outputs: int

    @property
    def tokens(self) -> bool:
        return self.task == "language_modeling"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.inputs.shape[1:]

    @property
    def rows_per_sample(self) -> int:
        return self.inputs.shape[1] if self.tokens else 1

    @property
    def usual_loss(self) -> str:
        if self.task == "regression":
            return "mse"
        return "bce" if self.targets.dtype.kind == "f" else "cross_entropy"

    @property
    def usual_micro_batch(self) -> int:
        return min(len(self.inputs), max(1, ROWS // self.rows_per_sample))

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs, targets and weights by row of `count` samples; the first again where there are fewer."""
        rows = np.arange(count) % len(self.inputs)
        x, y = torch.from_numpy(self.inputs[rows]), torch.from_numpy(self.targets[rows])
        terms = (count, self.rows_per_sample)
        mask = np.ones(terms) if self.mask is None else self.mask[rows].reshape(terms)
        weights = torch.from_numpy(mask.astype(np.float64)).reshape(-1)
        if self.targets.dtype.kind == "f":
            return x, y, weights
        y = y.reshape(-1)
        return x, y.clamp(min=0), weights * (y != -100)


def load(path: Path) -> Samples:
    """Reads a data.h5; build-operator checks it as a whole. Raises InputError."""
    if not path.is_file():
        raise InputError(f"--data: {path}: no such file")
    try:
        with h5py.File(path) as file:
            task = file.attrs["task"]
            inputs, targets = file["inputs"][...], file["targets"][...]
            mask = file["mask"][...] if "mask" in file else None
            classes = int(file.attrs.get("num_classes", 0))
    except (OSError, KeyError) as error:
        raise InputError(f"--data: {path}: not a data.h5 ({error}); prepare_data.py writes one") from None
    if task == "regression":
        targets = targets.reshape(len(targets), -1)
        return Samples(inputs, targets, mask, task, targets.shape[1])
    if task == "classification" and targets.ndim == 2:  # several labels a sample
        return Samples(inputs, targets.astype(np.float64), mask, task, targets.shape[1])
    return Samples(inputs, targets.astype(np.int64), mask, task, classes)
