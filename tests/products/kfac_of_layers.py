"""Modules of layer_zoo with their Kronecker factors, as dense matrices."""

import json
import sys

import export_products
import h5py
import numpy as np
import pytest
import torch
from exports import run
from torch import nn

from tests.models import layer_zoo

N = 3


def write_data(path, samples: int):
    torch.manual_seed(2)
    with h5py.File(path, "w") as f:
        f.attrs.update({"format": "ritzflow-data", "format_version": "1.0", "task": "classification"})
        f.attrs["num_classes"] = 3
        f["inputs"], f["targets"] = torch.randn(samples, 4).numpy(), np.arange(samples) % 3


def exported(folder, name: str, samples: int, **arguments) -> nn.Module:
    """The files of a module, with random parameters; gives it in float64."""
    torch.manual_seed(1)
    module = getattr(layer_zoo, name)(**arguments)
    with torch.no_grad():
        for p in module.parameters():
            p += 0.3 * torch.randn_like(p)
    torch.save(module.state_dict(), folder / "weights.pt")
    write_data(folder / "data.h5", samples)
    flags = ("--module", f"tests.models.layer_zoo:{name}", "--kwargs", json.dumps(arguments))
    flags += ("--weights", folder / "weights.pt", "--data", folder / "data.h5", "--out", folder / "model.h5")
    flags += ("--packages", folder / "packages", "--compile", "none", "--dtype-compute", "float64")
    flags += ("--products", "kfac", "--micro-batch", min(samples, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export_products", *map(str, flags)])
        export_products.main()
    return module.double()


def require_done(done):
    assert done.returncode == 0, done.stderr


def collect(folder, *flags):
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--dtype-compute", "float64")
    require_done(run("collect-kfac", *files, "--out", folder / "kfac.h5", *flags))
    with h5py.File(folder / "kfac.h5") as f:
        return list(f.attrs["missing"])


def dense(folder, operator: str) -> np.ndarray:
    files = ("--data", folder / "data.h5", "--model", folder / "model.h5", "--dtype-compute", "float64")
    more = ("--kfac", folder / "kfac.h5") if operator in ("kfac", "ekfac") else ()
    out = folder / f"operator_{operator}.h5"
    require_done(run("build-operator", *files, "--operator", operator, *more, "--out", out))
    require_done(run("dense-operator", out, folder / "dense.h5"))
    with h5py.File(folder / "dense.h5") as f:
        return f["matrix"][...]


def inputs_of(folder):
    with h5py.File(folder / "data.h5") as f:
        return torch.from_numpy(f["inputs"][...]).double(), torch.from_numpy(f["targets"][...])


def residuals(z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradients of the samples' losses, each times the root of its share."""
    return (z.detach().softmax(1) - nn.functional.one_hot(targets, 3)) / len(z) ** 0.5
