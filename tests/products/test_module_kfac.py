"""Kronecker factors of a user's layers equal those from plain PyTorch hooks; what has none is named."""

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dense import row_losses
from exports import ARGUMENTS, own_models, run
from torch import nn

WITHOUT = {
    "mlp": [],
    "labels": [],
    "cnn": [],
    "residual": [],
    "transformer": ["positions"],
}


@pytest.fixture(scope="module")
def factors(exported):
    files = (
        "--data",
        exported.file("data.h5"),
        "--model",
        exported.file(),
        "--out",
        exported.file("kfac.h5"),
    )
    done = run("collect-kfac", *files, "--fisher-type", "empirical", "--dtype-compute", "float64")
    assert done.returncode == 0, done.stderr
    return exported


@pytest.mark.parametrize("exported", WITHOUT, indirect=True)
def test_parameters_without_factors_are_those_of_no_layer(factors):
    with h5py.File(factors.file("kfac.h5")) as f:
        assert sorted(f.attrs["missing"]) == sorted(WITHOUT[factors.case.name])


def seen_by(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a weight is multiplied by at each position [N, R, in]."""
    if isinstance(layer, nn.Conv2d):
        return F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).transpose(1, 2)
    return x.reshape(len(x), -1, x.shape[-1])


def moments(exported):
    """A and G of every linear and convolution layer from forward and backward hooks, by name."""
    module = getattr(own_models, exported.case.name)(**ARGUMENTS.get(exported.case.name, {}))
    module.load_state_dict(torch.load(exported.file("weights.pt")))
    module.double()
    seen = {}

    def record(name):
        def hook(layer, inputs, output):
            seen[name] = seen_by(layer, inputs[0]), output

        return hook

    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.register_forward_hook(record(name))
    reference = exported.reference
    z = module(reference_inputs(exported))
    (r,) = torch.autograd.grad(row_losses(reference.loss, z, reference.y).sum(), z, retain_graph=True)
    w = reference.w
    found = {}
    for name, (a, output) in seen.items():
        (g,) = torch.autograd.grad(z, output, r * w.sqrt()[:, None], retain_graph=True)
        g = g.flatten(2).transpose(1, 2) if g.dim() == 4 else g.reshape(len(g), -1, g.shape[-1])
        a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
        weights = (w / a.shape[1])[:, None, None]
        found[name] = torch.einsum("nri,nrj->ij", a * weights, a), torch.einsum("nri,nrj->ij", g, g)
    return found


def reference_inputs(exported):
    with h5py.File(exported.file("data.h5")) as f:
        return torch.from_numpy(f["inputs"][...]).double()


def require_eigenvalues(file, expected):
    """Those of A and G of every layer."""
    for name, pair in expected.items():
        for side, right in zip("ag", pair):
            found = file[f"layers/{name}/{side}_eigenvalues"][...]
            values = np.linalg.eigvalsh(right.detach().numpy())
            assert np.abs(found - values).max() < 1e-10 * values[-1], (name, side)


@pytest.mark.parametrize("exported", ["cnn"], indirect=True)
def test_factors_of_convolutions_and_linear_layers_equal_those_from_hooks(factors):
    with h5py.File(factors.file("kfac.h5")) as f:
        require_eigenvalues(f, moments(factors))
