"""Modules of tests/models: how they are exported, their data, and their dense references."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch.func import functional_call

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "oracles"), str(ROOT / "stages" / "scripts")]

from dense import Reference  # noqa: E402
from problems import BIN  # noqa: E402

from tests.models import own_models  # noqa: E402

EXPORT = ROOT / "stages" / "scripts" / "export_products.py"
torch.set_num_threads(1)


@dataclass
class Case:
    """A module, the shape of its data, and how they are made."""

    name: str
    task: str
    input_shape: tuple
    outputs: int
    loss: str = "cross_entropy"
    masked: bool = False
    samples: int = 7


CASES = {
    case.name: case
    for case in (
        Case("mlp", "classification", (4,), 3),
        Case("labels", "classification", (4,), 3, "bce"),
        Case("cnn", "regression", (1, 6, 6), 3, "mse"),
        Case("residual", "classification", (8,), 4),
        Case("resolvent", "classification", (3,), 3),
        Case("transformer", "language_modeling", (5,), 6, masked=True),
    )
}
COUPLED = Case("centred", "classification", (4,), 3)  # no sum over samples
ARGUMENTS = {"residual": {"features": 8, "width": 4, "outputs": 4}}


@dataclass
class Exported:
    """An exported module: its files, and the reference for them."""

    case: Case
    folder: Path
    reference: Reference

    def file(self, name="model.h5"):
        return self.folder / name


def write_data(case: Case, path: Path) -> dict:
    """data.h5 with random samples; gives inputs, targets by row, and row weights as float64 tensors."""
    random = np.random.default_rng(3)
    shape = (case.samples, *case.input_shape)
    tokens = case.task == "language_modeling"
    inputs = random.integers(0, case.outputs, shape) if tokens else random.standard_normal(shape).astype("f4")
    targets = random.integers(0, case.outputs, shape if tokens else case.samples)
    if case.task == "regression":
        targets = random.standard_normal((case.samples, case.outputs)).astype("f4")
    if case.loss == "bce":  # several labels a sample
        targets = random.integers(0, 2, (case.samples, case.outputs))
    weights = random.uniform(0.5, 2.0, case.samples)
    mask = random.integers(0, 2, shape) if case.masked else None
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": case.task})
        f.attrs["num_classes"] = case.outputs
        f["inputs"], f["targets"], f["weights"] = inputs, targets, weights
        if mask is not None:
            f["mask"] = mask.astype(np.uint8)
    rows = weights[:, None] * (mask if mask is not None else np.ones((case.samples, 1)))
    return {
        "inputs": torch.from_numpy(inputs).double() if not tokens else torch.from_numpy(inputs),
        "targets": torch.from_numpy(targets).double()
        if case.task == "regression" or case.loss == "bce"
        else torch.from_numpy(targets).reshape(-1),
        "weights": torch.from_numpy(rows.reshape(-1)),
    }


def make_reference(module, case: Case, data: dict) -> Reference:
    """Dense matrices of the module by plain autograd in float64; attention by its definition."""
    module = module.double()
    parameters = dict(module.named_parameters())

    def forward(parts, x):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            output = functional_call(module, parts, (x.clone(),), tie_weights=True)
        output = output["logits"] if isinstance(output, dict) else output
        return output.flatten(0, -2)

    shapes = [(name, tuple(p.shape)) for name, p in parameters.items()]
    values = [p.detach() for p in parameters.values()]
    return Reference(shapes, forward, values, data["inputs"], data["targets"], data["weights"], case.loss)


def export(folder: Path, name: str, *flags, out="model.h5", packages="packages"):
    """Runs export_products.py on files of `folder`."""
    command = [
        sys.executable,
        EXPORT,
        "--module",
        f"tests.models.own_models:{name}",
        "--data",
        folder / "data.h5",
    ]
    command += ["--out", folder / out, "--packages", folder / packages, *flags]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=600)


def make_case(folder: Path, name: str) -> Exported:
    """Data, weights and reference of a case; nothing exported yet."""
    case = (CASES | {COUPLED.name: COUPLED})[name]
    torch.manual_seed(1)
    module = getattr(own_models, name)(**ARGUMENTS.get(name, {}))
    with torch.no_grad():
        for p in module.parameters():
            p += 0.3 * torch.randn_like(p)  # no parameter at a special value
    torch.save(module.state_dict(), folder / "weights.pt")
    return Exported(case, folder, make_reference(module, case, write_data(case, folder / "data.h5")))


def run(program, *arguments):
    return subprocess.run(
        [str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
