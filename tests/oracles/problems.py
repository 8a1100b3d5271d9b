"""Small problems as ritzflow's files, written with plain h5py, and their dense references."""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import torch
from dense import Reference
from plain_models import KINDS

torch.set_num_threads(1)
BIN = Path(os.environ.get("RITZFLOW_BIN", Path(__file__).parents[2] / "build" / "bin"))


@dataclass
class Problem:
    architecture: dict
    task: str
    input_shape: tuple
    outputs: int
    samples: int = 7
    loss: str = ""
    mask: np.ndarray | None = None
    weights: np.ndarray | None = None
    seed: int = 0
    scale: float = 0.5
    inputs: np.ndarray = field(init=False)
    targets: np.ndarray = field(init=False)

    def __post_init__(self):
        random = np.random.default_rng(self.seed)
        self.loss = self.loss or ("mse" if self.task == "regression" else "cross_entropy")
        shape = (self.samples, *self.input_shape)
        if self.task == "language_modeling":
            self.inputs = random.integers(0, self.outputs, shape)
            self.targets = random.integers(0, self.outputs, shape)
        else:
            self.inputs = random.standard_normal(shape).astype(np.float32)
            self.targets = random.integers(0, self.outputs, self.samples)
        if self.task == "regression":
            self.targets = random.standard_normal((self.samples, self.outputs)).astype(np.float32)
        if self.loss == "bce" and self.task == "classification":
            self.targets = random.integers(0, 2, (self.samples, self.outputs))
        self.shapes, self.forward = KINDS[self.architecture["kind"]](
            self.architecture, self.input_shape, self.outputs
        )
        self.parameters = [torch.from_numpy(self.scale * random.standard_normal(s)) for _, s in self.shapes]
        for (name, shape), values in zip(self.shapes, self.parameters):
            values += 1.0 * (len(shape) == 1 and name.endswith("weight"))  # scales of norms lie around 1

    def repeated(self, times):
        """The same data set, every sample `times` times."""
        self.samples *= times
        for name in ("inputs", "targets", "mask", "weights"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else np.concatenate([value] * times))
        return self

    def reference(self):
        inputs = torch.from_numpy(self.inputs)
        targets = torch.from_numpy(self.targets)
        values = targets.is_floating_point() or (self.loss == "bce" and self.task == "classification")
        targets = targets.double() if values else targets.reshape(-1)
        rows = len(targets) // self.samples
        weights = np.ones((self.samples, rows))
        if self.weights is not None:
            weights *= self.weights[:, None]
        if self.mask is not None:
            weights *= self.mask
        weights = torch.from_numpy(weights.reshape(-1))
        if not targets.is_floating_point():
            weights = weights * (targets != -100)
            targets = targets.clamp(min=0)
        inputs = inputs.double() if inputs.is_floating_point() else inputs
        return Reference(self.shapes, self.forward, self.parameters, inputs, targets, weights, self.loss)

    def write(self, folder):
        self.write_data(folder / "data.h5")
        self.write_model(folder / "model.h5")
        return folder

    def write_data(self, path):
        with h5py.File(path, "w") as f:
            f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": self.task})
            f.attrs["num_classes"] = self.outputs
            f["inputs"], f["targets"] = self.inputs, self.targets
            if self.mask is not None:
                f["mask"] = self.mask.astype(np.uint8)
            if self.weights is not None:
                f["weights"] = self.weights

    def write_model(self, path):
        spec = {"architecture": self.architecture, "training": {"loss": self.loss}}
        with h5py.File(path, "w") as f:
            f.attrs.update({"format": "ritzflow-model", "format_version": "1.0", "spec": json.dumps(spec)})
            f.attrs["parameter_order"] = [name for name, _ in self.shapes]
            f.attrs["seed"] = self.seed
            for (name, _), values in zip(self.shapes, self.parameters):
                f[f"steps/00000000/{name}"] = values.numpy()


def run(program, *arguments):
    command = [str(BIN / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def build(folder, operator, *flags, out="operator.h5"):
    """Runs build-operator on the files of `folder`."""
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--out", folder / out)
    return run("build-operator", *files, "--operator", operator, *flags)


def dense(folder, operator, *flags, threads=2):
    """The operator that ritzflow builds, as a dense matrix."""
    done = build(folder, operator, *flags)
    assert done.returncode == 0, done.stderr
    done = run("dense-operator", folder / "operator.h5", folder / "dense.h5", threads)
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "dense.h5") as f:
        return f["matrix"][:]


def kept_and_rebuilt(folder, operator, *flags):
    """The dense matrix from linearizations that are kept between products, and from those made for each."""
    kept = dense(folder, operator, *flags)
    assert attribute(folder, "linearizations") == "kept"
    refusal = build(folder, operator, *flags, "--memory", 1)
    assert refusal.returncode == 3
    least = "".join(re.search(r"needs (\d+) (?:bytes|([KM]iB))", refusal.stderr).groups(""))
    rebuilt = dense(folder, operator, *flags, "--memory", least)
    assert attribute(folder, "linearizations") == "rebuilt"
    return kept, rebuilt


def attribute(folder, name):
    with h5py.File(folder / "operator.h5") as file:
        return file.attrs[name]


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()
