"""Data with several inputs, shared inputs and several terms a sample, and their dense references."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import export_products
import h5py
import numpy as np
import torch
from exports import Reference
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

random = np.random.default_rng(5)


def normal(*shape):
    return random.standard_normal(shape).astype("f4")


@dataclass
class Problem:
    """`data`: datasets of data.h5 by path; `rows`: from a module's output to logits [rows, C].

    `function`: the loss of these rows where it is the user's own; `flags` of the export.
    """

    module: str  # a function of tests.models, or of another file there: file:function
    task: str
    data: dict
    attributes: dict
    rows: object = staticmethod(lambda z: z.flatten(0, -2))
    arguments: dict = field(default_factory=dict)
    function: Callable | None = None
    flags: tuple = ()

    @property
    def loss(self):
        return self.function or ("mse" if self.task == "regression" else "cross_entropy")

    @property
    def place(self) -> str:
        """For --module."""
        file, _, function = self.module.rpartition(":")
        return f"tests.models.{file or 'named_inputs'}:{function}"

    def make(self):
        """In evaluation mode, with no parameter or running statistic at a special value."""
        torch.manual_seed(3)
        file, function = self.place.split(":")
        module = getattr(import_module(file), function)(**self.arguments).eval()
        with torch.no_grad():
            for p in module.parameters():
                p += 0.3 * torch.randn_like(p)
            for layer in module.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.running_mean.normal_()
                    layer.running_var.uniform_(0.5, 2)
        return module

    def write(self, path: Path):
        with h5py.File(path, "w") as f:
            f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": self.task})
            f.attrs.update(self.attributes)
            for name, values in self.data.items():
                f[name] = values

    def reference(self, module=None) -> Reference:
        """By plain autograd in float64: the module called as PyTorch would, terms weighted by hand."""
        module = module or self.make().double()

        def tensor(values):
            t = torch.from_numpy(values)
            return t.double() if t.is_floating_point() else t.bool() if t.dtype == torch.bool else t.long()

        named = {k.split("/")[1]: tensor(v) for k, v in self.data.items() if "/" in k}
        positional = (tensor(self.data["inputs"]),) if "inputs" in self.data else ()

        def forward(parts, _):
            with sdpa_kernel(SDPBackend.MATH):
                output = functional_call(module, parts, positional, named)
            return self.rows(output.get("logits", output) if isinstance(output, dict) else output)

        y, z = tensor(self.data["targets"]), forward(dict(module.named_parameters()), None)
        weights = torch.ones(len(y), len(z) // len(y), dtype=torch.float64)
        for name in ("mask", "weights"):
            if name in self.data:
                given = torch.from_numpy(self.data[name]).double().reshape(len(y), -1)
                weights = weights * given
        y = y.reshape(len(z), -1) if y.is_floating_point() else y.reshape(-1)
        if not y.is_floating_point():
            weights = weights.reshape(-1) * (y != -100)
            y = y.clamp(min=0)
        shapes = [(name, tuple(p.shape)) for name, p in module.named_parameters()]
        values = [p.detach() for p in module.parameters()]
        return Reference(shapes, forward, values, None, y, weights.reshape(-1), self.loss)


MASK = (np.arange(4) < np.array([[4], [1], [3], [2], [4], [2], [3]])).astype(bool)
TAGS = random.integers(0, 4, (7, 5))
TAGS[[0, 2, 6], [1, 4, 0]] = -100
EDGES = np.array([[0, 1, 1, 2, 3, 4, 5, 0, 6], [1, 0, 2, 1, 4, 3, 0, 5, 2]])

PROBLEMS = {
    "masked_mean": Problem(
        "masked_mean",
        "classification",
        {
            "inputs/input_ids": random.integers(0, 5, (7, 4), dtype=np.int32),
            "inputs/features": normal(7, 2),
            "inputs/attention_mask": MASK,
            "targets": random.integers(0, 3, 7),
            "weights": random.uniform(0.5, 2, 7),
        },
        {"num_classes": 3},
    ),
    "tags": Problem(
        "tagger",
        "classification",
        {
            "inputs": random.integers(0, 9, (7, 5)),
            "targets": TAGS,
            "weights": random.uniform(0.5, 2, (7, 5)),
        },
        {"num_classes": 4},
    ),
    "one_label": Problem(
        "tagger",
        "classification",
        {"inputs": random.integers(0, 9, (7, 5)), "targets": random.integers(0, 4, 7)},
        {"num_classes": 4},
        arguments={"pooled": True},
    ),
    "pixels": Problem(
        "segmenter",
        "classification",
        {
            "inputs": normal(5, 2, 3, 4),
            "targets": random.integers(0, 3, (5, 3, 4)),
            "mask": random.integers(0, 2, (5, 3, 4)).astype(bool),
        },
        {"num_classes": 3},
        rows=staticmethod(lambda z: z.permute(0, 2, 3, 1).reshape(-1, 3)),
    ),
    "values": Problem(
        "field",
        "regression",
        {"inputs/u": normal(6, 4), "inputs/y": normal(6, 2), "targets": normal(6, 3, 2)},
        {},
        rows=staticmethod(lambda z: z.reshape(6, 6)),
    ),
    "masked_values": Problem(
        "field",
        "regression",
        {
            "inputs/u": normal(6, 4),
            "inputs/y": normal(6, 2),
            "targets": normal(6, 3, 2),
            "mask": random.integers(0, 2, (6, 3, 2)).astype(np.uint8),
        },
        {},
        rows=staticmethod(lambda z: z.reshape(-1, 1)),
    ),
    "graph": Problem(
        "gcn",
        "classification",
        {
            "inputs/nodes": np.array([3, 0, 6, 2, 5]),
            "shared/x": normal(7, 3),
            "shared/edge_index": EDGES,
            "targets": random.integers(0, 3, 5),
        },
        {"num_classes": 3},
    ),
}


def export(folder: Path, problem: Problem, monkeypatch, *flags, out="model.h5"):
    """Writes the files of a problem and exports its module, in this process."""
    problem.write(folder / "data.h5")
    torch.save(problem.make().state_dict(), folder / "weights.pt")
    arguments = [
        "--module",
        problem.place,
        "--kwargs",
        json.dumps(problem.arguments),
    ]
    arguments += ["--weights", folder / "weights.pt", "--data", folder / "data.h5", "--out", folder / out]
    arguments += ["--packages", folder / "packages", "--compile", "none", *problem.flags]
    arguments += flags
    monkeypatch.setattr(sys, "argv", ["export_products", *map(str, arguments)])
    export_products.main()
